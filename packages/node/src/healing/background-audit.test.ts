import { strict as assert } from 'node:assert';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createStateTree, type StateTree } from '@cairn-ledger/core';
import type { Finding, FindingClass } from '../audit/finding.ts';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { openJournal } from '../journal/journal.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { createBackgroundAudit } from './background-audit.ts';
import type { SyncAnchor } from './known-epochs.ts';

import { anchorOf } from './testing/served-chain.ts';

let folder: MadeFolder;
let anchor: SyncAnchor;
let stateTree: StateTree;
const dir = mkdtempSync(join(tmpdir(), 'cairn-background-'));
const pristine = join(dir, 'pristine.db');
const journalDir = join(dir, 'journal');
let victims = 0;
const roundMs = 43_200_000;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 40 });
  copyFileSync(join(folder.dir, 'data', 'chain.db'), pristine);
  const chain = orThrow(openChainDb(pristine, { ledgerHash: folder.ledgerHash }));
  stateTree = createStateTree(chain.entries);
  anchor = anchorOf(folder);
  chain.close();
  const { journal } = orThrow(await openJournal(journalDir, { segmentBytes: 4096 }));
  for (let i = 0; i < 40; i++) {
    journal.append(1, new Uint8Array(500).fill(i));
    await journal.sync();
  }
  await journal.close();
});

