import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { openViewDb } from './view-db.ts';
import { viewSchemaVersion } from './view-schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-view-'));
after(() => rmSync(dir, { recursive: true }));

function viewThen(change: string): string {
  const path = join(dir, `${change.length}-${Math.abs(change.charCodeAt(0))}.db`);
  const opened = openViewDb(path);
  assert.ok(opened.ok);
  assert.ok(opened.value.applyBlock({ height: 0, digest: new Uint8Array(32), transactions: [] }).ok);
  opened.value.close();
  const sqlite = new DatabaseSync(path);
  sqlite.exec(change);
  sqlite.close();
  return path;
}

for (const change of [
  `PRAGMA user_version=${viewSchemaVersion - 1}`,
  `PRAGMA user_version=${viewSchemaVersion + 1}`,
  'DROP TABLE series',
  'ALTER TABLE ids RENAME COLUMN prefix TO start',
]) {
  test(`a view of another format (${change}) is made anew by who writes it, and refused to who only reads`, () => {
    const path = viewThen(change);
    assert.equal(openViewDb(path, { readOnly: true }).ok, false);
    const again = openViewDb(path);
    assert.ok(again.ok);
    assert.equal(again.value.progress().height, -1);
    again.value.close();
  });
}
