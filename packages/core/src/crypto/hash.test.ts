import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toHex } from '../bytes/hex.ts';
import { toHash } from '../model/brands.ts';
import { installSha256, sha256, sha256Pair, sha256Single } from './hash.ts';

test('SHA-256 gives the digests of FIPS 180-4', () => {
  assert.equal(
    toHex(sha256(new TextEncoder().encode('abc'))),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('the hashes of a prefix and one or two hashes are those of the bytes put together', () => {
  const a = sha256(Uint8Array.of(1));
  const b = sha256(Uint8Array.of(2));
  assert.deepEqual(sha256Pair(1, a, b), sha256(Uint8Array.of(1, ...a, ...b)));
  assert.deepEqual(sha256Single(0, a), sha256(Uint8Array.of(0, ...a)));
  const short = toHash(new Uint8Array(31));
  assert.throws(() => sha256Pair(1, a, short), /two hashes/);
  assert.throws(() => sha256Pair(1, short, a), /two hashes/);
  assert.throws(() => sha256Single(0, short), /32 bytes/);
});

test('only SHA-256 can be installed in its place', () => {
  const empty = createHash('sha256').digest();
  const others = [new Uint8Array(32), Uint8Array.of(...empty, 0), empty.subarray(0, 31), new Uint8Array(32).fill(0xe3)];
  for (const digest of others) assert.throws(() => installSha256(() => digest), /SHA-256/);
  const before = sha256(Uint8Array.of(7));
  installSha256((bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()));
  assert.deepEqual(sha256(Uint8Array.of(7)), before);
});
