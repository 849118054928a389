/**
 * SHA-256, the only hash of Cairn (FIPS 180-4).
 *
 * The default is noble's, in plain JavaScript. A platform may install its own once, at start: node:crypto's is three
 * times faster. Whatever is installed must give the same digests; one is checked here.
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { type Hash, toHash } from '../model/brands.ts';
import { assert } from '../result.ts';

/** Returns 32 bytes that nobody else writes to. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** First bytes of SHA-256 of nothing. */
const emptyDigestStart = [0xe3, 0xb0, 0xc4, 0x42];

let implementation: Sha256 = nobleSha256;

export function sha256(bytes: Uint8Array): Hash {
  return toHash(implementation(bytes));
}

const pairBytes = new Uint8Array(65);

/**
 * SHA-256(prefix || a || b), without an allocation besides the result.
 *
 * @param prefix one byte
 * @param a 32 bytes
 * @param b 32 bytes
 */
export function sha256Pair(prefix: number, a: Hash, b: Hash): Hash {
  assert(a.length === 32 && b.length === 32, 'a pair is of two hashes');
  pairBytes[0] = prefix;
  pairBytes.set(a, 1);
  pairBytes.set(b, 33);
  return toHash(implementation(pairBytes));
}

const singleBytes = new Uint8Array(33);

/** SHA-256(prefix || a), `a` of 32 bytes. */
export function sha256Single(prefix: number, a: Hash): Hash {
  assert(a.length === 32, 'a hash has 32 bytes');
  singleBytes[0] = prefix;
  singleBytes.set(a, 1);
  return toHash(implementation(singleBytes));
}

/** Replaces the implementation for the whole process. */
export function installSha256(other: Sha256): void {
  const digest = other(new Uint8Array(0));
  assert(
    digest.length === 32 && emptyDigestStart.every((byte, i) => digest[i] === byte),
    'the installed hash is SHA-256',
  );
  implementation = other;
}
