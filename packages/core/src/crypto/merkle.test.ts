import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../bytes/hex.ts';
import { listVectors, readVector } from '../bytes/testing/vectors.ts';
import { type Hash, toHash } from '../model/brands.ts';
import { sha256 } from './hash.ts';
import {
  emptyRoot,
  leafHash,
  merkleRoot,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootFromInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

const leaves = Array.from({ length: 40 }, (_, i) => leafHash(sha256(Uint8Array.of(i))));
const [a, b, c] = leaves as [Hash, Hash, Hash];

test('roots are those of RFC 9162 section 2.1.1: split at the largest power of two, nothing padded', () => {
  assert.equal(toHex(emptyRoot()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.deepEqual(merkleRoot([]), emptyRoot());
  assert.deepEqual(merkleRoot(leaves, 2, 2), emptyRoot());
  assert.deepEqual(merkleRoot([a]), a);
  assert.deepEqual(merkleRoot([a, b, c]), nodeHash(nodeHash(a, b), c));
  assert.deepEqual(merkleRoot(leaves.slice(0, 7)), nodeHash(merkleRoot(leaves, 0, 4), merkleRoot(leaves, 4, 7)));
});

test('every leaf of every tree up to 40 has a proof that verifies, and at no other place', () => {
  for (let size = 1; size <= leaves.length; size++) {
    const tree = leaves.slice(0, size);
    const root = merkleRoot(tree);
    for (let index = 0; index < size; index++) {
      const path = proveInclusion(tree, index);
      assert.ok(verifyInclusion(index, size, tree[index]!, path, root));
      for (let other = 0; other < size; other++) {
        if (other !== index) assert.ok(!verifyInclusion(other, size, tree[index]!, path, root));
      }
      assert.ok(!verifyInclusion(index, size, tree[index]!, [...path, a], root), 'longer');
      if (path.length > 0) assert.ok(!verifyInclusion(index, size, tree[index]!, path.slice(1), root), 'shorter');
    }
  }
});

test('every tree up to 40 is proven to begin with every smaller one', () => {
  for (let size = 1; size <= leaves.length; size++) {
    const root = merkleRoot(leaves, 0, size);
    for (let old = 1; old <= size; old++) {
      const path = proveConsistency(leaves.slice(0, size), old);
      const oldRoot = merkleRoot(leaves, 0, old);
      assert.ok(verifyConsistency(old, size, oldRoot, root, path));
      assert.ok(!verifyConsistency(old, size, a === oldRoot ? b : a, root, path), 'another beginning');
      if (old < size) {
        assert.ok(!verifyConsistency(old, size, oldRoot, a, path), 'another end');
        assert.ok(!verifyConsistency(old, size, oldRoot, root, [...path, a]), 'longer');
        assert.ok(!verifyConsistency(old, size, oldRoot, root, path.slice(1)), 'shorter');
      }
    }
  }
});

test('sizes beyond 32 bits are handled exactly', () => {
  const size = 2 ** 40 + 1;
  const root = nodeHash(a, b);
  assert.ok(verifyInclusion(2 ** 40, size, b, [a], root), 'the lone last leaf stands next to the full tree');
  assert.ok(!verifyInclusion(0, size, b, [a], root));
  assert.ok(verifyConsistency(2 ** 40, size, a, root, [b]));
});

test('nothing is proven about a leaf or a beginning that the tree does not have', () => {
  const tree = leaves.slice(0, 3);
  for (const index of [-1, 3, 0.5, Number.NaN]) assert.throws(() => proveInclusion(tree, index), /in the tree/);
  for (const size of [0, -1, 4, 1.5, Number.NaN]) assert.throws(() => proveConsistency(tree, size), /a part of/);
});

test('a path that fits a size or an index which is no such thing is refused all the same', () => {
  const siblings = Array.from({ length: 53 }, () => b);
  const root = siblings.reduce((node, sibling) => nodeHash(node, sibling), a);
  for (const [index, size, path] of [
    [0, 2 ** 53, siblings],
    [0.5, 2, [b]],
    [-1, 2, [b]],
    [0, 1, [b]],
  ] as const) {
    const found = rootFromInclusionProof(index, size, a, path);
    assert.equal(!found.ok && found.error.code, 'merkle.bad-proof', `leaf ${index} of ${size}`);
  }
  assert.ok(verifyConsistency(1, 2 ** 53 - 1, a, root, siblings), 'the largest size there is');
  assert.ok(!verifyConsistency(1, 2 ** 53, a, root, siblings));
  assert.ok(!verifyConsistency(1.5, 2, a, nodeHash(a, b), [a, b]));
});

test('indices and sizes that are no such thing are refused', () => {
  for (const [index, size] of [
    [0, 0],
    [1, 1],
    [-1, 2],
    [0.5, 2],
    [0, Number.NaN],
    [0, 2 ** 53],
    [2 ** 60, 2 ** 61],
  ] as const) {
    const root = rootFromInclusionProof(index, size, a, []);
    assert.equal(!root.ok && root.error.code, 'merkle.bad-proof');
  }
  assert.ok(!rootFromInclusionProof(0, 2, a, [toHash(new Uint8Array(31))]).ok, 'a hash of 31 bytes');
  assert.ok(!verifyConsistency(0, 1, emptyRoot(), a, []), 'an empty tree proves nothing');
  assert.ok(!verifyConsistency(2, 1, a, a, []));
});

type InclusionVector = {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
};

test('inclusion vectors of transparency-dev/merkle get the verdict they name', (t) => {
  const vectors = readFolder<InclusionVector>('merkle/testdata/inclusion');
  if (vectors === null) return t.skip('vectors not present');
  for (const { name, vector } of vectors) {
    const path = (vector.proof ?? []).map(hashOf);
    const verdict = verifyInclusion(
      vector.leafIdx,
      vector.treeSize,
      hashOf(vector.leafHash),
      path,
      hashOf(vector.root),
    );
    assert.equal(verdict, !vector.wantErr, `${name}: ${vector.desc}`);
  }
  t.diagnostic(`${vectors.length} vectors`);
});

type ConsistencyVector = {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
};

test('consistency vectors of transparency-dev/merkle get the verdict they name', (t) => {
  const vectors = readFolder<ConsistencyVector>('merkle/testdata/consistency');
  if (vectors === null) return t.skip('vectors not present');
  for (const { name, vector } of vectors) {
    const path = (vector.proof ?? []).map(hashOf);
    const verdict = verifyConsistency(vector.size1, vector.size2, hashOf(vector.root1), hashOf(vector.root2), path);
    assert.equal(verdict, !vector.wantErr, `${name}: ${vector.desc}`);
  }
  t.diagnostic(`${vectors.length} vectors`);
});

/** All JSON files of a folder and the folders in it; null where there are no vectors. */
function readFolder<T>(folder: string): { name: string; vector: T }[] | null {
  const names = listVectors(folder);
  if (names === null) return null;
  return names.flatMap((name) => {
    const path = `${folder}/${name}`;
    if (!name.endsWith('.json')) return readFolder<T>(path) ?? [];
    // The modified files carry brackets and @ in their names, which are no part of a URL path.
    return [{ name: path, vector: JSON.parse(readVector(encodeURI(path))!.toString()) as T }];
  });
}

function hashOf(base64: string | undefined): Hash {
  return toHash(new Uint8Array(Buffer.from(base64 ?? '', 'base64')));
}
