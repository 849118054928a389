/** chain.db opened for reading by who audits, repairs or serves it: the tables as `ChainDb` has them, and what only these need. */
import { DatabaseSync } from 'node:sqlite';
import { nibbleAt, type Result, type StateRow, sha256, stateBucketDepth } from '@cairn-ledger/core';
import { type BatchRow, ChainDb } from '../storage/chain-db.ts';
import { chainSchema, chainSchemaVersion } from '../storage/chain-schema.ts';
import { type Database, hasTables, openDatabase } from '../storage/database.ts';
import { requireRows } from '../storage/state-table.ts';
import type { StorageError } from '../storage/storage-error.ts';
import { batchesPerBlockMax, batchIdOf } from '../storage/transaction-place.ts';

export type ChainFile = {
  readonly chain: ChainDb;
  readonly database: Database;
  /** What is stored of the batches of a height, but for their bytes. */
  batchRows(height: number): BatchRow[];
  /** Rows of the state whose key hashes begin with a path of at least 4 nibbles, hexadecimal. */
  stateRows(path: string): StateRow[];
  close(): void;
};

export function openChainFile(path: string, options: { readonly readOnly: boolean }): Result<ChainFile, StorageError> {
  const settings = { synchronous: 'FULL' as const, schema: chainSchema, schemaVersion: chainSchemaVersion };
  return openDatabase(path, { ...options, ...settings }, toChainFile);
}

export function toChainFile(database: Database): ChainFile {
  const rowsOfBucket = database.sqlite.prepare('SELECT key, value FROM state WHERE bucket = ?');
  const batchesOfBlock = database.sqlite.prepare(
    'SELECT id, digest, epoch, author, seq, size FROM batches WHERE id BETWEEN ? AND ?',
  );
  return {
    chain: new ChainDb(database),
    database,
    batchRows: (height) =>
      batchesOfBlock.all(batchIdOf(height, 0), batchIdOf(height, batchesPerBlockMax - 1)) as BatchRow[],
    stateRows(path) {
      const bucket = Number.parseInt(path.slice(0, stateBucketDepth), 16);
      const rows = requireRows(database.read('reading a state bucket', () => rowsOfBucket.all(bucket)));
      return path.length === stateBucketDepth ? rows : rows.filter(({ key }) => isUnder(path, key));
    },
    close() {
      if (database.sqlite.isTransaction) database.sqlite.exec('ROLLBACK');
      database.close();
    },
  };
}

/** Puts the format number back into a file that has exactly the tables of this format; false where there was nothing to put back. */
export function mendFormatNumber(path: string): boolean {
  const sqlite = new DatabaseSync(path);
  try {
    const { user_version: found } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
    if (found === chainSchemaVersion || !hasTables(sqlite, chainSchema)) return false;
    sqlite.exec(`PRAGMA user_version=${chainSchemaVersion}`);
    return true;
  } finally {
    sqlite.close();
  }
}

function isUnder(path: string, key: Uint8Array): boolean {
  const hash = sha256(key);
  for (let depth = 0; depth < path.length; depth++) {
    if (nibbleAt(hash, depth) !== Number.parseInt(path[depth]!, 16)) return false;
  }
  return true;
}

/**
 * Opens a read transaction that stays until the file is closed: everything read from then on is of one height, whatever is
 * committed meanwhile. Returns that height; -1 in a new database.
 */
export function holdHeight({ database, chain }: ChainFile): number {
  database.sqlite.exec('BEGIN');
  // The transaction begins with the first read.
  return chain.tip()?.height ?? -1;
}
