/**
 * The past of a chain, collected in a file of its own (healing/collect-past.ts), becomes part of the chain: afterwards that is one from
 * the genesis on, as if it had executed everything. One SQL transaction, so a crash leaves the chain as it was, or whole.
 */
import { encodeCbor, fail, ok, type Result } from '@cairn-ledger/core';
import { ChainDb } from './chain-db.ts';
import { chainSchema, chainSchemaVersion, partsPerBatchMax } from './chain-schema.ts';
import { type Database, openDatabase } from './database.ts';
import { newsKey } from './news-table.ts';
import { StorageError, storageErrorOf } from './storage-error.ts';
import { batchIdOf } from './transaction-place.ts';

/** Beside chain.db, until it is whole. */
export function pastPathOf(chainPath: string): string {
  return `${chainPath}.past`;
}

/**
 * Nobody else may have the chain open. The file of the past is read only.
 *
 * Errors: `storage.damaged` where the past is not that of this chain, or not all of it; else those of writing. The chain is as it was
 * then.
 *
 * @returns the height up to which the past reached
 */
export function mergePast(chainPath: string, pastPath = pastPathOf(chainPath)): Result<number, StorageError> {
  const settings = { readOnly: false, synchronous: 'FULL' as const, schema: chainSchema };
  const opened = openDatabase(chainPath, { ...settings, schemaVersion: chainSchemaVersion }, (database) => ({
    database,
    chain: new ChainDb(database),
  }));
  if (!opened.ok) return opened;
  const { database, chain } = opened.value;
  try {
    database.sqlite.prepare('ATTACH ? AS past').run(pastPath);
    const height = chain.foundedHeight();
    if (!isPastOf(database, height))
      return fail(new StorageError('storage.damaged', `${pastPath} is not the whole past of ${chainPath}`));
    const written = database.write('taking over the past', () => copyPast(database, height));
    if (!written.ok) return written;
    database.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return ok(height);
  } catch (cause) {
    return fail(storageErrorOf(`taking over ${pastPath}`, cause));
  } finally {
    database.close();
  }
}

/** Whether it ends with the block that the chain was founded at, and has every height below. */
function isPastOf({ sqlite }: Database, height: number): boolean {
  const ends = sqlite
    .prepare('SELECT 1 FROM past.blocks JOIN main.blocks USING (height, digest) WHERE height = ?')
    .get(height);
  const below = sqlite.prepare('SELECT COUNT(*) AS count FROM past.blocks WHERE height BETWEEN 0 AND ?').get(height);
  const begun = sqlite.prepare('SELECT MAX(genesis_height) AS height FROM past.epochs').get();
  return (
    height > 0 &&
    ends !== undefined &&
    (below as { count: number }).count === height + 1 &&
    (begun as { height: number | null }).height !== null
  );
}

/** What the chain has already of a height is at least as much: finalizations and signatures of its first blocks, and longer tiles. */
function copyPast({ sqlite }: Database, height: number): void {
  const run = (sql: string, limit = height): void => void sqlite.prepare(sql).run(limit);
  const batchesEnd = batchIdOf(height + 1, 0);
  run(`UPDATE main.blocks SET verdicts = (SELECT verdicts FROM past.blocks p WHERE p.height = blocks.height)
       WHERE height <= ?`);
  run('INSERT OR IGNORE INTO main.blocks SELECT * FROM past.blocks WHERE height <= ?');
  run('INSERT INTO main.batches SELECT * FROM past.batches WHERE id < ?', batchesEnd);
  run('INSERT INTO main.batch_parts SELECT * FROM past.batch_parts WHERE id < ?', batchesEnd * partsPerBatchMax);
  run(`INSERT INTO main.checkpoints SELECT * FROM past.checkpoints
       WHERE height <= ? AND height NOT IN (SELECT height FROM main.checkpoints)`);
  sqlite.exec(`
    INSERT OR IGNORE INTO main.history_tiles SELECT * FROM past.history_tiles;
    INSERT OR IGNORE INTO main.floors SELECT * FROM past.floors;
    DELETE FROM main.epochs WHERE epoch <= (SELECT MAX(epoch) FROM past.epochs);
    INSERT INTO main.epochs SELECT * FROM past.epochs;
    -- The lowest one stands for what was wanted when the chain was founded.
    DELETE FROM main.targets WHERE height = (SELECT MIN(height) FROM main.targets);
    INSERT OR REPLACE INTO main.targets SELECT * FROM past.targets;
    DELETE FROM main.meta WHERE key IN ('founded', 'boundaries');
  `);
  // Only who has executed a block can tell its news.
  sqlite.prepare('INSERT INTO main.meta (key, value) VALUES (?, ?)').run(newsKey, encodeCbor(height));
}
