/**
 * Parts of the state tree that come from others (protocol.md section 7), held against the hash that the part above has for
 * them: so a state is fetched, or mended, from the root down, and nothing of it has to be believed.
 */
import { compareBytes, equalBytes } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Hash } from '../model/brands.ts';
import type { StatePart, StateRow } from '../model/sync-message.ts';
import { joinEntries, type StateEntry, withTag } from './state-bucket.ts';
import { bucketDepth, bucketEntriesMax, bucketTag, childCount, hashBytes, nibbleAt, nodeTag } from './state-proof.ts';

/** Nibbles of a path to a bucket that is not split. */
export const stateBucketDepth = bucketDepth;

/** Whether a part is what hashes to `expected`: by itself, whoever it comes from. */
export function isStatePart(part: StatePart, expected: Hash): boolean {
  return equalBytes(part.type === 'node' ? nodeHashOf(part.children) : bucketHashOf(part.entries), expected);
}

/** What hashes under a path of so many nibbles, be it a bucket or split: of all rows that lie there, in any order. */
export function partHashOf(rows: readonly StateRow[], depth: number): Hash {
  return partHashOfEntries(rowsToEntries(rows), depth);
}

function partHashOfEntries(entries: readonly StateEntry[], depth: number): Hash {
  if (depth >= bucketDepth && entries.length <= bucketEntriesMax) return sha256(joinEntries(entries));
  const children = Map.groupBy(entries, ({ keyHash }) => nibbleAt(keyHash, depth));
  return nodeHashOf(
    Array.from({ length: childCount }, (_, nibble) => partHashOfEntries(children.get(nibble) ?? [], depth + 1)),
  );
}

function rowsToEntries(rows: readonly StateRow[]): StateEntry[] {
  return rows
    .map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value) }))
    .sort((a, b) => compareBytes(a.keyHash, b.keyHash));
}

/** Of rows in any order. */
export function bucketHashOf(rows: readonly StateRow[]): Hash {
  return sha256(joinEntries(rowsToEntries(rows)));
}

/** Of a node's 16 children, in order. */
export function nodeHashOf(children: readonly Hash[]): Hash {
  const node = new Uint8Array(childCount * hashBytes);
  children.forEach((child, i) => {
    node.set(child, i * hashBytes);
  });
  return sha256(withTag(nodeTag, node));
}

let emptyHashes: readonly Hash[] | null = null;

/** Whether nothing lies under a path of so many nibbles, by its hash. */
export function isEmptyStatePart(depth: number, hash: Hash): boolean {
  emptyHashes ??= makeEmptyHashes();
  return equalBytes(hash, emptyHashes[Math.min(depth, bucketDepth)]!);
}

function makeEmptyHashes(): Hash[] {
  let hash = sha256(Uint8Array.of(bucketTag));
  const hashes = [hash];
  for (let depth = bucketDepth - 1; depth >= 0; depth--) {
    hash = nodeHashOf(new Array<Hash>(childCount).fill(hash));
    hashes.unshift(hash);
  }
  return hashes;
}
