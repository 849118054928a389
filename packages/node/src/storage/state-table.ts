/** The state table of chain.db: read by key and prefix for the ledger, by bucket for the state tree; written per block. */
import {
  compareBytes,
  type EntrySource,
  type ListingStore,
  type StateEntry,
  sha256,
  type Write,
} from '@cairn-ledger/core';
import type { ChainStatements } from './chain-schema.ts';
import type { Database } from './database.ts';
import { bytesRead } from './storage-error.ts';

type Row = { readonly key: Uint8Array; readonly value: Uint8Array };

/** Rows fetched at once, so that no read holds a snapshot (and the log) longer than it takes. */
const listRows = 1000;
const bucketsAtOnce = 256;

export function createStateStore(database: Database, statements: ChainStatements): ListingStore {
  return {
    get(key) {
      const row = database.read('reading the state', () => statements.get.get(key));
      return row === undefined ? null : bytesRead((row as { value: unknown }).value, 'state', 'a record of the state');
    },
    *list(prefix) {
      const end = endOfPrefix(prefix);
      let rows = pageOf(statements.listFrom, prefix);
      while (rows.length > 0) {
        yield* rows;
        if (rows.length < listRows) return;
        rows = pageOf(statements.listAfter, rows.at(-1)!.key);
      }
      function pageOf(statement: ChainStatements['listFrom'], from: Uint8Array): Row[] {
        return database.read('listing the state', () => requireRows(statement.all(from, end, listRows)));
      }
    },
  };
}

export function createEntrySource(database: Database, statements: ChainStatements): EntrySource {
  return {
    *entriesBetween(first, last) {
      const isWithin = ({ keyHash }: StateEntry): boolean =>
        compareBytes(keyHash, first) >= 0 && compareBytes(keyHash, last) <= 0;
      const [firstBucket, lastBucket] = [bucketOf(first), bucketOf(last)];
      if (firstBucket === lastBucket) {
        yield* rowsToEntries(readRows(() => statements.bucket.all(firstBucket))).filter(isWithin);
        return;
      }
      for (let from = firstBucket; from <= lastBucket; from += bucketsAtOnce) {
        const to = Math.min(from + bucketsAtOnce - 1, lastBucket);
        yield* rowsToEntries(readRows(() => statements.buckets.all(from, to))).filter(isWithin);
      }
    },
  };

  function readRows(all: () => unknown): Row[] {
    return requireRows(database.read('reading a state bucket', all));
  }
}

/** Keys and values are bytes; what is edited may be a text that looks like them. */
export function requireRows(rows: unknown): Row[] {
  for (const { key, value } of rows as Row[]) {
    bytesRead(key, 'state', 'a key of the state');
    bytesRead(value, 'state', 'a record of the state');
  }
  return rows as Row[];
}

/** Inside the SQL transaction of a block. Most writes change what is there; only new keys need their hash. */
export function writeState(statements: ChainStatements, writes: readonly Write[]): void {
  const { updateState, insertState, deleteState } = statements;
  for (const { key, value } of writes) {
    if (value === null) deleteState.run(key);
    else if (updateState.run(value, key).changes === 0) insertState.run(key, bucketOf(sha256(key)), value);
  }
}

function rowsToEntries(rows: readonly Row[]): StateEntry[] {
  return rows
    .map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value) }))
    .sort((a, b) => compareBytes(a.keyHash, b.keyHash));
}

export function bucketOf(keyHash: Uint8Array): number {
  return (keyHash[0]! << 8) | keyHash[1]!;
}

/** The first key behind all that begin with the prefix. Keys are ascii, so 0xff is behind all of them. */
function endOfPrefix(prefix: Uint8Array): Uint8Array {
  const end = new Uint8Array(prefix.length + 1);
  end.set(prefix);
  end[prefix.length] = 0xff;
  return end;
}
