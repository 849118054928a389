/**
 * The state of chain.db, each record held against the hash it must have: what was changed on disk is never returned, as a value
 * or as none. Lists return nothing false either; that none is left out, they cannot tell.
 */
import {
  compareBytes,
  equalBytes,
  type Hash,
  joinStateEntries,
  type ListingStore,
  partHashOf,
  type StateRow,
  sha256,
  stateBucketDepth,
  stateValueHashIn,
} from '@cairn-ledger/core';
import type { StateHashesReader } from './state-hashes.ts';
import { bucketOf } from './state-table.ts';
import { damageOf, type StorageError } from './storage-error.ts';

export type TrueHashes = {
  /** Hash of the value under a key, null where there is none. Throws where the stored rows differ from what is true. */
  valueHashOf(keyHash: Hash): Uint8Array | null;
  /** While it stays the same, no block is committed. */
  stamp(): number;
};

/** Reads throw a StorageError `storage.damaged`. */
export function createCheckedStore(store: ListingStore, hashes: TrueHashes): ListingStore {
  function isTrue(key: Uint8Array, value: Uint8Array | null): boolean {
    const expected = hashes.valueHashOf(sha256(key));
    return value === null || expected === null ? value === expected : equalBytes(sha256(value), expected);
  }

  function get(key: Uint8Array): Uint8Array | null {
    for (;;) {
      const stamp = hashes.stamp();
      const value = store.get(key);
      if (isTrue(key, value)) return value;
      if (hashes.stamp() === stamp) throw damagedState(Buffer.from(key).toString('latin1'));
    }
  }

  return {
    get,
    *list(prefix) {
      for (const row of store.list(prefix)) {
        if (isTrue(row.key, row.value)) yield row;
        else {
          // It may have changed since it was listed.
          const value = get(row.key);
          if (value !== null) yield { key: row.key, value };
        }
      }
    },
  };
}

/** In the ledger thread nothing is committed meanwhile. */
export function hashesOfTree(tree: { valueHashOf(keyHash: Hash): Uint8Array | null }): TrueHashes {
  return { valueHashOf: (keyHash) => tree.valueHashOf(keyHash), stamp: () => 0 };
}

/** Buckets whose rows are remembered as hashes; those of fewer than ten entries take some 600 bytes at most. */
const bucketsRemembered = 8_192;
/** Larger ones are read each time. */
const entriesRemembered = 16;

type KnownBucket = { readonly hash: Uint8Array; readonly entries: Uint8Array };

/** In other threads: buckets are read as a whole, and held against the hash that the ledger thread has for them. */
export function hashesOfBuckets(
  shared: StateHashesReader,
  rowsOf: (bucket: number) => readonly StateRow[],
): TrueHashes {
  const known = new Map<number, KnownBucket>();

  function bucketAt(bucket: number): Uint8Array {
    for (;;) {
      const stamp = shared.stamp();
      const hash = shared.hashOf(bucket);
      const before = known.get(bucket);
      if (before !== undefined && equalBytes(before.hash, hash)) return before.entries;
      const rows = rowsOf(bucket);
      if (equalBytes(partHashOf(rows, stateBucketDepth), hash)) return remember(bucket, hash, rows);
      if (shared.stamp() === stamp) throw damagedState(`bucket ${bucket.toString(16).padStart(stateBucketDepth, '0')}`);
    }
  }

  function remember(bucket: number, hash: Uint8Array, rows: readonly StateRow[]): Uint8Array {
    const entries = joinStateEntries(
      rows
        .map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value) }))
        .sort((a, b) => compareBytes(a.keyHash, b.keyHash)),
    );
    known.delete(bucket);
    if (rows.length > entriesRemembered) return entries;
    known.set(bucket, { hash, entries });
    if (known.size > bucketsRemembered) known.delete(known.keys().next().value!);
    return entries;
  }

  return {
    stamp: () => shared.stamp(),
    valueHashOf: (keyHash) => stateValueHashIn(bucketAt(bucketOf(keyHash)), keyHash),
  };
}

export function damagedState(where: string): StorageError {
  return damageOf('state', `the state is not what it must be (${where})`);
}
