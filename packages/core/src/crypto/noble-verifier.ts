/**
 * The Verifier in plain JavaScript, for browsers, and as the reference the faster ones are compared with.
 *
 * noble's own Ed25519 `verify` multiplies by the cofactor and so accepts more than our rule; here is the cofactorless
 * equation of RFC 8032 section 5.1.7 instead, in noble's arithmetic: the encoding of [S]B - [k]A must be R.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../bytes/hex.ts';
import { type CairnError, fail, ok, type Result, unreachable } from '../result.ts';
import { checkEd25519KeyBytes, offCurveKey, passesEd25519Rule, weakKey } from './ed25519-rule.ts';
import { isUncompressedPoint, passesP256Rule } from './p256-rule.ts';
import type { KeyAlgorithm, Verifier } from './verifier.ts';

export const nobleVerifier: Verifier = {
  id: 'noble',
  verify(algorithm, publicKey, message, signature) {
    switch (algorithm) {
      case 'ed25519':
        return passesEd25519Rule(publicKey, signature) && isEd25519Signature(publicKey, message, signature);
      case 'p256':
        return passesP256Rule(publicKey, signature) && isP256Signature(publicKey, message, signature);
      default:
        return unreachable(algorithm);
    }
  },
  checkPublicKey(algorithm: KeyAlgorithm, publicKey: Uint8Array): Result<void, CairnError> {
    switch (algorithm) {
      case 'ed25519':
        return checkEd25519Key(publicKey);
      case 'p256':
        return isP256Key(publicKey) ? ok(undefined) : fail(offCurveKey);
      default:
        return unreachable(algorithm);
    }
  },
};

function isEd25519Signature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const keyPoint = ed25519PointOf(publicKey);
  if (keyPoint === null) return false;
  const { Point } = ed25519;
  const commitment = signature.subarray(0, 32);
  const challenge = Point.Fn.create(
    littleEndianToBigint(sha512.create().update(commitment).update(publicKey).update(message).digest()),
  );
  const response = littleEndianToBigint(signature.subarray(32));
  const expected = Point.BASE.multiplyUnsafe(response).subtract(keyPoint.multiplyUnsafe(challenge));
  return equalBytes(expected.toBytes(), commitment);
}

function checkEd25519Key(publicKey: Uint8Array): Result<void, CairnError> {
  const bytesChecked = checkEd25519KeyBytes(publicKey);
  if (!bytesChecked.ok) return bytesChecked;
  const point = ed25519PointOf(publicKey);
  if (point === null) return fail(offCurveKey);
  return point.isTorsionFree() ? ok(undefined) : fail(weakKey);
}

function ed25519PointOf(publicKey: Uint8Array): InstanceType<typeof ed25519.Point> | null {
  try {
    return ed25519.Point.fromBytes(publicKey, false);
  } catch {
    return null;
  }
}

function isP256Signature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return p256.verify(signature, message, publicKey, { prehash: true, lowS: false, format: 'compact' });
  } catch {
    // noble throws on a key that is not on the curve.
    return false;
  }
}

function isP256Key(publicKey: Uint8Array): boolean {
  if (!isUncompressedPoint(publicKey)) return false;
  try {
    p256.Point.fromBytes(publicKey).assertValidity();
    return true;
  } catch {
    return false;
  }
}

function littleEndianToBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
