/** The Signer in plain JavaScript: for browsers, devices under test, and wherever no faster one is at hand. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { assert, unreachable } from '../result.ts';
import { keyId } from './keys.ts';
import type { KeyAlgorithm, Signer } from './verifier.ts';

/**
 * A signer for a secret kept in memory. Signatures are deterministic (RFC 8032; RFC 6979 for P-256).
 *
 * @param secretKey 32 bytes: the Ed25519 seed, or the P-256 scalar, big-endian
 * @throws when a P-256 scalar is not from 1 to n - 1: draw another one
 */
export function nobleSigner(algorithm: KeyAlgorithm, secretKey: Uint8Array): Signer {
  assert(secretKey.length === 32, 'a secret key has 32 bytes');
  const secret = secretKey.slice();
  const publicKey = publicKeyOf(algorithm, secret);
  return {
    algorithm,
    publicKey,
    kid: keyId(algorithm, publicKey),
    sign: (message) => signWith(algorithm, message, secret),
  };
}

function publicKeyOf(algorithm: KeyAlgorithm, secretKey: Uint8Array): Uint8Array {
  switch (algorithm) {
    case 'ed25519':
      return ed25519.getPublicKey(secretKey);
    case 'p256':
      return p256.getPublicKey(secretKey, false);
    default:
      return unreachable(algorithm);
  }
}

function signWith(algorithm: KeyAlgorithm, message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  switch (algorithm) {
    case 'ed25519':
      return ed25519.sign(message, secretKey);
    case 'p256':
      return p256.sign(message, secretKey, { prehash: true, lowS: false, format: 'compact' });
    default:
      return unreachable(algorithm);
  }
}
