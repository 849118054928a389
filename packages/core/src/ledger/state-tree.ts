/**
 * State tree (protocol.md section 4): what the state root is computed over.
 *
 * An entry is (SHA-256 of the key, SHA-256 of the value). Entries fall into 65,536 buckets by the first 16 bits of the key
 * hash. Buckets hang in a tree of 16 children per node, four nodes deep; a bucket of more than 256 entries is itself such
 * a node, whose children are buckets by the next four bits, and so on. The tree is a function of its entries alone.
 *
 *     bucket hash = SHA-256(0x00 || key hash 1 || value hash 1 || ...)     entries ascending by key hash
 *     node hash   = SHA-256(0x01 || child hash 0 || ... || child hash 15)
 *
 * 16 children instead of 2 make a proof 2 KiB instead of 0.5, and a block of 1,000 changes a fifth of the hashing.
 *
 * In memory: the hashes of nodes and buckets (2.2 MiB), entry counts (0.25 MiB), the parts of split buckets, and recently
 * or read buckets up to 2 MiB. Everything else is read from the entry source, usually a table ordered by key hash. Whenever
 * the tree is asked for something, the source must hold exactly what the updates before left; what is read of it is held
 * against the hash in memory, so that an entry that was changed behind the tree's back never reaches a root.
 */
import { compareBytes, equalBytes } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import { type Hash, toHash } from '../model/brands.ts';
import { AssertionFailed, assert } from '../result.ts';
import {
  type Change,
  countIn,
  createRecentBuckets,
  joinEntries,
  mergeEntries,
  type StateEntry,
  withTag,
} from './state-bucket.ts';
import {
  bucketDepth,
  bucketEntriesMax,
  bucketTag,
  childCount,
  entryBytes,
  hashBytes,
  nibbleAt,
  nodeTag,
  type StateProof,
  valueHashIn,
} from './state-proof.ts';
import type { Write } from './store.ts';

const bucketCount = 65_536;

export interface EntrySource {
  /** All entries with first <= key hash <= last, ascending. */
  entriesBetween(first: Hash, last: Hash): Iterable<StateEntry>;
}

export interface StateTree {
  root(): Hash;
  entryCount(): number;
  /** Applies the writes of a block, at most one per key, and returns the new root. */
  update(writes: readonly Write[]): Hash;
  prove(keyHash: Hash): StateProof;
  /** The hash of the value stored under a key; null where nothing is. */
  valueHashOf(keyHash: Hash): Uint8Array | null;
  /** Hashes of the 16 children of the node at a path of nibbles; null where that is a bucket. For finding a difference. */
  childrenOf(path: readonly number[]): Hash[] | null;
  /** A copy of all hashes that later updates do not touch: 2.5 MiB, about 2 ms. */
  freeze(): FrozenStateTree;
}

/** The hashes of a state that was. */
export interface FrozenStateTree {
  root(): Hash;
  /** As that of the tree; null also below a bucket, where there is nothing. */
  childrenOf(path: readonly number[]): Hash[] | null;
}

export type StateTreeOptions = {
  /** The source holds something else under a path (nibbles as hexadecimal text) than the updates left: throws. */
  readonly onDamaged?: (path: string) => never;
  /** One of the 65,536 got a new hash: at the opening, and by each update. */
  readonly onBucket?: (bucket: number, hash: Hash) => void;
};

/** A bucket or node below one of the 65,536: its number of entries and its hash. */
type Part = { readonly count: number; readonly hash: Hash };

