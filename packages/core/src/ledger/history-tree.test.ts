import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../crypto/hash.ts';
import { leafHash, merkleRoot, verifyConsistency, verifyInclusion } from '../crypto/merkle.ts';
import type { Hash } from '../model/brands.ts';
import { createHistoryReader } from './history-reader.ts';
import { createHistoryTree, type HistoryAppend } from './history-tree.ts';

const entryAt = (index: number): Hash => sha256(Uint8Array.of(index & 255, (index >> 8) & 255, index >> 16));
const entriesBetween = (from: number, to: number): Hash[] =>
  Array.from({ length: to - from }, (_, i) => entryAt(from + i));

function createTiles() {
  const stored = new Map<string, Uint8Array>();
  return {
    get: (level: number, index: number) => stored.get(`${level}/${index}`) ?? null,
    store({ tileWrites }: HistoryAppend): void {
      for (const { level, index, hashes } of tileWrites) stored.set(`${level}/${index}`, hashes);
    },
    names: () => [...stored.keys()].sort(),
  };
}

test('an empty tree has the root of RFC 9162: the hash of nothing', () => {
  const tree = createHistoryTree(createTiles(), 0);
  assert.deepEqual(tree.root(), sha256(new Uint8Array(0)));
  assert.deepEqual(tree.rootAt(0), tree.root());
});

test('roots equal the plain recursive ones at every size around the edges of tiles', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  const leaves: Hash[] = [];
  for (let size = 1; size <= 1_030; size++) {
    const appended = tree.append([entryAt(size - 1)]);
    tiles.store(appended);
    leaves.push(leafHash(entryAt(size - 1)));
    if (size % 97 === 0 || size < 20 || Math.abs((size % 256) - 1) < 2) {
      assert.deepEqual(appended.root, merkleRoot(leaves), `size ${size}`);
      assert.deepEqual(tree.rootAt(size), appended.root);
    }
  }
});

test('tiles over two levels: 65,536 leaves and more', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  for (let from = 0; from < 66_000; from += 1_000) tiles.store(tree.append(entriesBetween(from, from + 1_000)));
  const leaves = entriesBetween(0, 66_000).map(leafHash);
  assert.deepEqual(tree.root(), merkleRoot(leaves));
  assert.ok(tiles.names().includes('2/0'));
  const resumed = createHistoryTree(tiles, 66_000);
  assert.deepEqual(resumed.root(), tree.root());
  for (const index of [0, 255, 256, 65_535, 65_536, 65_999]) {
    assert.ok(verifyInclusion(index, 66_000, leaves[index]!, tree.prove(index, 66_000), tree.root()));
  }
});

test('every leaf of every earlier tree has a path that verifies, and only its own', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  tiles.store(tree.append(entriesBetween(0, 700)));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), (size, seed) => {
      const index = seed % size;
      const path = tree.prove(index, size);
      const root = tree.rootAt(size);
      assert.ok(verifyInclusion(index, size, leafHash(entryAt(index)), path, root));
      assert.ok(!verifyInclusion(index, size, leafHash(entryAt(index + 1)), path, root));
    }),
  );
});

test('consistency proofs verify between any two sizes', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  tiles.store(tree.append(entriesBetween(0, 600)));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 600 }), (a, b) => {
      const [older, newer] = a < b ? [a, b] : [b, a];
      const path = tree.proveConsistency(older, newer);
      assert.ok(verifyConsistency(older, newer, tree.rootAt(older), tree.rootAt(newer), path));
    }),
  );
});

test('a tree resumed from its tiles goes on as if it had never stopped', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), (counts) => {
      const tiles = createTiles();
      const steady = createHistoryTree(createTiles(), 0);
      let size = 0;
      for (const count of counts) {
        const resumed = createHistoryTree(tiles, size);
        const entries = entriesBetween(size, size + count);
        const appended = resumed.append(entries);
        tiles.store(appended);
        size += count;
        assert.deepEqual(appended.root, steady.append(entries).root);
        assert.equal(appended.size, size);
      }
    }),
    { numRuns: 50 },
  );
});

