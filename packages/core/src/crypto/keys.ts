/**
 * Names of keys: the COSE key thumbprint of RFC 9679, SHA-256 over the deterministic CBOR of the required public
 * parameters (RFC 9053 section 7.1 for the curves). A kid is its first 8 bytes.
 */
import { encodeCbor } from '../bytes/cbor.ts';
import type { Hash } from '../model/brands.ts';
import { assert } from '../result.ts';
import { sha256 } from './hash.ts';
import { type KeyAlgorithm, publicKeySizeBytes } from './verifier.ts';

/** Bytes of a kid. */
export const keyIdSizeBytes = 8;

/** COSE_Key labels and values: kty 1 (OKP 1, EC2 2), crv -1 (P-256 1, Ed25519 6), x -2, y -3. */
function coseKeyOf(algorithm: KeyAlgorithm, publicKey: Uint8Array): Map<number, number | Uint8Array> {
  assert(publicKey.length === publicKeySizeBytes(algorithm), 'a public key has the size of its algorithm');
  if (algorithm === 'ed25519') {
    return new Map<number, number | Uint8Array>([
      [1, 1],
      [-1, 6],
      [-2, publicKey],
    ]);
  }
  return new Map<number, number | Uint8Array>([
    [1, 2],
    [-1, 1],
    [-2, publicKey.subarray(1, 33)],
    [-3, publicKey.subarray(33, 65)],
  ]);
}

/** The public key as a COSE_Key with its required parameters only. */
export function encodeCoseKey(algorithm: KeyAlgorithm, publicKey: Uint8Array): Uint8Array {
  return encodeCbor(coseKeyOf(algorithm, publicKey));
}

/** RFC 9679. */
export function keyThumbprint(algorithm: KeyAlgorithm, publicKey: Uint8Array): Hash {
  return sha256(encodeCoseKey(algorithm, publicKey));
}

/** The kid of a key: the first 8 bytes of its thumbprint. */
export function keyId(algorithm: KeyAlgorithm, publicKey: Uint8Array): Uint8Array {
  return keyThumbprint(algorithm, publicKey).slice(0, keyIdSizeBytes);
}

/** COSE algorithm numbers accepted for a key: the present one first, then the older one (RFC 9053, RFC 9864). */
export function coseAlgorithmsOf(algorithm: KeyAlgorithm): readonly [number, number] {
  return algorithm === 'ed25519' ? [-19, -8] : [-9, -7];
}