/** Opens the tree over all entries of the source: about 0.4 s for 100,000. */
export function createStateTree(source: EntrySource, options: StateTreeOptions = {}): StateTree {
  const { onDamaged = refuseDamage, onBucket } = options;
  /** rows[d] holds the hashes of all nodes d nibbles below the root, one after the other; the last row is the buckets. */
  const rows = emptyRows();
  const counts = new Uint32Array(bucketCount);
  /** The parts of split buckets, by path (a text of hexadecimal nibbles). */
  const parts = new Map<string, Part>();
  const recent = createRecentBuckets();
  let entryCount = 0;
  load();

  return {
    root: () => toHash(rows[0]!.slice()),
    entryCount: () => entryCount,
    update(writes) {
      const changes = writes.map(writeToChange).sort((a, b) => compareBytes(a.keyHash, b.keyHash));
      const touched: number[] = [];
      for (let start = 0; start < changes.length; ) {
        const bucket = bucketOf(changes[start]!.keyHash);
        let end = start + 1;
        while (end < changes.length && bucketOf(changes[end]!.keyHash) === bucket) end++;
        putBucket(bucket, updatePart(pathOfBucket(bucket), changes.slice(start, end)));
        touched.push(bucket);
        start = end;
      }
      rehash(touched);
      return toHash(rows[0]!.slice());
    },
    prove(keyHash) {
      let path = pathOfBucket(bucketOf(keyHash));
      const nodes: Uint8Array[] = [];
      for (let depth = 0; depth < bucketDepth; depth++) nodes.push(upperNode(depth, quotientOfBucket(keyHash, depth)));
      while (partAt(path).count > bucketEntriesMax) {
        nodes.push(splitNode(path));
        path += nibbleText(nibbleAt(keyHash, path.length));
      }
      return { bucket: entriesOf(path), nodes: nodes.reverse() };
    },
    valueHashOf(keyHash) {
      let path = pathOfBucket(bucketOf(keyHash));
      while (partAt(path).count > bucketEntriesMax) path += nibbleText(nibbleAt(keyHash, path.length));
      return valueHashIn(entriesOf(path), keyHash);
    },
    childrenOf(path) {
      if (path.length < bucketDepth) return upperChildren(rows, path);
      const text = path.map(nibbleText).join('');
      return partAt(text).count > bucketEntriesMax ? childHashes(splitNode(text)) : null;
    },
    freeze() {
      const frozenRows = rows.map((row) => row.slice());
      /** Of split buckets only, and of what is split below them. */
      const splits = new Map<string, Hash[]>();
      const addSplit = (path: string): void => {
        splits.set(path, childHashes(splitNode(path)));
        for (let nibble = 0; nibble < childCount; nibble++) {
          const child = path + nibbleText(nibble);
          if (parts.get(child)!.count > bucketEntriesMax) addSplit(child);
        }
      };
      counts.forEach((count, bucket) => {
        if (count > bucketEntriesMax) addSplit(pathOfBucket(bucket));
      });
      return {
        root: () => toHash(frozenRows[0]!.slice()),
        childrenOf: (path) =>
          path.length < bucketDepth
            ? upperChildren(frozenRows, path)
            : (splits.get(path.map(nibbleText).join(''))?.slice() ?? null),
      };
    },
  };

  function load(): void {
    let bucket = -1;
    let entries: StateEntry[] = [];
    const finish = (): void => {
      if (bucket >= 0) putBucket(bucket, buildPart(pathOfBucket(bucket), joinEntries(entries)));
    };
    const touched = new Set<number>();
    for (const entry of source.entriesBetween(firstUnder(''), lastUnder(''))) {
      const own = bucketOf(entry.keyHash);
      assert(own >= bucket, 'the entry source is ordered by key hash');
      if (own !== bucket) {
        finish();
        bucket = own;
        entries = [];
        touched.add(own);
      }
      entries.push(entry);
    }
    finish();
    rehash([...touched]);
  }

  function putBucket(bucket: number, part: Part): void {
    entryCount += part.count - counts[bucket]!;
    counts[bucket] = part.count;
    rows[bucketDepth]!.set(part.hash, bucket * hashBytes);
    onBucket?.(bucket, part.hash);
  }

  /** Rehashes the nodes above the given buckets, level by level. */
  function rehash(buckets: readonly number[]): void {
    let below = buckets;
    for (let depth = bucketDepth - 1; depth >= 0; depth--) {
      const parents = new Set<number>();
      for (const index of below) parents.add(index >> 4);
      for (const index of parents) rows[depth]!.set(sha256(upperNode(depth, index)), index * hashBytes);
      below = [...parents];
    }
  }

  /** Applies changes, all under `path`, to the bucket or split bucket there. */
  function updatePart(path: string, changes: readonly Change[]): Part {
    if (partAt(path).count <= bucketEntriesMax) return buildPart(path, mergeEntries(entriesOf(path), changes));
    let count = partAt(path).count;
    for (let nibble = 0; nibble < childCount; nibble++) {
      const own = changes.filter((change) => nibbleAt(change.keyHash, path.length) === nibble);
      if (own.length === 0) continue;
      const child = path + nibbleText(nibble);
      count -= partAt(child).count;
      const part = updatePart(child, own);
      parts.set(child, part);
      count += part.count;
    }
    const split = { count, hash: sha256(splitNode(path)) };
    if (count > bucketEntriesMax) return split;
    const joined = mergeEntries(readEntries(path), changes);
    if (!equalBytes(splitHashOf(path, joined), split.hash)) onDamaged(path);
    dropPartsUnder(path);
    return buildPart(path, joined);
  }

  /** Makes a bucket of the entries, or splits them when they are too many. */
  function buildPart(path: string, bucket: Uint8Array): Part {
    const count = countIn(bucket);
    if (count <= bucketEntriesMax) {
      recent.put(path, bucket);
      return { count, hash: sha256(bucket) };
    }
    recent.drop(path);
    for (const [nibble, own] of divide(bucket, path.length).entries()) {
      const child = path + nibbleText(nibble);
      parts.set(child, buildPart(child, own));
    }
    return { count, hash: sha256(splitNode(path)) };
  }

  function dropPartsUnder(path: string): void {
    for (let nibble = 0; nibble < childCount; nibble++) {
      const child = path + nibbleText(nibble);
      if (parts.get(child)!.count > bucketEntriesMax) dropPartsUnder(child);
      parts.delete(child);
      recent.drop(child);
    }
  }

  function partAt(path: string): Part {
    if (path.length > bucketDepth) {
      const part = parts.get(path);
      assert(part !== undefined, 'every part of a split bucket is known');
      return part;
    }
    const bucket = Number.parseInt(path, childCount);
    return {
      count: counts[bucket]!,
      hash: toHash(rows[bucketDepth]!.subarray(bucket * hashBytes, (bucket + 1) * hashBytes)),
    };
  }

  /** What is hashed for a node of the upper rows. */
  function upperNode(depth: number, index: number): Uint8Array {
    return upperNodeOf(rows, depth, index);
  }

  /** What is hashed for a split bucket. */
  function splitNode(path: string): Uint8Array {
    const node = new Uint8Array(1 + childCount * hashBytes);
    node[0] = nodeTag;
    for (let nibble = 0; nibble < childCount; nibble++) {
      node.set(partAt(path + nibbleText(nibble)).hash, 1 + nibble * hashBytes);
    }
    return node;
  }

  /** What is hashed for a bucket that is not split. */
  function entriesOf(path: string): Uint8Array {
    if (partAt(path).count === 0) return Uint8Array.of(bucketTag);
    const known = recent.get(path);
    if (known !== undefined) return known;
    const bucket = readEntries(path);
    if (!equalBytes(sha256(bucket), partAt(path).hash)) onDamaged(path);
    recent.put(path, bucket);
    return bucket;
  }

  function readEntries(path: string): Uint8Array {
    return joinEntries([...source.entriesBetween(firstUnder(path), lastUnder(path))]);
  }
}

