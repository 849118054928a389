/**
 * The hashes of the 65,536 buckets of the state, shared by the threads of a node: written by the ledger thread, which has
 * them from its state tree and so from what was executed, and held against the rows of chain.db by whoever reads there.
 *
 * They are those of the last block that is committed. While the next one is being written a reader may see its rows before
 * its hashes: then the stamp tells that it must look again. What fits a hash is true in any case, so only a reader that found a
 * difference ever waits.
 */
import { assert, bucketHashOf, type Hash } from '@cairn-ledger/core';
import { StorageError } from './storage-error.ts';

const bucketsCount = 65_536;
const hashBytes = 32;
const stampBytes = 4;
/** Far more than writing a block takes. */
const waitMsMax = 5_000;

/** Of a state without entries. */
export function createStateHashes(): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(bucketsCount * hashBytes + stampBytes);
  const hashes = new Uint8Array(shared);
  const empty = bucketHashOf([]);
  for (let bucket = 0; bucket < bucketsCount; bucket++) hashes.set(empty, bucket * hashBytes);
  return shared;
}

export type StateHashesWriter = {
  /** Of a block under way, kept until `publish`. */
  set(bucket: number, hash: Hash): void;
  /** Runs the commit of a block, and gives the hashes out once it is done. */
  publish(commit: () => void): void;
};

export function writeStateHashes(shared: SharedArrayBuffer): StateHashesWriter {
  const hashes = new Uint8Array(shared, 0, bucketsCount * hashBytes);
  const stamp = new Int32Array(shared, bucketsCount * hashBytes, 1);
  let changed = new Map<number, Hash>();
  assert(Atomics.load(stamp, 0) % 2 === 0, 'one thread writes the hashes of a state');
  return {
    set: (bucket, hash) => void changed.set(bucket, hash),
    publish(commit) {
      Atomics.add(stamp, 0, 1);
      commit();
      for (const [bucket, hash] of changed) hashes.set(hash, bucket * hashBytes);
      changed = new Map();
      Atomics.add(stamp, 0, 1);
      Atomics.notify(stamp, 0);
    },
  };
}

export type StateHashesReader = {
  /** While it stays the same, so do the rows and their hashes. Waits while a block is being written. */
  stamp(): number;
  hashOf(bucket: number): Uint8Array;
};

export function readStateHashes(shared: SharedArrayBuffer): StateHashesReader {
  const hashes = new Uint8Array(shared, 0, bucketsCount * hashBytes);
  const stamp = new Int32Array(shared, bucketsCount * hashBytes, 1);
  return {
    stamp() {
      for (let now = Atomics.load(stamp, 0); ; now = Atomics.load(stamp, 0)) {
        if (now % 2 === 0) return now;
        if (Atomics.wait(stamp, 0, now, waitMsMax) === 'timed-out')
          throw new StorageError('storage.failed', 'a block has been on its way to the disk for long: ask again later');
      }
    },
    hashOf: (bucket) => hashes.slice(bucket * hashBytes, (bucket + 1) * hashBytes),
  };
}
