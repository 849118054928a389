/**
 * Tables of chain.db, and the statements on them.
 *
 * - State is ordered by key: what one block touches, above all `window/...`, then lies on few pages. Ordered by key hash the
 *   same writes cost 2.5 times as much (measured with 1,000 to 50,000 devices), for less than half the price of reading a
 *   bucket. `bucket` is the first 16 bits of SHA-256(key).
 * - A batch is cut into parts, so that one transaction is read without its whole batch; a part fills its pages well.
 * - Ids are computed, never looked up: batch = 64 * height + place, part = 128 * batch + index, tile = 2^44 * level + index.
 */
import type { DatabaseSync } from 'node:sqlite';

export const chainSchemaVersion = 3;
export const batchPartBytes = 16_352;
export const partsPerBatchMax = 128;
export const tilesPerLevelMax = 2 ** 44;

export const chainSchema = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE blocks (
    height INTEGER PRIMARY KEY, digest BLOB NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL, view INTEGER NOT NULL,
    finalization BLOB, time_ms INTEGER NOT NULL, history_size INTEGER NOT NULL, verdicts BLOB NOT NULL
  );
  CREATE UNIQUE INDEX blocks_by_digest ON blocks (digest);
  CREATE TABLE batches (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL, epoch INTEGER NOT NULL, author INTEGER NOT NULL, seq INTEGER NOT NULL,
    size INTEGER NOT NULL
  );
  CREATE INDEX batches_by_digest ON batches (digest);
  CREATE TABLE batch_parts (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE state (key BLOB PRIMARY KEY, bucket INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE INDEX state_by_bucket ON state (bucket);
  CREATE TABLE history_tiles (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
  CREATE TABLE checkpoints (
    height INTEGER NOT NULL, round INTEGER NOT NULL, statement BLOB NOT NULL, signatures BLOB, PRIMARY KEY (height, round)
  ) WITHOUT ROWID;
  CREATE TABLE floors (
    epoch INTEGER NOT NULL, author INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (epoch, author)
  ) WITHOUT ROWID;
  CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, genesis_height INTEGER NOT NULL, genesis_digest BLOB, genesis_time_ms INTEGER,
    validators BLOB NOT NULL, rules INTEGER
  );
  CREATE UNIQUE INDEX epochs_by_height ON epochs (genesis_height);
  CREATE TABLE targets (height INTEGER PRIMARY KEY, validators BLOB NOT NULL, rules INTEGER NOT NULL);
  CREATE TABLE news (height INTEGER PRIMARY KEY, items TEXT NOT NULL);
  CREATE INDEX uncertified ON checkpoints (height) WHERE signatures IS NULL;
`;

const blockColumns = `height, digest, header, body, view, finalization, time_ms AS timeMs, history_size AS historySize, verdicts`;
const checkpointColumns = 'height, round, statement, signatures';
const epochColumns = `epoch, genesis_height AS genesisHeight, genesis_digest AS digest, genesis_time_ms AS timeMs, validators, rules`;
const batchColumns = 'id, digest, epoch, author, seq, size';

export function prepareChain(sqlite: DatabaseSync) {
  return {
    getMeta: sqlite.prepare('SELECT value FROM meta WHERE key = ?'),
    putMeta: sqlite.prepare('INSERT INTO meta (key, value) VALUES (?, ?)'),

    tip: sqlite.prepare(`SELECT ${blockColumns} FROM blocks ORDER BY height DESC LIMIT 1`),
    tipHeight: sqlite.prepare('SELECT MAX(height) AS height FROM blocks'),
    firstHeight: sqlite.prepare('SELECT MIN(height) AS height FROM blocks'),
    blockByHeight: sqlite.prepare(`SELECT ${blockColumns} FROM blocks WHERE height = ?`),
    blockByDigest: sqlite.prepare(`SELECT ${blockColumns} FROM blocks WHERE digest = ?`),
    finalizedFrom: sqlite.prepare(
      `SELECT ${blockColumns} FROM blocks WHERE height >= ? AND finalization IS NOT NULL ORDER BY height LIMIT 1`,
    ),
    historySize: sqlite.prepare('SELECT history_size AS historySize FROM blocks WHERE height = ?'),
    insertBlock: sqlite.prepare(
      `INSERT INTO blocks (height, digest, header, body, view, finalization, time_ms, history_size, verdicts)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),

    insertBatch: sqlite.prepare(`INSERT INTO batches (${batchColumns}) VALUES (?, ?, ?, ?, ?, ?)`),
    insertPart: sqlite.prepare('INSERT INTO batch_parts (id, bytes) VALUES (?, ?)'),
    putFloor: sqlite.prepare('INSERT OR REPLACE INTO floors (epoch, author, seq, digest) VALUES (?, ?, ?, ?)'),
    floors: sqlite.prepare('SELECT epoch, author, seq, digest FROM floors WHERE epoch = ? ORDER BY author'),

    insertEpoch: sqlite.prepare(
      `INSERT INTO epochs (epoch, genesis_height, genesis_digest, genesis_time_ms, validators, rules)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    epoch: sqlite.prepare(`SELECT ${epochColumns} FROM epochs WHERE epoch = ?`),
    epochAt: sqlite.prepare(
      `SELECT ${epochColumns} FROM epochs WHERE genesis_height < ? ORDER BY genesis_height DESC LIMIT 1`,
    ),
    epochsFrom: sqlite.prepare(`SELECT ${epochColumns} FROM epochs WHERE epoch >= ? ORDER BY epoch LIMIT ?`),
    latestEpoch: sqlite.prepare(`SELECT ${epochColumns} FROM epochs ORDER BY epoch DESC LIMIT 1`),
    insertTarget: sqlite.prepare('INSERT INTO targets (height, validators, rules) VALUES (?, ?, ?)'),
    targetAt: sqlite.prepare(
      'SELECT height, validators, rules FROM targets WHERE height <= ? ORDER BY height DESC LIMIT 1',
    ),
    targetsAfter: sqlite.prepare('SELECT height, validators, rules FROM targets WHERE height > ? ORDER BY height'),

    latestFinalized: sqlite.prepare(
      `SELECT ${blockColumns} FROM blocks WHERE height > ? AND finalization IS NOT NULL ORDER BY height DESC LIMIT 1`,
    ),
    batchByDigest: sqlite.prepare(`SELECT ${batchColumns} FROM batches WHERE digest = ? LIMIT 1`),
    batchesBetween: sqlite.prepare(`SELECT ${batchColumns} FROM batches WHERE id BETWEEN ? AND ? ORDER BY id`),
    part: sqlite.prepare('SELECT bytes FROM batch_parts WHERE id = ?'),
    slice: sqlite.prepare('SELECT substr(bytes, ?, ?) AS bytes FROM batch_parts WHERE id = ?'),

    get: sqlite.prepare('SELECT value FROM state WHERE key = ?'),
    listAfter: sqlite.prepare('SELECT key, value FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?'),
    listFrom: sqlite.prepare('SELECT key, value FROM state WHERE key >= ? AND key < ? ORDER BY key LIMIT ?'),
    bucket: sqlite.prepare('SELECT key, value FROM state WHERE bucket = ?'),
    buckets: sqlite.prepare('SELECT bucket, key, value FROM state WHERE bucket BETWEEN ? AND ? ORDER BY bucket'),
    updateState: sqlite.prepare('UPDATE state SET value = ? WHERE key = ?'),
    insertState: sqlite.prepare('INSERT INTO state (key, bucket, value) VALUES (?, ?, ?)'),
    deleteState: sqlite.prepare('DELETE FROM state WHERE key = ?'),

    news: sqlite.prepare('SELECT items FROM news WHERE height = ?'),
    nextNews: sqlite.prepare('SELECT MIN(height) AS height FROM news WHERE height > ?'),
    insertNews: sqlite.prepare('INSERT INTO news (height, items) VALUES (?, ?)'),

    tile: sqlite.prepare('SELECT hashes FROM history_tiles WHERE id = ?'),
    putTile: sqlite.prepare('INSERT OR REPLACE INTO history_tiles (id, hashes) VALUES (?, ?)'),

    insertCheckpoint: sqlite.prepare(`INSERT INTO checkpoints (${checkpointColumns}) VALUES (?, ?, ?, ?)`),
    certify: sqlite.prepare('UPDATE checkpoints SET signatures = ? WHERE height = ? AND round = ?'),
    replaceRound: sqlite.prepare(
      'UPDATE checkpoints SET round = ?, statement = ?, signatures = ? WHERE height = ? AND round < ?',
    ),
    checkpoint: sqlite.prepare(
      `SELECT ${checkpointColumns} FROM checkpoints WHERE height = ? ORDER BY round DESC LIMIT 1`,
    ),
    latestCertified: sqlite.prepare(
      `SELECT ${checkpointColumns} FROM checkpoints WHERE signatures IS NOT NULL
       ORDER BY height DESC, round DESC LIMIT 1`,
    ),
    certifiedBetween: sqlite.prepare(
      `SELECT ${checkpointColumns} FROM checkpoints WHERE signatures IS NOT NULL AND height BETWEEN ? AND ?
       ORDER BY height DESC, round DESC LIMIT 1`,
    ),
    certifiedFrom: sqlite.prepare(
      `SELECT ${checkpointColumns} FROM checkpoints WHERE signatures IS NOT NULL AND height >= ?
       ORDER BY height, round DESC LIMIT 1`,
    ),
    openBoundaries: sqlite.prepare(
      `SELECT genesis_height AS height FROM epochs WHERE genesis_height > 0 AND NOT EXISTS (
         SELECT 1 FROM checkpoints WHERE checkpoints.height = genesis_height AND signatures IS NOT NULL
       ) ORDER BY genesis_height`,
    ),
    lowestUncertified: sqlite.prepare('SELECT MIN(height) AS height FROM checkpoints WHERE signatures IS NULL'),
  };
}

export type ChainStatements = ReturnType<typeof prepareChain>;
