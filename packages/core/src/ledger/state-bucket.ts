/**
 * Buckets of the state tree as bytes: exactly what is hashed for one, `0x00 || key hash 1 || value hash 1 || ...`, entries
 * ascending by key hash.
 */
import { compareBytes } from '../bytes/hex.ts';
import type { Hash } from '../model/brands.ts';
import { bucketTag, entryBytes, hashBytes } from './state-proof.ts';

/** Memory for recently changed buckets, each counted with what holding it costs. */
const recentBytesMax = 2 << 20;
const recentOverheadBytes = 192;

export type StateEntry = { readonly keyHash: Uint8Array; readonly valueHash: Uint8Array };

/** A write of a block: `valueHash` null deletes. */
export type Change = { readonly keyHash: Hash; readonly valueHash: Hash | null };

/** Applies changes, ascending by key hash, to the entries of a bucket. */
export function mergeEntries(bucket: Uint8Array, changes: readonly Change[]): Uint8Array {
  const merged = new Uint8Array(bucket.length + changes.length * entryBytes);
  merged[0] = bucketTag;
  let to = 1;
  let from = 1;
  const copyEntry = (): void => {
    merged.set(bucket.subarray(from, from + entryBytes), to);
    from += entryBytes;
    to += entryBytes;
  };
  for (const { keyHash, valueHash } of changes) {
    while (from < bucket.length && compareBytes(bucket.subarray(from, from + hashBytes), keyHash) < 0) copyEntry();
    if (from < bucket.length && compareBytes(bucket.subarray(from, from + hashBytes), keyHash) === 0)
      from += entryBytes;
    if (valueHash === null) continue;
    merged.set(keyHash, to);
    merged.set(valueHash, to + hashBytes);
    to += entryBytes;
  }
  while (from < bucket.length) copyEntry();
  return merged.slice(0, to);
}

export function joinEntries(entries: readonly StateEntry[]): Uint8Array {
  const bucket = new Uint8Array(1 + entries.length * entryBytes);
  bucket[0] = bucketTag;
  entries.forEach((entry, i) => {
    bucket.set(entry.keyHash, 1 + i * entryBytes);
    bucket.set(entry.valueHash, 1 + i * entryBytes + hashBytes);
  });
  return bucket;
}

export function countIn(bucket: Uint8Array): number {
  return (bucket.length - 1) / entryBytes;
}

export function withTag(tag: number, bytes: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(1 + bytes.length);
  tagged[0] = tag;
  tagged.set(bytes, 1);
  return tagged;
}

/** Recently built buckets by path, up to a number of bytes; the oldest go first. */
export function createRecentBuckets() {
  const buckets = new Map<string, Uint8Array>();
  let sizeBytes = 0;
  const drop = (path: string): void => {
    const known = buckets.get(path);
    if (known === undefined) return;
    sizeBytes -= known.length + recentOverheadBytes;
    buckets.delete(path);
  };
  return {
    drop,
    get: (path: string): Uint8Array | undefined => buckets.get(path),
    put(path: string, bucket: Uint8Array): void {
      drop(path);
      buckets.set(path, bucket);
      sizeBytes += bucket.length + recentOverheadBytes;
      while (sizeBytes > recentBytesMax) drop(buckets.keys().next().value!);
    },
  };
}
