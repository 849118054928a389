import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzSettings } from '../bytes/testing/fuzz.ts';
import { type Hash, toHash } from '../model/brands.ts';
import {
  leafHash,
  merkleRoot,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHash);
const entries = fc.uniqueArray(hash, { minLength: 2, maxLength: 70, selector: (entry) => entry.join() });

test('an inclusion proof with one bit changed anywhere does not verify', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.nat(), (tree, leafPick, bitPick) => {
      const leaves = tree.map(leafHash);
      const index = leafPick % leaves.length;
      const root = merkleRoot(leaves);
      const path = proveInclusion(leaves, index);
      assert.ok(verifyInclusion(index, leaves.length, leaves[index]!, path, root));
      const [leaf, changedRoot, ...changedPath] = flipBit([leaves[index]!, root, ...path], bitPick);
      assert.ok(!verifyInclusion(index, leaves.length, leaf!, changedPath, changedRoot!));
    }),
    fuzzSettings(300),
  );
});

test('a consistency proof with one bit changed anywhere does not verify', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.nat(), (tree, sizePick, bitPick) => {
      const leaves = tree.map(leafHash);
      const oldSize = 1 + (sizePick % (leaves.length - 1));
      const roots = [merkleRoot(leaves, 0, oldSize), merkleRoot(leaves)] as const;
      const path = proveConsistency(leaves, oldSize);
      assert.ok(verifyConsistency(oldSize, leaves.length, ...roots, path));
      const [oldRoot, newRoot, ...changedPath] = flipBit([...roots, ...path], bitPick);
      assert.ok(!verifyConsistency(oldSize, leaves.length, oldRoot!, newRoot!, changedPath));
    }),
    fuzzSettings(300),
  );
});

test('no proof of any shape breaks the verification', () => {
  const anything = fc.oneof(fc.integer(), fc.double(), fc.maxSafeNat());
  const bytes = fc.uint8Array({ maxLength: 40 }).map(toHash);
  fc.assert(
    fc.property(anything, anything, bytes, bytes, fc.array(bytes, { maxLength: 60 }), (index, size, a, b, path) => {
      const isIncluded = verifyInclusion(index, size, a, path, b);
      assert.ok(!isIncluded || (size === 1 && index === 0 && path.length === 0));
      const isConsistent = verifyConsistency(index, size, a, b, path);
      assert.ok(!isConsistent || (index === size && path.length === 0));
    }),
    fuzzSettings(1000),
  );
});

function flipBit(hashes: readonly Hash[], pick: number): Hash[] {
  const bit = pick % (hashes.length * 256);
  return hashes.map((bytes, i) => {
    if (i !== bit >> 8) return bytes;
    const changed = bytes.slice();
    changed[(bit & 255) >> 3]! ^= 1 << (bit & 7);
    return toHash(changed);
  });
}
