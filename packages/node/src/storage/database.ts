/**
 * One connection to an SQLite file. Many may read, in any thread; one writes. Reads throw a StorageError; writes return
 * it, and the first failed write is the last one: every later write returns the same failure.
 *
 * The log is folded into the file here and not by SQLite's own automatism, which says nothing when that fails: a sync that
 * failed would be tried again later, and would succeed although the system has dropped the pages.
 */
import { DatabaseSync } from 'node:sqlite';
import { assert, fail, ok, type Result } from '@cairn-ledger/core';
import { isHeaderDamaged } from './file-header.ts';
import { isNumberDamaged, StorageError, storageErrorOf } from './storage-error.ts';

/** How long a connection waits for another one's short lock, as while the log is being reset. */
const busyTimeoutMs = 5000;
/** Pages of 4 KiB: memory of a writing connection is at most 4 MiB, of a reading one 1 MiB; the log about 16 MiB before it is folded in. */
const pageBytes = 4096;
const cacheKiB = { writer: 4096, reader: 1024 };
const logPages = 4000;
const logBytesMax = 64 << 20;

export type DatabaseOptions = {
  readonly readOnly: boolean;
  /** FULL: a commit is durable when it returns. NORMAL: the last commits may be gone after a power failure, never torn. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** Written to a new file, and compared with what an old one says. */
  readonly schema: string;
  readonly schemaVersion: number;
  /** Beyond this the disk counts as full. */
  readonly sizeBytesMax?: number | undefined;
};

export type Database = {
  readonly path: string;
  readonly sqlite: DatabaseSync;
  /** Runs SQL in one transaction. After any failure nothing is written any more. */
  write<T>(doing: string, action: () => T): Result<T, StorageError>;
  /** Like `write`, but durable only with the next `write`: for what can be had again. */
  writeSoon<T>(doing: string, action: () => T): Result<T, StorageError>;
  /** Runs reads; what they throw becomes a StorageError. */
  read<T>(doing: string, action: () => T): T;
  /** Runs reads that all see the same commit. */
  consistently<T>(action: () => T): T;
  /** Of the file, in bytes, without its log. */
  sizeBytes(): number;
  /**
   * Whether anybody has written to the file over another connection since this one was opened. Where this is the one connection
   * that writes, somebody has who should not.
   */
  isWrittenElsewhere(): boolean;
  /** Set once a write has failed. */
  failure(): StorageError | null;
  close(): void;
};

/** @param create makes what the caller wants of the connection; it may throw, as where a table is not there */
export function openDatabase<T>(
  path: string,
  options: DatabaseOptions,
  create: (database: Database) => T,
): Result<T, StorageError> {
  let sqlite: DatabaseSync | null = null;
  try {
    if (isHeaderDamaged(path))
      return fail(new StorageError('storage.damaged', `the header of ${path} is not that of a database of a node`));
    sqlite = new DatabaseSync(path, { readOnly: options.readOnly, timeout: busyTimeoutMs });
    sqlite.exec(
      `PRAGMA cache_size=-${options.readOnly ? cacheKiB.reader : cacheKiB.writer}; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;`,
    );
    if (!options.readOnly) prepareFile(sqlite, options);
    const { user_version: found } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
    if (found !== options.schemaVersion) {
      const isOurs = hasTables(sqlite, options.schema);
      sqlite.close();
      if (isOurs) return fail(numberDamaged(path, found, options.schemaVersion));
      const message = `${path} has format ${found}, this release reads ${options.schemaVersion}: use the release that wrote it`;
      return fail(new StorageError('storage.foreign', message));
    }
    if (!hasTables(sqlite, options.schema)) {
      sqlite.close();
      return fail(otherTables(path, 'their text differs'));
    }
    return ok(create(createDatabase(path, sqlite, options.synchronous)));
  } catch (cause) {
    sqlite?.close();
    return fail(openingErrorOf(path, cause));
  }
}

/** Every format has a text of its own: where that is ours and its number is not, it is the number that has changed. */
function numberDamaged(path: string, found: number, expected: number): StorageError {
  return new StorageError('storage.damaged', `${path} has the tables of format ${expected} and says ${found}`);
}

/** Whether a file has exactly these tables. Throws what SQLite throws. */
export function hasTables(sqlite: DatabaseSync, schema: string): boolean {
  const textOf = (database: DatabaseSync): string =>
    JSON.stringify(database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all());
  const expected = new DatabaseSync(':memory:');
  try {
    expected.exec(schema);
    return textOf(expected) === textOf(sqlite);
  } finally {
    expected.close();
  }
}