after(() => {
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** With a tick as long as half a day all of it is due in each. */
function auditOf(
  path: string,
  options: { tickMs?: number; journal?: string | null; view?: string; now?: () => number } = {},
) {
  const findings: Finding[] = [];
  const audit = createBackgroundAudit({
    path,
    journalDir: options.journal ?? null,
    viewPath: options.view ?? null,
    anchor,
    verifier: sodiumVerifier,
    stateTree,
    now: options.now ?? (() => 0),
    tickMs: options.tickMs ?? roundMs,
    onDamage: (finding) => findings.push(finding),
  });
  return { audit, findings };
}

function victim(sql: string): string {
  const path = join(dir, `victim-${victims++}.db`);
  copyFileSync(pristine, path);
  const sqlite = new DatabaseSync(path);
  sqlite.exec(sql);
  sqlite.close();
  return path;
}

test('a sound folder is looked at as a whole, again and again, and nothing is found', async () => {
  const { audit, findings } = auditOf(pristine, { journal: journalDir, view: join(folder.dir, 'data', 'view.db') });
  for (let i = 0; i < 3; i++) await audit.tick();
  assert.deepEqual(findings, []);
  for (const count of Object.values(audit.rounds())) assert.ok(count >= 1);
  audit.close();
});

test('a tick of a second is a small slice, and all slices together are everything', async () => {
  const { audit } = auditOf(pristine, { tickMs: 1000 });
  await audit.tick();
  assert.equal(audit.rounds().state, 0);
  for (let i = 0; i < 60; i++) await audit.tick();
  assert.ok(audit.rounds().heights >= 4, 'twelve heights, one in each tick');
  assert.ok(audit.rounds().tiles >= 20);
  audit.close();
});

test('a tick ends when its time is over', async () => {
  let ms = 0;
  const { audit } = auditOf(pristine, { now: () => ms++ });
  await audit.tick();
  assert.equal(audit.rounds().state, 0, 'all of it would have been due');
  audit.close();
});

const flip = (table: string, column: string, where: string) =>
  `UPDATE ${table} SET ${column} = unhex(CASE WHEN substr(hex(${column}), 1, 1) = '0' THEN '1' ELSE '0' END || substr(hex(${column}), 2)) WHERE ${where}`;

const damages: Readonly<Record<string, readonly [FindingClass, string]>> = {
  'a header': ['block', flip('blocks', 'header', 'height = 5')],
  'a body': ['block', flip('blocks', 'body', 'height = 5')],
  'a block that is gone': ['block', 'DELETE FROM blocks WHERE height = 5'],
  'a finalization': ['certificate', flip('blocks', 'finalization', 'height = 5')],
  verdicts: ['block', "UPDATE blocks SET verdicts = x'80' WHERE height = 5"],
  'the history size': ['block', 'UPDATE blocks SET history_size = 1 WHERE height = 5'],
  'a batch that is gone': ['batch', 'DELETE FROM batches WHERE id = 64 * 5'],
  'a part of a batch': ['batch', flip('batch_parts', 'bytes', 'id = 128 * 64 * 5')],
  'a batch too many': ['batch', "INSERT INTO batches VALUES (64 * 5 + 9, x'00', 1, 0, 1, 1)"],
  'a checkpoint': ['checkpoint', flip('checkpoints', 'statement', 'height = 5')],
  'signatures of a checkpoint': ['checkpoint', flip('checkpoints', 'signatures', 'height = 5')],
  'a value of the state': ['state', flip('state', 'value', 'key = (SELECT key FROM state LIMIT 1)')],
  'an entry that is gone': ['state', 'DELETE FROM state WHERE key = (SELECT MAX(key) FROM state)'],
  'an entry too many': ['state', "INSERT INTO state VALUES (CAST('x' AS BLOB), 7, x'01')"],
  'a tile': ['history', flip('history_tiles', 'hashes', 'id = 0')],
  'a tile that is gone': ['history', 'DELETE FROM history_tiles WHERE id = 0'],
  'a tile of the right edge': [
    'history',
    flip('history_tiles', 'hashes', 'id = (SELECT MAX(id) FROM history_tiles WHERE id < 17592186044416)'),
  ],
};

for (const [what, [kind, sql]] of Object.entries(damages)) {
  test(`found: ${what}`, async () => {
    const { audit, findings } = auditOf(victim(sql));
    await audit.tick();
    await audit.tick();
    assert.equal(findings.length, 1, 'told once');
    assert.equal(findings[0]!.class, kind, findings[0]!.what);
    audit.close();
  });
}

test('found: a byte of the journal, wherever it is', async () => {
  const damaged = join(dir, 'damaged-journal');
  const names = readdirSync(journalDir).filter((name) => name.endsWith('.journal'));
  assert.ok(names.length > 3);
  for (const offset of [3, 60, 1500]) {
    rmSync(damaged, { recursive: true, force: true });
    mkdirSync(damaged);
    for (const name of names) copyFileSync(join(journalDir, name), join(damaged, name));
    const path = join(damaged, names[1]!);
    const bytes = readFileSync(path);
    bytes[offset]! ^= 1;
    writeFileSync(path, bytes);
    const { audit, findings } = auditOf(pristine, { journal: damaged });
    for (let i = 0; i < 3; i++) await audit.tick();
    assert.equal(findings.length, 1);
    assert.equal(findings[0]!.class, 'journal');
    audit.close();
  }
});

test('found: a file that cannot be opened', async () => {
  const path = join(dir, 'noise.db');
  writeFileSync(path, new Uint8Array(9000).fill(77));
  const { audit, findings } = auditOf(path);
  await audit.tick();
  assert.equal(findings[0]!.class, 'database');
  audit.close();
});

test('found: an index without a row', async () => {
  const path = victim('');
  const sqlite = new DatabaseSync(path);
  sqlite.enableDefensive?.(false);
  // An index over fewer blocks is put in the place of the whole one, as a page of an older day would.
  sqlite.exec(`
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX blocks_by_digest ON blocks (digest) WHERE height < 5' WHERE name = 'blocks_by_digest';
    PRAGMA writable_schema = RESET;
    REINDEX blocks_by_digest;
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX blocks_by_digest ON blocks (digest)' WHERE name = 'blocks_by_digest';
    PRAGMA writable_schema = RESET;
  `);
  sqlite.close();
  const { audit, findings } = auditOf(path, { tickMs: 1_000 });
  for (let i = 0; i < 20; i++) await audit.tick();
  assert.deepEqual(
    findings.map((finding) => finding.class),
    ['database'],
  );
  audit.close();
});

const viewDamages: Readonly<Record<string, string>> = {
  'an outcome': "UPDATE blocks SET rows = CAST(x'00000000' || substr(rows, 5) AS BLOB) WHERE height = 5",
  'a block without rows': 'DELETE FROM blocks WHERE height = 5',
  'an id that leads nowhere': 'DELETE FROM ids WHERE number = (SELECT MIN(number) FROM ids WHERE number > 5 * 65536)',
  'readings that nothing leads to': 'DELETE FROM series WHERE number = (SELECT MAX(number) FROM series)',
  'the time that a run spans': 'UPDATE runs SET time_max = time_min - 1',
  'the name of an account': "UPDATE accounts SET name = 'x' || name WHERE id = (SELECT MIN(id) FROM accounts)",
  'the sum of all': 'UPDATE progress SET readings = readings + 1',
};

/** Makes an index of a table a page without entries. */
function emptyIndex(path: string, name: string): void {
  const sqlite = new DatabaseSync(path);
  const { page } = sqlite.prepare('SELECT rootpage AS page FROM sqlite_schema WHERE name = ?').get(name) as {
    page: number;
  };
  const { page_size: pageBytes } = sqlite.prepare('PRAGMA page_size').get() as { page_size: number };
  sqlite.close();
  const file = openSync(path, 'r+');
  // A leaf of an index with no cells, whose content begins at the end of the page.
  writeSync(file, Uint8Array.of(0x0a, 0, 0, 0, 0, pageBytes >> 8, pageBytes & 255, 0), 0, 8, (page - 1) * pageBytes);
  closeSync(file);
}

const viewRots: Record<string, (path: string) => void> = {
  'the number of a code that nothing leads to': (path) => emptyIndex(path, 'sqlite_autoindex_codes_1'),
  'the number of an account that nothing leads to': (path) => emptyIndex(path, 'sqlite_autoindex_accounts_1'),
};
for (const [what, sql] of Object.entries(viewDamages)) {
  viewRots[what] = (path) => {
    const sqlite = new DatabaseSync(path);
    sqlite.exec(sql);
    sqlite.close();
  };
}

for (const [what, rot] of Object.entries(viewRots)) {
  test(`found in the view: ${what}`, async () => {
    const path = join(dir, `view-${victims++}.db`);
    copyFileSync(join(folder.dir, 'data', 'view.db'), path);
    rot(path);
    const { audit, findings } = auditOf(pristine, { view: path, tickMs: 1_000 });
    for (let i = 0; i < 20; i++) await audit.tick();
    assert.deepEqual(
      findings.map((finding) => finding.class),
      ['view'],
    );
    audit.close();
  });
}
