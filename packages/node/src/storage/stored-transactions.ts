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

export function createStoredTransactions(chain: Pick<ChainDb, 'batchPart' | 'tiles'>): StoredTransactions {
  let part: { name: string; bytes: Uint8Array } = { name: '', bytes: new Uint8Array(0) };
  let tile: { index: number; hashes: Uint8Array } = { index: -1, hashes: new Uint8Array(0) };

  function partOf(height: number, batch: number, index: number): Uint8Array | null {
    const name = `${height}/${batch}/${index}`;
    if (name === part.name) return part.bytes;
    const bytes = chain.batchPart(height, batch, index);
    if (bytes !== null) part = { name, bytes };
    return bytes;
  }

  return {
    bytesOf({ height, batch, offset, length }) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = offset + done;
        const start = at % batchPartBytes;
        const count = Math.min(length - done, batchPartBytes - start);
        const stored = partOf(height, batch, Math.floor(at / batchPartBytes));
        if (stored === null || start + count > stored.length) return null;
        bytes.set(stored.subarray(start, start + count), done);
        done += count;
      }
      return bytes;
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