/** A statement that cannot be prepared means that the tables are not those that were made. */
function openingErrorOf(path: string, cause: unknown): StorageError {
  const sqliteError = 1;
  const isOfTables = isSqliteError(cause) && (cause as { errcode?: number }).errcode === sqliteError;
  if (!isOfTables) return storageErrorOf(`opening ${path}`, cause);
  return otherTables(path, (cause as Error).message, cause);
}

function otherTables(path: string, why: string, cause?: unknown): StorageError {
  const message = `${path} does not have the tables it should have (${why}): repair it from peers`;
  return new StorageError('storage.damaged', message, cause);
}

function prepareFile(sqlite: DatabaseSync, options: DatabaseOptions): void {
  const { synchronous, schema, schemaVersion, sizeBytesMax } = options;
  sqlite.exec(`
    PRAGMA page_size=${pageBytes};
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=${synchronous};
    PRAGMA wal_autocheckpoint=0;
    PRAGMA journal_size_limit=${logBytesMax};
  `);
  const { user_version: found } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
  if (sizeBytesMax !== undefined) sqlite.exec(`PRAGMA max_page_count=${Math.floor(sizeBytesMax / pageBytes)}`);
  if (found === 0) sqlite.exec(`BEGIN IMMEDIATE; ${schema}; PRAGMA user_version=${schemaVersion}; COMMIT;`);
}

function createDatabase(path: string, sqlite: DatabaseSync, synchronous: 'FULL' | 'NORMAL'): Database {
  let failure: StorageError | null = null;
  const pageCount = sqlite.prepare('PRAGMA page_count');
  // It changes with what other connections commit, never with what this one does.
  const dataVersion = sqlite.prepare('PRAGMA data_version');
  const versionOf = (): unknown => (dataVersion.get() as { data_version: unknown }).data_version;
  const versionAtFirst = versionOf();
  const begin = sqlite.prepare('BEGIN IMMEDIATE');
  const beginRead = sqlite.prepare('BEGIN');
  const commit = sqlite.prepare('COMMIT');
  // Looks only. An SQLite that does not know it folds in instead, which costs time and nothing else.
  const logSize = sqlite.prepare('PRAGMA wal_checkpoint(NOOP)');
  const foldIn = sqlite.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  const read = <T>(doing: string, action: () => T): T => {
    try {
      return action();
    } catch (cause) {
      throw isSqliteError(cause) || isNumberDamaged(cause) ? storageErrorOf(doing, cause) : cause;
    }
  };
  const write = <T>(doing: string, action: () => T): Result<T, StorageError> => {
    if (failure !== null) return fail(failure);
    try {
      begin.run();
      const value = action();
      commit.run();
      if ((logSize.get() as { log: number }).log >= logPages) foldIn.get();
      return ok(value);
    } catch (cause) {
      rollBack(sqlite);
      if (!isSqliteError(cause) && !(cause instanceof StorageError)) throw cause;
      failure = storageErrorOf(doing, cause);
      return fail(failure);
    }
  };
  return {
    path,
    sqlite,
    read,
    write,
    failure: () => failure,
    isWrittenElsewhere: () => read(`looking at ${path}`, () => versionOf() !== versionAtFirst),
    sizeBytes: () => (pageCount.get() as { page_count: number }).page_count * pageBytes,
    writeSoon(doing, action) {
      if (failure !== null) return fail(failure);
      sqlite.exec('PRAGMA synchronous=NORMAL');
      const result = write(doing, action);
      sqlite.exec(`PRAGMA synchronous=${synchronous}`);
      return result;
    },
    consistently(action) {
      if (sqlite.isTransaction) return action();
      return read(`reading ${path}`, () => {
        beginRead.run();
        try {
          return action();
        } finally {
          commit.run();
        }
      });
    },
    close() {
      assert(!sqlite.isTransaction, 'a database is closed between transactions');
      sqlite.close();
    },
  };
}

function isSqliteError(cause: unknown): boolean {
  return (cause as { code?: string } | null)?.code === 'ERR_SQLITE_ERROR';
}

function rollBack(sqlite: DatabaseSync): void {
  try {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
  } catch {
    // SQLite rolls back by itself when the file is opened again.
  }
}
