/**
 * History tree: the append-only Merkle tree of RFC 9162 section 2.1 over all accepted transactions (wire-format.md
 * section 4), stored in tiles of 256 hashes (history-reader.ts says how, and makes the proofs).
 *
 * In memory: the roots of the full subtrees the present tree consists of (the binary digits of its size), and the last
 * tile of each level. `append` takes effect at once and returns the tiles to store; they must be readable through the
 * tile store before the tree is asked for a proof or a past root.
 */
import { sha256 } from '../crypto/hash.ts';
import { leafHash, nodeHash } from '../crypto/merkle.ts';
import type { Hash } from '../model/brands.ts';
import { assert } from '../result.ts';
import {
  createHistoryReader,
  type HistoryReader,
  hashBytes,
  quotient,
  type TileStore,
  tileHashes,
  tileHeight,
} from './history-reader.ts';

export type TileWrite = { readonly level: number; readonly index: number; readonly hashes: Uint8Array };

export type HistoryAppend = { readonly root: Hash; readonly size: number; readonly tileWrites: readonly TileWrite[] };

export interface HistoryTree {
  size(): number;
  root(): Hash;
  /** Adds entries (each the SHA-256 of a transaction's bytes) in order. */
  append(entries: readonly Hash[]): HistoryAppend;
  rootAt: HistoryReader['rootAt'];
  prove: HistoryReader['prove'];
  proveConsistency: HistoryReader['proveConsistency'];
}

/** The last tile of a level, filling up. */
type GrowingTile = { readonly level: number; readonly index: number; readonly bytes: Uint8Array; count: number };

export function createHistoryTree(tiles: TileStore, initialSize: number): HistoryTree {
  assert(Number.isSafeInteger(initialSize) && initialSize >= 0, 'a tree size is a safe integer');
  let size = initialSize;
  const growing = resumeTiles(tiles, size);
  const reader = createHistoryReader({
    get(level, index) {
      const tile = growing[level];
      return tile?.index === index ? tile.bytes.subarray(0, tile.count * hashBytes) : tiles.get(level, index);
    },
  });
  /** Root of the full subtree for each binary digit of size, lowest first; null where the digit is 0. */
  const peaks = resumePeaks(reader, size);

  return {
    size: () => size,
    root: () => foldPeaks(peaks),
    append(entries) {
      const touched = new Set<GrowingTile>();
      for (const entry of entries) appendLeaf(leafHash(entry), touched);
      const tileWrites = [...touched].map(({ level, index, bytes, count }) => ({
        level,
        index,
        hashes: bytes.slice(0, count * hashBytes),
      }));
      return { root: foldPeaks(peaks), size, tileWrites };
    },
    rootAt(past) {
      assert(past <= size, 'a past size is at most the present one');
      return reader.rootAt(past);
    },
    prove(leafIndex, treeSize) {
      assert(treeSize <= size, 'a proof is for a tree that was');
      return reader.prove(leafIndex, treeSize);
    },
    proveConsistency(oldSize, newSize) {
      assert(newSize <= size, 'consistency is between trees that were');
      return reader.proveConsistency(oldSize, newSize);
    },
  };

  function appendLeaf(leaf: Hash, touched: Set<GrowingTile>): void {
    let carry = leaf;
    let height = 0;
    appendToTile(0, carry, touched);
    for (let peak = peaks[0]; peak != null; peak = peaks[height]) {
      carry = nodeHash(peak, carry);
      peaks[height] = null;
      height++;
      if (height % tileHeight === 0) appendToTile(height / tileHeight, carry, touched);
    }
    peaks[height] = carry;
    size++;
  }

  function appendToTile(level: number, hash: Hash, touched: Set<GrowingTile>): void {
    let tile = growing[level] ?? emptyTile(level, 0);
    if (tile.count === tileHashes) tile = emptyTile(level, tile.index + 1);
    growing[level] = tile;
    tile.bytes.set(hash, tile.count * hashBytes);
    tile.count++;
    touched.add(tile);
  }
}

function emptyTile(level: number, index: number): GrowingTile {
  return { level, index, count: 0, bytes: new Uint8Array(tileHashes * hashBytes) };
}

function resumeTiles(tiles: TileStore, size: number): GrowingTile[] {
  const growing: GrowingTile[] = [];
  let hashCount = size;
  for (let level = 0; hashCount > 0; level++) {
    const tile = { ...emptyTile(level, quotient(hashCount, tileHashes)), count: hashCount % tileHashes };
    if (tile.count > 0) {
      const stored = tiles.get(level, tile.index);
      assert(stored !== null && stored.length >= tile.count * hashBytes, 'the last tile of every level is stored');
      tile.bytes.set(stored.subarray(0, tile.count * hashBytes));
    }
    growing.push(tile);
    hashCount = quotient(hashCount, tileHashes);
  }
  return growing;
}

function resumePeaks(reader: HistoryReader, size: number): (Hash | null)[] {
  const peaks: (Hash | null)[] = [];
  for (let rest = size; rest > 0; rest = quotient(rest, 2)) {
    peaks.push(rest % 2 === 1 ? reader.fullSubtree(peaks.length, rest - 1) : null);
  }
  return peaks;
}

function foldPeaks(peaks: readonly (Hash | null)[]): Hash {
  let root: Hash | null = null;
  for (const peak of peaks) if (peak !== null) root = root === null ? peak : nodeHash(peak, root);
  return root ?? sha256(new Uint8Array(0));
}
