import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { createFindings } from './finding.ts';
import { auditLog, logBytesOf } from './log-file.ts';
import { createPace } from './pace.ts';

const headerBytes = 32;
const frameBytes = 24 + 4096;

test('a log as SQLite writes it is sound, also one that was begun again over an earlier round', async (t) => {
  assert.deepEqual(await auditOf(logWith(t, 5)), { codes: [], notes: [] });
  const again = logWith(t, 5, 2);
  assert.ok(logBytesOf(again)! > headerBytes + 4 * frameBytes, 'frames of the first round lie behind the second one');
  assert.deepEqual(await auditOf(again), { codes: [], notes: [] });
});

test('every damaged byte of a frame is found, since the commits behind it would be lost', async (t) => {
  for (const at of [0, 5, 10, 14, 17, 23, 24, 300, frameBytes - 1]) {
    for (const frame of [0, 2, 4]) {
      const path = logWith(t, 5);
      flip(path, headerBytes + frame * frameBytes + at);
      const { codes } = await auditOf(path);
      assert.deepEqual(codes, ['audit.log-damaged'], `byte ${at} of frame ${frame}`);
    }
  }
});

test('a damaged header is found, since without it the whole log counts for nothing', async (t) => {
  for (const at of [0, 5, 9, 13, 17, 21, 25, 31]) {
    const path = logWith(t, 3);
    flip(path, at);
    assert.deepEqual((await auditOf(path)).codes, ['audit.log-damaged'], `byte ${at}`);
  }
  const path = logWith(t, 3);
  truncateSync(`${path}-wal`, 20);
  assert.deepEqual((await auditOf(path)).codes, ['audit.log-damaged']);
});

test('a frame that was cut is a note: a loss of power leaves the same', async (t) => {
  const path = logWith(t, 5);
  truncateSync(`${path}-wal`, headerBytes + 4 * frameBytes + 100);
  assert.deepEqual(await auditOf(path), { codes: [], notes: ['audit.unfinished'] });
});

test('what an earlier round left is told from a damaged frame of this one by its salts', async (t) => {
  const path = logWith(t, 5, 2);
  flip(path, headerBytes + 3 * frameBytes + 9);
  assert.deepEqual((await auditOf(path)).codes, ['audit.log-damaged']);
});

/** A database with so many commits of one page in its log, and then so many in a log begun again. */
function logWith(t: TestContext, commits: number, commitsAgain = 0): string {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-log-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const live = join(dir, 'live.db');
  const database = new DatabaseSync(live);
  database.exec('PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t (a)');
  const foldIn = 'PRAGMA wal_checkpoint(RESTART)';
  database.prepare(foldIn).get();
  for (let i = 0; i < commits; i++) database.exec(`INSERT INTO t VALUES (${i})`);
  if (commitsAgain > 0) database.prepare(foldIn).get();
  for (let i = 0; i < commitsAgain; i++) database.exec(`INSERT INTO t VALUES (${i})`);
  const path = join(dir, 'copy.db');
  for (const suffix of ['', '-wal']) copyFileSync(live + suffix, path + suffix);
  database.close();
  return path;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(`${path}-wal`);
  bytes[at]! ^= 1;
  writeFileSync(`${path}-wal`, bytes);
}

async function auditOf(path: string): Promise<{ codes: string[]; notes: string[] }> {
  const findings = createFindings(10, () => false);
  await auditLog(path, findings, createPace({}));
  return { codes: findings.listed.map(({ code }) => code), notes: findings.notes.map(({ code }) => code) };
}
