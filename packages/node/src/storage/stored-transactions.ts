/**
 * Reads transactions, and what the history tree has of them, one after the other. Neighbours often lie in one part of a
 * batch and one tile, so the last of each is remembered; both never change, a tile only grows.
 */
import type { ChainDb } from './chain-db.ts';
import { batchPartBytes } from './chain-schema.ts';
import type { TransactionPlace } from './transaction-place.ts';

const hashBytes = 32;
const hashesPerTile = 256;

export type StoredTransactions = {
  /** Null where nothing is stored. */
  bytesOf(place: TransactionPlace): Uint8Array | null;
  /** The leaf hash; null where there is none. */
  leafAt(leafIndex: number): Uint8Array | null;
};

export function createStoredTransactions(chain: ChainDb): StoredTransactions {
  let part: { name: string; bytes: Uint8Array } = { name: '', bytes: new Uint8Array(0) };
  let tile: { index: number; hashes: Uint8Array } = { index: -1, hashes: new Uint8Array(0) };

  return {
    bytesOf(place) {
      const { height, batch, offset, length } = place;
      const index = Math.floor(offset / batchPartBytes);
      const start = offset % batchPartBytes;
      if (start + length > batchPartBytes) return chain.transactionBytes(place);
      const name = `${height}/${batch}/${index}`;
      if (name !== part.name) {
        const bytes = chain.batchPart(height, batch, index);
        if (bytes === null) return null;
        part = { name, bytes };
      }
      return start + length <= part.bytes.length ? part.bytes.slice(start, start + length) : null;
    },
    leafAt(leafIndex) {
      const index = Math.floor(leafIndex / hashesPerTile);
      const start = (leafIndex % hashesPerTile) * hashBytes;
      if (index !== tile.index || start >= tile.hashes.length) {
        tile = { index, hashes: chain.tiles.get(0, index) ?? new Uint8Array(0) };
      }
      return start < tile.hashes.length ? tile.hashes.subarray(start, start + hashBytes) : null;
    },
  };
}