function refuseDamage(path: string): never {
  throw new AssertionFailed(`the entry source holds what the updates before left (under ${path})`);
}

/** The entries of a bucket as those of 16 below it. */
function divide(bucket: Uint8Array, depth: number): Uint8Array[] {
  const divided: Uint8Array[] = [];
  let start = 1;
  for (let nibble = 0; nibble < childCount; nibble++) {
    let end = start;
    while (end < bucket.length && nibbleAt(bucket.subarray(end, end + hashBytes), depth) === nibble) end += entryBytes;
    divided.push(withTag(bucketTag, bucket.subarray(start, end)));
    start = end;
  }
  return divided;
}

/** The hash that so few entries have as a split bucket. */
function splitHashOf(path: string, bucket: Uint8Array): Hash {
  const node = new Uint8Array(1 + childCount * hashBytes);
  node[0] = nodeTag;
  for (const [nibble, own] of divide(bucket, path.length).entries()) node.set(sha256(own), 1 + nibble * hashBytes);
  return sha256(node);
}

function upperNodeOf(rows: readonly Uint8Array[], depth: number, index: number): Uint8Array {
  const at = index * childCount * hashBytes;
  return withTag(nodeTag, rows[depth + 1]!.subarray(at, at + childCount * hashBytes));
}

function upperChildren(rows: readonly Uint8Array[], path: readonly number[]): Hash[] {
  const index = path.reduce((above, nibble) => above * childCount + nibble, 0);
  return childHashes(upperNodeOf(rows, path.length, index));
}

function emptyRows(): Uint8Array[] {
  const rows: Uint8Array[] = [];
  let hash = sha256(Uint8Array.of(bucketTag));
  for (let depth = bucketDepth; depth >= 0; depth--) {
    const count = 1 << (4 * depth);
    const row = new Uint8Array(count * hashBytes);
    for (let i = 0; i < count; i++) row.set(hash, i * hashBytes);
    rows[depth] = row;
    hash = sha256(withTag(nodeTag, row.subarray(0, childCount * hashBytes)));
  }
  return rows;
}

function writeToChange(write: Write): Change {
  return { keyHash: sha256(write.key), valueHash: write.value === null ? null : sha256(write.value) };
}

function bucketOf(keyHash: Uint8Array): number {
  return keyHash[0]! * 256 + keyHash[1]!;
}

/** Index, among the nodes `depth` nibbles below the root, of the one above a key's bucket. */
function quotientOfBucket(keyHash: Uint8Array, depth: number): number {
  return bucketOf(keyHash) >> (4 * (bucketDepth - depth));
}

function pathOfBucket(bucket: number): string {
  return bucket.toString(childCount).padStart(bucketDepth, '0');
}

function nibbleText(nibble: number): string {
  return nibble.toString(childCount);
}

/** The smallest, and the largest, key hash under a path of nibbles. */
function firstUnder(path: string): Hash {
  return hashUnder(path, '0');
}

function lastUnder(path: string): Hash {
  return hashUnder(path, 'f');
}

function hashUnder(path: string, fill: string): Hash {
  const text = path.padEnd(2 * hashBytes, fill);
  const hash = new Uint8Array(hashBytes);
  for (let i = 0; i < hashBytes; i++) hash[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return toHash(hash);
}

function childHashes(node: Uint8Array): Hash[] {
  return Array.from({ length: childCount }, (_, i) => toHash(node.slice(1 + i * hashBytes, 1 + (i + 1) * hashBytes)));
}
