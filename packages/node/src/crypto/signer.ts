/** Signers of a node, over libsodium (Ed25519) and OpenSSL (P-256), and the making of secrets. */
import { createECDH, createPrivateKey, randomBytes, sign } from 'node:crypto';
import { assert, type KeyAlgorithm, keyId, type Signer } from '@cairn-ledger/core';
import sodium from 'sodium-native';

/**
 * A signer for a secret kept in memory.
 *
 * @param secretKey 32 bytes: the Ed25519 seed, or the P-256 scalar, big-endian
 * @throws when a P-256 scalar is not from 1 to n - 1
 */
export function createNodeSigner(algorithm: KeyAlgorithm, secretKey: Uint8Array): Signer {
  assert(secretKey.length === 32, 'a secret key has 32 bytes');
  return algorithm === 'ed25519' ? createEd25519Signer(secretKey) : createP256Signer(secretKey);
}

/** A new secret from the operating system's randomness. */
export function createSecretKey(algorithm: KeyAlgorithm): Uint8Array {
  for (;;) {
    const secretKey = new Uint8Array(randomBytes(32));
    if (algorithm === 'ed25519' || isP256Scalar(secretKey)) return secretKey;
  }
}

function createEd25519Signer(seed: Uint8Array): Signer {
  const publicKey = new Uint8Array(sodium.crypto_sign_PUBLICKEYBYTES);
  const secretKey = new Uint8Array(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  return {
    algorithm: 'ed25519',
    publicKey,
    kid: keyId('ed25519', publicKey),
    sign(message) {
      const signature = new Uint8Array(64);
      sodium.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
  };
}

/** Not deterministic: OpenSSL draws a fresh nonce for each signature. */
function createP256Signer(scalar: Uint8Array): Signer {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const publicKey = new Uint8Array(ecdh.getPublicKey());
  const part = (start: number, end: number) => Buffer.from(publicKey.subarray(start, end)).toString('base64url');
  const key = createPrivateKey({
    key: { kty: 'EC', crv: 'P-256', x: part(1, 33), y: part(33, 65), d: Buffer.from(scalar).toString('base64url') },
    format: 'jwk',
  });
  return {
    algorithm: 'p256',
    publicKey,
    kid: keyId('p256', publicKey),
    sign: (message) => new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })),
  };
}

function isP256Scalar(secretKey: Uint8Array): boolean {
  try {
    createECDH('prime256v1').setPrivateKey(secretKey);
    return true;
  } catch {
    return false;
  }
}
