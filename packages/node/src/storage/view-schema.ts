/**
 * Tables of view.db, and the statements on them.
 *
 * A *run* is what some 16,384 transactions in a row left in the three indexes. Each index begins with the run, so new rows
 * go to the hundred or two pages of the latest run, which stay in memory, instead of to pages all over the file: a
 * quarter of the cost (measured with runs twice as long, behind two million transactions). A look-up asks every run, some
 * microseconds each. Merging old runs is left for when there are thousands of them.
 *
 * - `blocks`: the transactions of a block, one blob (view-rows.ts).
 * - `ids`: the first 48 bits of an id lead to its transaction; the id itself is not stored (a quarter more bytes), but told
 *   from the transaction when read.
 * - `series`: one row per transaction with readings, however many. `width` is the class of the time its readings span, so
 *   that a range of time knows how far before it a row may begin (series-width.ts).
 * - `activity`: transactions of an account that have no row in `series`: those without readings, and rejected ones. To list
 *   all of an account in the order of the chain, both are read, run by run.
 */
import type { DatabaseSync } from 'node:sqlite';

/** Raised with every change of the tables or of what stands in them: a view of another format is made anew. */
export const viewSchemaVersion = 2;
export const runTransactionsMax = 16_384;

export const viewSchema = `
  CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, digest BLOB, run INTEGER NOT NULL, run_size INTEGER NOT NULL,
    transactions INTEGER NOT NULL, accepted INTEGER NOT NULL, readings INTEGER NOT NULL
  );
  INSERT INTO progress VALUES (1, -1, NULL, 0, 0, 0, 0, 0);
  CREATE TABLE runs (
    run INTEGER PRIMARY KEY, first_number INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL
  );
  CREATE TABLE blocks (height INTEGER PRIMARY KEY, first_leaf INTEGER NOT NULL, rows BLOB NOT NULL);
  CREATE TABLE messages (number INTEGER PRIMARY KEY, message TEXT NOT NULL);
  CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
  CREATE TABLE ids (run INTEGER, prefix INTEGER, number INTEGER, PRIMARY KEY (run, prefix, number)) WITHOUT ROWID;
  CREATE TABLE series (
    run INTEGER, account INTEGER, width INTEGER, from_ms INTEGER, number INTEGER, span_ms INTEGER NOT NULL,
    PRIMARY KEY (run, account, width, from_ms, number)
  ) WITHOUT ROWID;
  CREATE TABLE activity (run INTEGER, account INTEGER, number INTEGER, PRIMARY KEY (run, account, number)) WITHOUT ROWID;
`;

export function prepareView(sqlite: DatabaseSync) {
  return {
    progress: sqlite.prepare(
      'SELECT height, digest, run, run_size AS runSize, transactions, accepted, readings FROM progress WHERE id = 1',
    ),
    putProgress: sqlite.prepare(
      `UPDATE progress SET height = ?, digest = ?, run = ?, run_size = ?, transactions = ?, accepted = ?, readings = ?
       WHERE id = 1`,
    ),
    runs: sqlite.prepare(
      'SELECT run, first_number AS firstNumber, time_min AS timeMin, time_max AS timeMax FROM runs ORDER BY run DESC',
    ),
    putRun: sqlite.prepare(
      `INSERT INTO runs (run, first_number, time_min, time_max) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (run) DO UPDATE SET time_min = min(time_min, ?3), time_max = max(time_max, ?4)`,
    ),

    insertBlock: sqlite.prepare('INSERT INTO blocks VALUES (?, ?, ?)'),
    insertMessage: sqlite.prepare('INSERT INTO messages VALUES (?, ?)'),
    insertId: sqlite.prepare('INSERT INTO ids VALUES (?, ?, ?)'),
    insertSeries: sqlite.prepare('INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)'),
    insertActivity: sqlite.prepare('INSERT INTO activity VALUES (?, ?, ?)'),

    accountId: sqlite.prepare('SELECT id FROM accounts WHERE name = ?'),
    insertAccount: sqlite.prepare('INSERT INTO accounts (name) VALUES (?)'),
    codeId: sqlite.prepare('SELECT id FROM codes WHERE code = ?'),
    insertCode: sqlite.prepare('INSERT INTO codes (code) VALUES (?)'),

    block: sqlite.prepare('SELECT rows, first_leaf AS firstLeaf FROM blocks WHERE height = ?'),
    blockSlice: sqlite.prepare(
      'SELECT substr(rows, ?, ?) AS rows, first_leaf AS firstLeaf FROM blocks WHERE height = ?',
    ),
    blockSize: sqlite.prepare('SELECT length(rows) AS sizeBytes FROM blocks WHERE height = ?'),
    message: sqlite.prepare('SELECT message FROM messages WHERE number = ?'),
    accountName: sqlite.prepare('SELECT name FROM accounts WHERE id = ?'),
    code: sqlite.prepare('SELECT code AS name FROM codes WHERE id = ?'),
    numbersByPrefix: sqlite.prepare(
      'SELECT i.number FROM runs r CROSS JOIN ids i ON i.run = r.run AND i.prefix = ? ORDER BY i.number',
    ),
    hasPack: sqlite.prepare(
      `SELECT 1 FROM runs r CROSS JOIN series s
         ON s.run = r.run AND s.account = ?1 AND s.width = ?2 AND s.from_ms = ?3 AND s.number = ?4
       WHERE s.span_ms = ?5 AND r.first_number <= ?4 AND r.time_min <= ?3 AND r.time_max >= ?3 + ?5`,
    ),
    hasActivity: sqlite.prepare(
      `SELECT 1 FROM runs r CROSS JOIN activity a ON a.run = r.run AND a.account = ?1 AND a.number = ?2
       WHERE r.first_number <= ?2`,
    ),
    packs: sqlite.prepare(
      `SELECT from_ms AS fromMs, number FROM series
       WHERE run = ?1 AND account = ?2 AND width = ?3 AND from_ms >= ?4 AND from_ms < ?5
         AND (from_ms > ?6 OR number > ?7) AND from_ms + span_ms >= ?8
       ORDER BY from_ms, number LIMIT ?9`,
    ),
    activityBefore: sqlite.prepare(
      `SELECT number FROM activity WHERE run = ?1 AND account = ?2 AND number < ?3
       UNION ALL SELECT number FROM series WHERE run = ?1 AND account = ?2 AND number < ?3
       ORDER BY number DESC LIMIT ?4`,
    ),
  };
}

export type ViewStatements = ReturnType<typeof prepareView>;
