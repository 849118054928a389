/**
 * Opens a database of a stopped node for reading, and checks what belongs to the file as a whole. Nothing is written: one
 * without a log is opened as a file that nobody changes, since SQLite would make a log beside it.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { type Database, openDatabase } from '../storage/database.ts';
import type { Findings } from './finding.ts';
import { auditLog, logBytesOf } from './log-file.ts';
import type { Pace } from './pace.ts';

const complaintsMax = 5;

export type StoredDatabase = { readonly database: Database; close(): void };

export type DatabaseSpec = {
  readonly path: string;
  readonly schema: string;
  readonly schemaVersion: number;
  /** Whether to look through all pages as well: it reads the whole file at once. */
  readonly isComplete: boolean;
  /** What a file that is not there is: the view can be made anew. */
  readonly kind: 'database' | 'view';
};

/** Null when it cannot be opened, which is then a finding. */
export async function openStored(spec: DatabaseSpec, findings: Findings, pace: Pace): Promise<StoredDatabase | null> {
  const { path } = spec;
  const file = basename(path);
  if (!existsSync(path)) {
    findings.add(spec.kind, 'audit.missing', `${path} is missing`, { file });
    return null;
  }
  const logBytes = logBytesOf(path);
  const hadIndex = existsSync(`${path}-shm`);
  if (logBytes !== null) await findings.guardAsync('database', { file }, () => auditLog(path, findings, pace));
  const opened = findings.guard('database', { file }, () =>
    openDatabase(
      (logBytes ?? 0) > 0 ? path : immutableUri(path),
      { readOnly: true, synchronous: 'FULL', schema: spec.schema, schemaVersion: spec.schemaVersion },
      (database) => database,
    ),
  );
  if (opened === null) return null;
  if (!opened.ok) {
    findings.add('database', opened.error.code, opened.error.message, { file });
    return null;
  }
  const database = opened.value;
  if (!hasSchema(database, spec.schema, findings, file)) {
    database.close();
    return null;
  }
  if (spec.isComplete) {
    await pace.spend(statSync(path).size);
    findings.guard('database', { file }, () => checkPages(database, findings, file));
  }
  return {
    database,
    close() {
      database.close();
      // The index of the log is made by whoever reads it first.
      if (!hadIndex) rmSync(`${path}-shm`, { force: true });
    },
  };
}

function immutableUri(path: string): string {
  return `file:${encodeURI(path).replaceAll('?', '%3f').replaceAll('#', '%23')}?immutable=1`;
}

/** Tables and indexes are those that this release makes; else rows could be hidden, or compared with the wrong ones. */
function hasSchema({ sqlite }: Database, schema: string, findings: Findings, file: string): boolean {
  const expected = new DatabaseSync(':memory:');
  try {
    expected.exec(schema);
    const read = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name';
    const found = findings.guard('database', { file }, () => sqlite.prepare(read).all());
    if (found === null) return false;
    if (isDeepStrictEqual(found, expected.prepare(read).all())) return true;
    findings.add('database', 'audit.foreign', 'its tables are not those that this release makes', { file });
    return false;
  } finally {
    expected.close();
  }
}

/** SQLite's own look at its pages: it proves nothing about what stands in them, and finds what no row shows. */
function checkPages({ sqlite }: Database, findings: Findings, file: string): void {
  const complaints = sqlite.prepare(`PRAGMA integrity_check(${complaintsMax})`).all() as { integrity_check: string }[];
  for (const { integrity_check: text } of complaints) {
    if (text !== 'ok') findings.add('database', 'audit.pages-damaged', text.replaceAll('\n', ' '), { file });
  }
}
