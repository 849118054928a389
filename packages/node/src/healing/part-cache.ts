/**
 * Parts of the state that were fetched and verified, by their hash, in a file of its own beside the database that they are for.
 * So a sync that is interrupted, or that goes on with a newer snapshot, fetches only what has changed; and a state of any
 * size takes up no memory. What is read back is hashed again, so the file needs no syncs, and damage to it only costs time.
 */
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import {
  bytesOf,
  type Cbor,
  decodeShape,
  encodeCbor,
  type Hash,
  isStatePart,
  listOf,
  requireShape,
  type StatePart,
  stateBucketEntriesMax,
  toHash,
  tupleOf,
} from '@cairn-ledger/core';

export type PartCache = {
  /** Null where it is not held, or not any more what it was. `path` is only carried over. */
  get(hash: Hash, path: string): StatePart | null;
  put(hash: Hash, part: StatePart): void;
  close(): void;
  /** Closes it and deletes the file. */
  remove(): void;
};

const schemaVersion = 1;
/** Parts written in one transaction. */
const writesAtOnce = 2_048;

/** @param path of the file; one that cannot be used is made anew */
export function openPartCache(path: string): PartCache {
  const sqlite = openOrMake(path);
  const select = sqlite.prepare('SELECT part FROM parts WHERE hash = ?');
  const insert = sqlite.prepare('INSERT OR REPLACE INTO parts (hash, part) VALUES (?, ?)');
  let waiting = 0;

  function commit(): void {
    if (sqlite.isTransaction) sqlite.exec('COMMIT');
    waiting = 0;
  }

  function close(): void {
    commit();
    sqlite.close();
  }

  return {
    get(hash, at) {
      const row = select.get(hash) as { part: Uint8Array } | undefined;
      const part = row === undefined ? null : decodeStoredPart(row.part, at);
      return part !== null && isStatePart(part, hash) ? part : null;
    },
    put(hash, part) {
      if (!sqlite.isTransaction) sqlite.exec('BEGIN');
      insert.run(hash, encodeStoredPart(part));
      waiting++;
      if (waiting >= writesAtOnce) commit();
    },
    close,
    remove() {
      close();
      removeFile(path);
    },
  };
}

function openOrMake(path: string): DatabaseSync {
  try {
    return openFile(path);
  } catch {
    removeFile(path);
    return openFile(path);
  }
}

function openFile(path: string): DatabaseSync {
  const sqlite = new DatabaseSync(path);
  try {
    sqlite.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;');
    const { user_version: version } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version !== schemaVersion)
      sqlite.exec(
        `BEGIN; DROP TABLE IF EXISTS parts; CREATE TABLE parts (hash BLOB PRIMARY KEY, part BLOB NOT NULL) WITHOUT ROWID;
         PRAGMA user_version=${schemaVersion}; COMMIT;`,
      );
    return sqlite;
  } catch (cause) {
    sqlite.close();
    throw cause;
  }
}

function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

function encodeStoredPart(part: StatePart): Uint8Array {
  if (part.type === 'node') return encodeCbor([0, [...part.children]]);
  return encodeCbor([1, part.entries.map(({ key, value }): Cbor => [key, value])]);
}

function decodeStoredPart(stored: Uint8Array, path: string): StatePart | null {
  const decoded = decodeShape('storage.damaged', stored, (value): StatePart => {
    const [kind, content] = tupleOf(value, 2, 'part');
    if (kind === 0) {
      return {
        type: 'node',
        path,
        children: listOf(content!, 16, 'children', (item) => toHash(bytesOf(item, 'hash'))),
      };
    }
    requireShape(kind === 1, 'a part is a node or a bucket');
    const entries = listOf(content!, stateBucketEntriesMax, 'entries', (item) => {
      const [key, entry] = tupleOf(item, 2, 'entry');
      return { key: bytesOf(key!, 'key'), value: bytesOf(entry!, 'value') };
    });
    return { type: 'bucket', path, entries };
  });
  return decoded.ok ? decoded.value : null;
}
