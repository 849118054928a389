import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { sha256 } from '../crypto/hash.ts';
import { toHash } from '../model/brands.ts';
import type { Tile } from '../model/sync-message.ts';
import { fullTileRoot, isRightEdge, rightEdgeOf, tileCountAt } from './history-edge.ts';
import { createHistoryTree } from './history-tree.ts';

const entryOf = (i: number) => sha256(Uint8Array.of(i & 255, (i >> 8) & 255, i >> 16));

function treeOf(size: number) {
  const tiles = new Map<string, Uint8Array>();
  const tree = createHistoryTree({ get: (level, index) => tiles.get(`${level}/${index}`) ?? null }, 0);
  for (let from = 0; from < size; from += 1000) {
    const entries = Array.from({ length: Math.min(1000, size - from) }, (_, i) => entryOf(from + i));
    for (const { level, index, hashes } of tree.append(entries).tileWrites) tiles.set(`${level}/${index}`, hashes);
  }
  const edge = rightEdgeOf(size).map(({ level, index, count }): Tile => {
    return { level, index, hashes: tiles.get(`${level}/${index}`)!.subarray(0, count * 32) };
  });
  return { tree, tiles, edge };
}

for (const size of [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000]) {
  test(`the right edge of ${size} leaves proves the root, and the tree grows on from it alone`, () => {
    const { tree, edge } = treeOf(size);
    assert.ok(isRightEdge(edge, size, tree.root()));
    const resumed = createHistoryTree(
      { get: (level, index) => edge.find((tile) => tile.level === level && tile.index === index)?.hashes ?? null },
      size,
    );
    const more = Array.from({ length: 700 }, (_, i) => entryOf(size + i));
    assert.deepEqual(resumed.append(more).root, tree.append(more).root);
  });
}

test('tiles that are not exactly the right edge are refused, whatever they hold', () => {
  const { tree, edge } = treeOf(66_000);
  const root = tree.root();
  const changed = edge.map((tile, i) => (i === 0 ? { ...tile, hashes: tile.hashes.map((byte) => byte ^ 1) } : tile));
  for (const tiles of [
    [],
    edge.slice(1),
    [...edge, edge[0]!],
    changed,
    edge.map((tile, i) => (i === 0 ? { ...tile, hashes: tile.hashes.slice(32) } : tile)),
    edge.map((tile) => ({ ...tile, index: tile.index + 1 })),
  ])
    assert.ok(!isRightEdge(tiles, 66_000, root));
  assert.ok(!isRightEdge(edge, 65_999, root));
  assert.ok(!isRightEdge(edge, 66_000, toHash(new Uint8Array(32))));
});

test('a full tile has the root that the tile above has for it', () => {
  const { tiles } = treeOf(66_000);
  const above = tiles.get('1/0')!;
  for (const i of [0, 1, 255]) assert.deepEqual(fullTileRoot(tiles.get(`0/${i}`)!), above.slice(i * 32, i * 32 + 32));
  assert.deepEqual(fullTileRoot(above), tiles.get('2/0')!.slice(0, 32));
});

test('how far a tile is filled at a size', () => {
  assert.equal(tileCountAt({ level: 0, index: 0 }, 66_000), 256);
  assert.equal(tileCountAt({ level: 0, index: 257 }, 66_000), 66_000 - 257 * 256);
  assert.equal(tileCountAt({ level: 0, index: 258 }, 66_000), 0);
  assert.equal(tileCountAt({ level: 1, index: 1 }, 66_000), 1);
  assert.equal(tileCountAt({ level: 2, index: 0 }, 66_000), 1);
  assert.equal(tileCountAt({ level: 3, index: 0 }, 66_000), 0);
});
