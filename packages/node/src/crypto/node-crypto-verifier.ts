/**
 * The Verifier over node:crypto (OpenSSL): P-256 for every node, and Ed25519 where sodium is not to be had.
 *
 * OpenSSL wants keys as objects, which cost more to make than a verification; the most recent ones are kept.
 */
import { createPublicKey, type KeyObject, verify as verifyWithKey } from 'node:crypto';
import {
  type CairnError,
  checkEd25519KeyBytes,
  fail,
  isUncompressedPoint,
  type KeyAlgorithm,
  nobleVerifier,
  offCurveKey,
  ok,
  passesEd25519Rule,
  passesP256Rule,
  type Result,
  type Verifier,
} from '@cairn-ledger/core';

/** Key objects kept per algorithm; about 1 KiB each. */
const keysMax = 4096;

/** SubjectPublicKeyInfo up to the key itself: Ed25519 (RFC 8410), P-256 with an uncompressed point (RFC 5480). */
const spkiPrefixes: Record<KeyAlgorithm, Uint8Array> = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  p256: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
};

export const nodeCryptoVerifier: Verifier = {
  id: 'node-crypto',
  verify(algorithm, publicKey, message, signature) {
    return algorithm === 'p256'
      ? verifyP256(publicKey, message, signature)
      : verifyEd25519(publicKey, message, signature);
  },
  checkPublicKey(algorithm, publicKey): Result<void, CairnError> {
    if (algorithm === 'p256') return checkP256Key(publicKey);
    const bytesChecked = checkEd25519KeyBytes(publicKey);
    // OpenSSL offers no arithmetic on points, so torsion is for plain JavaScript to find.
    return bytesChecked.ok ? nobleVerifier.checkPublicKey(algorithm, publicKey) : bytesChecked;
  },
};

/** Shared by every Verifier of a node. */
export function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!passesP256Rule(publicKey, signature)) return false;
  const key = keyObjectOf('p256', publicKey);
  return key !== null && verifyWithKey('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** Shared by every Verifier of a node. */
export function checkP256Key(publicKey: Uint8Array): Result<void, CairnError> {
  const isPoint = isUncompressedPoint(publicKey) && createKeyObject('p256', publicKey) !== null;
  return isPoint ? ok(undefined) : fail(offCurveKey);
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!passesEd25519Rule(publicKey, signature)) return false;
  const key = keyObjectOf('ed25519', publicKey);
  return key !== null && verifyWithKey(null, message, key, signature);
}

const keyObjects: Record<KeyAlgorithm, Map<string, KeyObject>> = { ed25519: new Map(), p256: new Map() };

function keyObjectOf(algorithm: KeyAlgorithm, publicKey: Uint8Array): KeyObject | null {
  const known = keyObjects[algorithm];
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1');
  let key: KeyObject | null = known.get(name) ?? null;
  if (key !== null) return key;
  key = createKeyObject(algorithm, publicKey);
  if (key === null) return null;
  if (known.size >= keysMax) known.delete(known.keys().next().value!);
  known.set(name, key);
  return key;
}

/** Null when OpenSSL refuses the key: not on the curve. */
function createKeyObject(algorithm: KeyAlgorithm, publicKey: Uint8Array): KeyObject | null {
  try {
    const der = Buffer.concat([spkiPrefixes[algorithm], publicKey]);
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}
