/**
 * The right edge of the history tree: the last tile of each level, as far as it is filled. They are all that is needed to
 * append to a tree and to prove its root, at most 64 KiB for any number of transactions.
 */
import { equalBytes } from '../bytes/hex.ts';
import { nodeHash } from '../crypto/merkle.ts';
import type { Hash } from '../model/brands.ts';
import type { Tile, TilePlace } from '../model/sync-message.ts';
import { createHistoryReader, hashBytes, quotient, type TileStore, tileHashes, tileHeight } from './history-reader.ts';

/** A tile and how many of its hashes a tree has filled: at least 1. */
export type TileExtent = TilePlace & { readonly count: number };

/** Of a tree of `size` leaves, lowest level first; a level whose last tile is full has none. */
export function rightEdgeOf(size: number): TileExtent[] {
  const edge: TileExtent[] = [];
  let hashCount = size;
  for (let level = 0; hashCount > 0; level++) {
    const count = hashCount % tileHashes;
    if (count > 0) edge.push({ level, index: quotient(hashCount, tileHashes), count });
    hashCount = quotient(hashCount, tileHashes);
  }
  return edge;
}

/** The hashes of a tile that a tree of `size` leaves has filled; 0 where it has no such tile. */
export function tileCountAt({ level, index }: TilePlace, size: number): number {
  let hashCount = size;
  for (let below = 0; below < level; below++) hashCount = quotient(hashCount, tileHashes);
  return Math.max(0, Math.min(tileHashes, hashCount - index * tileHashes));
}

/** Whether these are exactly the tiles of the right edge of the tree that has this size and root. */
export function isRightEdge(tiles: readonly Tile[], size: number, root: Hash): boolean {
  const edge = rightEdgeOf(size);
  const isComplete =
    tiles.length === edge.length &&
    edge.every(({ level, index, count }, i) => {
      const tile = tiles[i]!;
      return tile.level === level && tile.index === index && tile.hashes.length === count * hashBytes;
    });
  return isComplete && equalBytes(createHistoryReader(tilesToStore(tiles)).rootAt(size), root);
}

/** The root over a whole tile: what the tile above has for it. */
export function fullTileRoot(hashes: Uint8Array): Hash {
  const reader = createHistoryReader({ get: () => hashes });
  return nodeHash(reader.fullSubtree(tileHeight - 1, 0), reader.fullSubtree(tileHeight - 1, 1));
}

function tilesToStore(tiles: readonly Tile[]): TileStore {
  return {
    get: (level, index) => tiles.find((tile) => tile.level === level && tile.index === index)?.hashes ?? null,
  };
}