test('one reader serves a growing tree, before and after an append is stored', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  const reader = createHistoryReader(tiles);
  let rootBefore = tree.root();
  for (let size = 50; size <= 1_000; size += 50) {
    const appended = tree.append(entriesBetween(size - 50, size));
    assert.deepEqual(reader.rootAt(size - 50), rootBefore);
    tiles.store(appended);
    assert.deepEqual(reader.rootAt(size), appended.root);
    const path = reader.prove(size - 1, size);
    assert.ok(verifyInclusion(size - 1, size, leafHash(entryAt(size - 1)), path, appended.root));
    rootBefore = appended.root;
  }
});

test('an append writes each touched tile once, however many entries', () => {
  const tree = createHistoryTree(createTiles(), 0);
  const { tileWrites } = tree.append(entriesBetween(0, 1_000));
  const names = tileWrites.map(({ level, index, hashes }) => `${level}/${index}:${hashes.length / 32}`);
  assert.deepEqual(names.sort(), ['0/0:256', '0/1:256', '0/2:256', '0/3:232', '1/0:3']);
});

test('nothing is proven about leaves and sizes that the tree does not have', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  tiles.store(tree.append(entriesBetween(0, 10)));
  const reader = createHistoryReader(tiles);
  for (const index of [-1, 10, 11]) assert.throws(() => reader.prove(index, 10), /a leaf of the tree/);
  for (const [older, newer] of [
    [0, 5],
    [6, 5],
  ] as const)
    assert.throws(() => reader.proveConsistency(older, newer), /from a tree to a later one/);
  assert.deepEqual(reader.proveConsistency(5, 5), []);
  assert.throws(() => tree.prove(0, 11), /a tree that was/);
  assert.throws(() => tree.proveConsistency(1, 11), /trees that were/);
  assert.throws(() => tree.rootAt(11), /at most the present one/);
  assert.deepEqual(tree.rootAt(10), tree.root());
  for (const size of [-1, 0.5, Number.NaN]) assert.throws(() => createHistoryTree(tiles, size), /a safe integer/);
});

test('a reader keeps 32 tiles open, and opens one again only when more of it is needed', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  tiles.store(tree.append(entriesBetween(0, 34 * 256)));
  const reads: string[] = [];
  const reader = createHistoryReader({
    get(level, index) {
      reads.push(`${level}/${index}`);
      return tiles.get(level, index);
    },
  });
  const readsOf = (...leaves: number[]): string[] => {
    reads.length = 0;
    for (const leaf of leaves) reader.fullSubtree(0, leaf);
    return [...reads];
  };
  assert.deepEqual(readsOf(0, 1, 255), ['0/0'], 'a whole tile is opened at once');
  assert.equal(readsOf(...Array.from({ length: 31 }, (_, i) => 256 * (i + 1))).length, 31);
  assert.deepEqual(readsOf(0, 256), [], 'all 32 are open');
  assert.deepEqual(readsOf(32 * 256, 1 * 256), ['0/32'], 'the oldest is closed');
  assert.deepEqual(readsOf(0), ['0/0']);
});

test('a tile that was opened again, since it has grown, is the newest one', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  const reads: string[] = [];
  const reader = createHistoryReader({
    get(level, index) {
      reads.push(`${level}/${index}`);
      return tiles.get(level, index);
    },
  });
  tiles.store(tree.append(entriesBetween(0, 10)));
  reader.fullSubtree(0, 9);
  tiles.store(tree.append(entriesBetween(10, 34 * 256)));
  for (let tile = 1; tile < 32; tile++) reader.fullSubtree(0, 256 * tile);
  reader.fullSubtree(0, 255);
  reads.length = 0;
  reader.fullSubtree(0, 32 * 256);
  reader.fullSubtree(0, 0);
  assert.deepEqual(reads, ['0/32'], 'tile 1 is the oldest, and closed');
});

test('a tile that is shorter than the tree needs stops the reader', () => {
  const tiles = createTiles();
  const tree = createHistoryTree(tiles, 0);
  tiles.store(tree.append(entriesBetween(0, 3)));
  const reader = createHistoryReader(tiles);
  assert.deepEqual(reader.rootAt(3), tree.root());
  assert.throws(() => reader.rootAt(4), /history tile 0\/0 is stored with 4 hashes/);
  assert.throws(() => reader.fullSubtree(0, 256), /history tile 0\/1/);
});

test('a tile that is gone stops the tree instead of giving a wrong root', () => {
  assert.throws(() => createHistoryTree(createTiles(), 300), /is stored/);
});
