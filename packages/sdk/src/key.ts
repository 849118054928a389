/**
 * Keys of devices, gateways and people, and the file form they are kept in.
 *
 * A key file is a JSON Web Key (RFC 7517; Ed25519 as in RFC 8037, P-256 as in RFC 7518), so that other tools can read
 * it: `kty`, `crv`, `x`, `y` and the secret `d`. `kid` is the name the ledger knows the key by: the first 8 bytes of its
 * COSE key thumbprint (RFC 9679), in hexadecimal.
 *
 * A public key in text is `<algorithm>:<base64url of its bytes>`: 32 bytes for Ed25519, 65 (0x04, x, y) for P-256.
 */
import {
  base64urlToBytes,
  bytesToBase64url,
  type CairnError,
  fail,
  type KeyAlgorithm,
  keyId,
  nobleSigner,
  ok,
  type Result,
  type Signer,
  toHex,
} from '@cairn-ledger/core';

/** A key with its secret; it can be written down, a bare `Signer` (a secure element) cannot. */
export type KeyPair = {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  /** 32 bytes: the Ed25519 seed, or the P-256 scalar. */
  readonly secretKey: Uint8Array;
  /** 8 bytes. */
  readonly kid: Uint8Array;
};

export type PublicKey = { readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array };

const curves: Record<KeyAlgorithm, { readonly kty: string; readonly crv: string }> = {
  ed25519: { kty: 'OKP', crv: 'Ed25519' },
  p256: { kty: 'EC', crv: 'P-256' },
};

/** Makes a key from the platform's randomness. */
export function createKey(algorithm: KeyAlgorithm = 'ed25519'): KeyPair {
  const secretKey = new Uint8Array(32);
  for (;;) {
    crypto.getRandomValues(secretKey);
    // A P-256 scalar outside [1, n-1] has a chance of 2^-32; the signer refuses it, and another one is drawn.
    try {
      return keyPairOf(algorithm, secretKey);
    } catch (error) {
      if (algorithm === 'ed25519') throw error;
    }
  }
}

/** A signer in plain JavaScript, for Node and browsers. A node brings a faster one of its own. */
export function createSigner(key: KeyPair): Signer {
  return nobleSigner(key.algorithm, key.secretKey);
}

/** The text of a key file. It holds the secret. */
export function keyToText(key: KeyPair): string {
  const { kty, crv } = curves[key.algorithm];
  const point =
    key.algorithm === 'ed25519' ? [key.publicKey] : [key.publicKey.subarray(1, 33), key.publicKey.subarray(33)];
  const jwk = {
    kty,
    crv,
    kid: toHex(key.kid),
    x: bytesToBase64url(point[0]!),
    ...(point[1] && { y: bytesToBase64url(point[1]) }),
    d: bytesToBase64url(key.secretKey),
  };
  return `${JSON.stringify(jwk, null, 2)}\n`;
}

/** Reads a key file's text. Errors: `keyfile.malformed`, `keyfile.mismatch` (public and secret part do not belong together). */
export function textToKey(text: string): Result<KeyPair, CairnError> {
  let jwk: unknown;
  try {
    jwk = JSON.parse(text);
  } catch {
    return malformed('it is not JSON');
  }
  if (typeof jwk !== 'object' || jwk === null) return malformed('it is not a JSON object');
  const { kty, crv, x, y, d } = jwk as Record<string, unknown>;
  const algorithm = (Object.keys(curves) as KeyAlgorithm[]).find(
    (known) => curves[known].kty === kty && curves[known].crv === crv,
  );
  if (algorithm === undefined) return malformed('its kty and crv are neither OKP Ed25519 nor EC P-256');
  const secretKey = typeof d === 'string' ? base64urlToBytes(d) : null;
  if (secretKey === null || secretKey.length !== 32) return malformed('its secret part d is not 32 bytes in base64url');
  let key: KeyPair;
  try {
    key = keyPairOf(algorithm, secretKey);
  } catch {
    return malformed('its secret part d is not a valid secret of this curve');
  }
  const written = keyToText(key);
  const expected = JSON.parse(written) as Record<string, unknown>;
  if (expected.x !== x || expected.y !== y) {
    return fail({ code: 'keyfile.mismatch', message: 'the public part of the key does not belong to its secret part' });
  }
  return ok(key);
}

export function publicKeyToText({ algorithm, publicKey }: PublicKey): string {
  return `${algorithm}:${bytesToBase64url(publicKey)}`;
}

/** Reads `ed25519:...` or `p256:...`. Whether the point is a good one is checked where it is registered. */
export function textToPublicKey(text: string): Result<PublicKey, CairnError> {
  const [algorithm, encoded, ...rest] = text.split(':');
  const publicKey = encoded === undefined ? null : base64urlToBytes(encoded);
  const known = algorithm === 'ed25519' || algorithm === 'p256';
  if (!known || rest.length > 0 || publicKey === null || publicKey.length !== (algorithm === 'ed25519' ? 32 : 65)) {
    return fail({
      code: 'keyfile.malformed',
      message: 'a public key is written ed25519:<43 characters> or p256:<87 characters>, as `cairn key new` prints it',
    });
  }
  return ok({ algorithm, publicKey });
}

function keyPairOf(algorithm: KeyAlgorithm, secretKey: Uint8Array): KeyPair {
  const { publicKey } = nobleSigner(algorithm, secretKey);
  return { algorithm, publicKey, secretKey: secretKey.slice(), kid: keyId(algorithm, publicKey) };
}

function malformed(why: string): Result<KeyPair, CairnError> {
  return fail({ code: 'keyfile.malformed', message: `this is not a Cairn key: ${why}. \`cairn key new\` makes one.` });
}
