/**
 * Reads the history tree from its tiles: roots and proofs of RFC 9162 section 2.1 for any size the tiles reach. A reader
 * holds no size of its own, so one reader serves a growing tree (the edge thread makes receipts with it).
 *
 * Tile (0, i) holds leaf hashes 256 i to 256 i + 255; tile (k, i) the roots of as many full subtrees of 256^k leaves. The
 * last tile of a level may be partial. Hashes once in a tile never change, so a tile is opened (its inner nodes hashed)
 * once, and again only when more of it is needed.
 */
import { sha256 } from '../crypto/hash.ts';
import { nodeHash } from '../crypto/merkle.ts';
import { type Hash, toHash } from '../model/brands.ts';
import { assert } from '../result.ts';

export const tileHashes = 256;
/** A tile covers eight levels of the binary tree. */
export const tileHeight = 8;
export const hashBytes = 32;
/** Tiles kept with their inner nodes (16 KiB each). */
const openTilesMax = 32;

export interface TileStore {
  /** The hashes stored for a tile, one after the other; null when there are none. */
  get(level: number, index: number): Uint8Array | null;
}

export interface HistoryReader {
  rootAt(size: number): Hash;
  /** Inclusion path of RFC 9162 section 2.1.3.1, from the leaf upwards. */
  prove(leafIndex: number, treeSize: number): Hash[];
  /** Consistency proof of RFC 9162 section 2.1.4.1; empty for equal sizes. */
  proveConsistency(oldSize: number, newSize: number): Hash[];
  /** Root of the full subtree of 2^height leaves with this index among those of its height. */
  fullSubtree(height: number, index: number): Hash;
}

/** `nodes[h]` holds the roots of the full subtrees of 2^h hashes of the tile, one after the other. */
type OpenTile = { readonly count: number; readonly nodes: readonly Uint8Array[] };

export function createHistoryReader(tiles: TileStore): HistoryReader {
  const opened = new Map<string, OpenTile>();
  return {
    rootAt: (size) => rangeRoot(0, size),
    fullSubtree,
    prove(leafIndex, treeSize) {
      assert(leafIndex >= 0 && leafIndex < treeSize, 'a proof is for a leaf of the tree');
      const path: Hash[] = [];
      let first = 0;
      let count = treeSize;
      while (count > 1) {
        const left = largestPowerBelow(count);
        if (leafIndex < first + left) {
          path.push(rangeRoot(first + left, count - left));
          count = left;
        } else {
          path.push(rangeRoot(first, left));
          first += left;
          count -= left;
        }
      }
      return path.reverse();
    },
    proveConsistency(oldSize, newSize) {
      assert(oldSize >= 1 && oldSize <= newSize, 'consistency is from a tree to a later one');
      const path: Hash[] = [];
      let first = 0;
      let count = newSize;
      while (oldSize < first + count) {
        const left = largestPowerBelow(count);
        if (oldSize <= first + left) {
          path.push(rangeRoot(first + left, count - left));
          count = left;
        } else {
          path.push(rangeRoot(first, left));
          first += left;
          count -= left;
        }
      }
      if (first > 0) path.push(rangeRoot(first, count));
      return path.reverse();
    },
  };

  /** Root over `count` leaves from `first`; `first` is a multiple of the largest power of two within `count`. */
  function rangeRoot(first: number, count: number): Hash {
    if (count === 0) return sha256(new Uint8Array(0));
    const roots: Hash[] = [];
    let start = first;
    let rest = count;
    while (rest > 0) {
      const { height, width } = largestPowerWithin(rest);
      roots.push(fullSubtree(height, quotient(start, width)));
      start += width;
      rest -= width;
    }
    return roots.reduceRight((right, left) => nodeHash(left, right));
  }

  function fullSubtree(height: number, index: number): Hash {
    const inTile = height % tileHeight;
    const perTile = 1 << (tileHeight - inTile);
    const tile = openTile(quotient(height, tileHeight), quotient(index, perTile), ((index % perTile) + 1) << inTile);
    return hashAt(tile.nodes[inTile]!, index % perTile);
  }

  /** A tile with the inner nodes over at least its first `count` hashes. */
  function openTile(level: number, index: number, count: number): OpenTile {
    const name = `${level}/${index}`;
    const known = opened.get(name);
    if (known !== undefined && known.count >= count) return known;
    const hashes = tiles.get(level, index);
    assert(
      hashes !== null && hashes.length >= count * hashBytes,
      `history tile ${name} is stored with ${count} hashes`,
    );
    const tile = { count: quotient(hashes.length, hashBytes), nodes: hashInnerNodes(hashes.slice()) };
    opened.delete(name);
    opened.set(name, tile);
    if (opened.size > openTilesMax) opened.delete(opened.keys().next().value!);
    return tile;
  }
}

function hashInnerNodes(hashes: Uint8Array): Uint8Array[] {
  const nodes = [hashes];
  for (let height = 1; height < tileHeight; height++) {
    const below = nodes[height - 1]!;
    const count = quotient(below.length, 2 * hashBytes);
    const row = new Uint8Array(count * hashBytes);
    for (let i = 0; i < count; i++) row.set(nodeHash(hashAt(below, 2 * i), hashAt(below, 2 * i + 1)), i * hashBytes);
    nodes.push(row);
  }
  return nodes;
}

function hashAt(hashes: Uint8Array, index: number): Hash {
  return toHash(hashes.subarray(index * hashBytes, (index + 1) * hashBytes));
}

/** Whole part of a division of non-negative safe integers. */
export function quotient(value: number, divisor: number): number {
  return (value - (value % divisor)) / divisor;
}

function largestPowerWithin(count: number): { readonly height: number; readonly width: number } {
  let width = 1;
  let height = 0;
  while (width * 2 <= count) {
    width *= 2;
    height++;
  }
  return { height, width };
}

/** The largest power of two smaller than `count`, for count > 1: where RFC 9162 splits a tree. */
function largestPowerBelow(count: number): number {
  return largestPowerWithin(count - 1).width;
}
