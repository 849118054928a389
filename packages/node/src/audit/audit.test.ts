import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, type TestContext, test } from 'node:test';
import {
  checkpointSignatureToCbor,
  createStateTree,
  decodeCheckpointStatement,
  encodeCbor,
  encodeCheckpointStatement,
  type StateEntry,
  sha256,
  toHash,
} from '@cairn-ledger/core';
import { bytesToRecord } from '../driver/journal-record.ts';
import { orThrow } from '../failure.ts';
import { openJournal } from '../journal/journal.ts';
import { nodeFileSystem } from '../journal/node-file-system.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { type AuditOptions, type AuditReport, auditFolder } from './audit.ts';
import type { Finding, FindingClass } from './finding.ts';
import { type MadeFolder, makeNodeFolder } from './testing/node-folder.ts';

let made: MadeFolder;
before(async () => {
  made = await makeNodeFolder();
});
after(() => made.remove());

const chainOf = (dir: string): string => join(dir, 'data', 'chain.db');
const viewOf = (dir: string): string => join(dir, 'data', 'view.db');

test('a sound folder is called sound, and the audit leaves it as it was', async () => {
  const contentBefore = digestOfFolder(made.dir);
  for (const options of [{}, { replay: true }, { replay: false }, { recent: 3 }]) {
    const report = await auditOf(made.dir, options);
    assert.deepEqual(report.findings, []);
    assert.ok(report.isSound);
  }
  assert.equal(digestOfFolder(made.dir), contentBefore);
  const { checked, notes } = await auditOf(made.dir);
  assert.deepEqual(notes, []);
  assert.ok(checked.isReplayed);
  assert.equal(checked.toHeight, made.tipHeight);
  assert.equal(checked.certifiedHeight, made.tipHeight);
  assert.equal(checked.transactions, 5 * made.tipHeight);
});

test('a balance edited with every local hash made to fit is found, by its key', async (t) => {
  const key = 'account/birch/meter/eur';
  const forgeries: Record<string, (database: DatabaseSync) => void> = {
    'the entry alone': () => undefined,
    'and the own checkpoint': (database) => forgeCheckpoint(database, 'statement'),
    'and what the quorum signed': (database) => forgeCheckpoint(database, 'signed'),
    'and the signatures taken away': (database) => forgeCheckpoint(database, 'unsigned'),
  };
  for (const [name, forge] of Object.entries(forgeries)) {
    const dir = copyOf(t);
    edit(chainOf(dir), (database) => {
      const changed = database
        .prepare('UPDATE state SET value = ? WHERE key = ?')
        .run(encodeCbor(9_999_999n), Buffer.from(key));
      assert.equal(changed.changes, 1);
      forge(database);
    });
    const report = await auditOf(dir);
    assert.ok(
      report.findings.some((each) => each.class === 'state' && each.where.key === key),
      `${name}: ${JSON.stringify(report.findings)}`,
    );
  }
});

test('without re-execution the edited balance is found too, as long as its height is certified', async (t) => {
  for (const forgery of ['none', 'statement', 'signed'] as const) {
    const dir = copyOf(t);
    edit(chainOf(dir), (database) => {
      database
        .prepare('UPDATE state SET value = ? WHERE key = ?')
        .run(encodeCbor(9_999_999n), Buffer.from('account/birch/meter/eur'));
      if (forgery !== 'none') forgeCheckpoint(database, forgery);
    });
    for (const options of [{ replay: false }, { recent: 2 }]) {
      const report = await auditOf(dir, options);
      assert.ok(!report.isSound, `${forgery}, ${JSON.stringify(options)}`);
    }
  }
});

test('a state above the last certified height is proven by re-execution, and called unproven without', async (t) => {
  const folder = await makeNodeFolder({ blocks: 6, uncertified: 2 });
  t.after(() => folder.remove());
  const replayed = await auditOf(folder.dir);
  assert.ok(replayed.isSound);
  assert.equal(replayed.checked.certifiedHeight, 4);
  assert.deepEqual(replayed.notes, []);
  const quick = await auditOf(folder.dir, { replay: false });
  assert.ok(quick.notes.some((note) => note.class === 'state' && note.code === 'audit.unproven'));
});

const sql = (path: (dir: string) => string, statement: string) => (dir: string) =>
  edit(path(dir), (database) => {
    assert.ok(database.prepare(statement).run().changes > 0, statement);
  });

type Case = {
  readonly what: string;
  readonly damage: (dir: string) => void;
  readonly kind: FindingClass;
  readonly where?: Finding['where'];
};

const cases: readonly Case[] = [
  {
    what: 'a byte of a block header',
    damage: sql(chainOf, "UPDATE blocks SET header = header || x'00' WHERE height = 5"),
    kind: 'block',
    where: { height: 5 },
  },
  {
    what: 'a block replaced by the one before it, digest and all',
    damage: sql(
      chainOf,
      `UPDATE blocks SET (header, body, time_ms) = (SELECT header, body, time_ms FROM blocks WHERE height = 4)
       WHERE height = 5`,
    ),
    kind: 'block',
    where: { height: 5 },
  },
  {
    what: 'a block taken out',
    damage: sql(chainOf, 'DELETE FROM blocks WHERE height = 6'),
    kind: 'block',
    where: { height: 6 },
  },
  {
    what: 'the time of a block',
    damage: sql(chainOf, 'UPDATE blocks SET time_ms = time_ms + 1 WHERE height = 3'),
    kind: 'block',
    where: { height: 3 },
  },
  {
    what: 'why a transaction was rejected',
    damage: sql(
      chainOf,
      "UPDATE blocks SET verdicts = replace(verdicts, 'asset.insufficient', 'asset.insufficienT') WHERE height = 3",
    ),
    kind: 'block',
    where: { height: 3 },
  },
  {
    what: 'a finalization with the signatures of another',
    damage: sql(
      chainOf,
      'UPDATE blocks SET finalization = (SELECT finalization FROM blocks WHERE height = 4) WHERE height = 5',
    ),
    kind: 'block',
    where: { height: 5 },
  },
  {
    what: 'a signature of a finalization',
    damage: (dir) => flipInBlob(chainOf(dir), 'blocks', 'finalization', 'height = 7', -5),
    kind: 'certificate',
    where: { height: 7 },
  },
  {
    what: 'a byte of a batch',
    damage: (dir) => flipInBlob(chainOf(dir), 'batch_parts', 'bytes', `id = ${4 * 64 * 128}`, -5),
    kind: 'batch',
    where: { height: 4, key: '0' },
  },
  {
    what: 'the signature of a batch',
    damage: (dir) => flipInBlob(chainOf(dir), 'batch_parts', 'bytes', `id = ${4 * 64 * 128}`, 100),
    kind: 'batch',
    where: { height: 4, key: '0' },
  },
  {
    what: 'a batch of a huge size',
    damage: sql(chainOf, `UPDATE batches SET size = 1 << 50 WHERE id = ${3 * 64}`),
    kind: 'batch',
  },
  {
    what: 'a batch nobody lists',
    damage: sql(chainOf, "INSERT INTO batches VALUES (999999, x'00', 1, 0, 1, 1)"),
    kind: 'batch',
  },
  { what: 'a floor', damage: sql(chainOf, 'UPDATE floors SET seq = seq + 1 WHERE author = 2'), kind: 'batch' },
  {
    what: 'a signature of a checkpoint',
    damage: (dir) => flipInBlob(chainOf(dir), 'checkpoints', 'signatures', 'height = 8', -5),
    kind: 'checkpoint',
    where: { height: 8 },
  },
  {
    what: 'an own checkpoint',
    damage: (dir) => flipInBlob(chainOf(dir), 'checkpoints', 'statement', 'height = 8', -40),
    kind: 'checkpoint',
    where: { height: 8 },
  },
  {
    what: 'a tile of the history',
    damage: (dir) => flipInBlob(chainOf(dir), 'history_tiles', 'hashes', 'id = 0', 70),
    kind: 'history',
  },
  {
    what: 'the bucket of a state entry',
    damage: sql(chainOf, "UPDATE state SET bucket = (bucket + 1) % 65536 WHERE key = CAST('member/elm' AS BLOB)"),
    kind: 'state',
    where: { key: 'member/elm' },
  },
  {
    what: 'a state entry nobody wrote',
    damage: sql(chainOf, "INSERT INTO state VALUES (CAST('account/elm/eur' AS BLOB), 1, x'01')"),
    kind: 'state',
    where: { key: 'account/elm/eur' },
  },
  {
    what: 'a row of the view',
    damage: (dir) => flipInBlob(viewOf(dir), 'blocks', 'rows', 'height = 5', 3),
    kind: 'view',
    where: { height: 5 },
  },
  { what: 'a message in the view', damage: sql(viewOf, "UPDATE messages SET message = 'it was fine'"), kind: 'view' },
  { what: 'the count of readings', damage: sql(viewOf, 'UPDATE progress SET readings = readings + 1'), kind: 'view' },
  { what: 'a view ahead of the chain', damage: sql(viewOf, 'UPDATE progress SET height = height + 1'), kind: 'view' },
  { what: 'no view', damage: (dir) => rmSync(viewOf(dir)), kind: 'view' },
  { what: 'no database', damage: (dir) => rmSync(chainOf(dir)), kind: 'database' },
  { what: 'a database that names no ledger', damage: sql(chainOf, 'DELETE FROM meta'), kind: 'database' },
  {
    what: 'an index that leaves rows out',
    damage: (dir) =>
      edit(chainOf(dir), (database) => {
        database.exec('DROP INDEX state_by_bucket; CREATE INDEX state_by_bucket ON state (bucket) WHERE bucket > 9');
      }),
    kind: 'database',
  },
  { what: 'a database cut in half', damage: (dir) => truncateSync(chainOf(dir), 20_000), kind: 'database' },
  {
    what: 'a file that is no database',
    damage: (dir) => writeFileSync(chainOf(dir), 'x'.repeat(8192)),
    kind: 'database',
  },
  { what: 'a byte of the journal', damage: (dir) => flipInFile(journalOf(dir), 5_000), kind: 'journal' },
  { what: 'the end of the journal cut off', damage: (dir) => truncateSync(journalOf(dir), 5_000), kind: 'journal' },
  { what: 'the journal cut between two frames', damage: (dir) => cutJournal(journalOf(dir), 6), kind: 'mark' },
  { what: 'no journal', damage: (dir) => rmSync(journalOf(dir)), kind: 'journal' },
  { what: 'no mark', damage: (dir) => rmSync(markOf(dir)), kind: 'mark' },
  { what: 'a mark that is ahead', damage: (dir) => editText(markOf(dir), '"view":12', '"view":13'), kind: 'mark' },
  { what: 'a mark of yesterday', damage: (dir) => editText(markOf(dir), '"view":12', '"view":7'), kind: 'mark' },
  { what: 'a mark that is none', damage: (dir) => editText(markOf(dir), '"view"', '"veiw"'), kind: 'mark' },
  { what: 'a key that others may read', damage: (dir) => chmodSync(join(dir, 'keys/voting.key'), 0o644), kind: 'keys' },
  {
    what: 'the key of another use',
    damage: (dir) => cpSync(join(dir, 'keys/link.key'), join(dir, 'keys/voting.key')),
    kind: 'keys',
    where: { file: 'voting.key' },
  },
  {
    what: 'another genesis',
    damage: (dir) => editText(join(dir, 'genesis.cbor'), 'audited', 'Audited'),
    kind: 'genesis',
  },
  { what: 'no genesis', damage: (dir) => rmSync(join(dir, 'genesis.cbor')), kind: 'genesis' },
  { what: 'settings that cannot be read', damage: (dir) => truncateSync(join(dir, 'node.json'), 30), kind: 'config' },
  {
    what: 'the settings of another node',
    damage: (dir) => editText(join(dir, 'node.json'), '"node-1"', '"node-9"'),
    kind: 'config',
  },
];

for (const { what, damage, kind, where = {} } of cases) {
  test(`damage is found where it is: ${what}`, async (t) => {
    const dir = copyOf(t);
    damage(dir);
    const report = await auditOf(dir);
    const isFound = report.findings.some(
      (each) =>
        each.class === kind &&
        Object.entries(where).every(([name, value]) => each.where[name as keyof typeof each.where] === value),
    );
    assert.ok(isFound, JSON.stringify(report.findings, null, 1));
    assert.equal(report.isSound, false);
  });
}

test('yesterday’s databases beside today’s journal are found', async (t) => {
  const dir = copyOf(t);
  edit(chainOf(dir), (database) => {
    for (const table of ['blocks', 'checkpoints']) database.exec(`DELETE FROM ${table} WHERE height > 8`);
  });
  const report = await auditOf(dir);
  assert.ok(report.findings.some(({ class: kind, code }) => kind === 'block' && code === 'audit.behind'));
});

test('blocks whose finalizations were taken away are not called sound, unless the journal has one that covers them', async (t) => {
  const dir = copyOf(t);
  sql(chainOf, 'UPDATE blocks SET finalization = NULL, view = 0 WHERE height > 9')(dir);
  assert.deepEqual((await auditOf(dir)).findings, []);
  cutJournal(journalOf(dir), 20);
  const { findings } = await auditOf(dir);
  assert.ok(findings.some(({ class: kind, where }) => kind === 'certificate' && where.height === 10));
});

test('a journal that was begun anew with what still matters is sound', async (t) => {
  const dir = copyOf(t);
  // Segments of a byte: the next frame begins one.
  const { journal } = orThrow(await openJournal(join(dir, 'data', 'journal'), { segmentBytes: 1 }));
  const live = new Map<string, { type: number; payload: Uint8Array }>();
  for await (const { type, payload } of journal.records()) {
    const record = orThrow(bytesToRecord(type, payload));
    const isKept =
      record.type === 'own-checkpoint' ||
      (record.type === 'batch' && record.batch.header.author === 0) ||
      (record.type === 'certificate' && record.certificate.vote.type === 'finalize');
    if (isKept) live.set(record.type, { type, payload });
  }
  const begin = journal.nextSequence;
  for (const { type, payload } of live.values()) journal.append(type, payload);
  await journal.sync();
  assert.equal(await journal.prune(begin), 1);
  await journal.close();
  const { findings, checked } = await auditOf(dir);
  assert.deepEqual(findings, []);
  assert.equal(checked.journalRecords, 3);
});

test('without re-execution rows that do not belong to the chain are found, and wrong floors', async (t) => {
  for (const statement of [
    "INSERT INTO batches VALUES (999999, x'00', 1, 0, 1, 1)",
    "INSERT INTO batch_parts VALUES (99999999, x'00')",
    "INSERT INTO checkpoints VALUES (1, 7, x'00', NULL)",
    "INSERT INTO meta VALUES ('other', x'00')",
    'UPDATE floors SET seq = seq + 1 WHERE author = 2',
  ]) {
    const dir = copyOf(t);
    sql(chainOf, statement)(dir);
    assert.ok(!(await auditOf(dir, { replay: false })).isSound, statement);
  }
});

test('the data of a node deleted is damage; a node that has never run is nothing to audit', async (t) => {
  const dir = copyOf(t);
  rmSync(join(dir, 'data'), { recursive: true });
  const { findingsByClass } = await auditOf(dir);
  assert.ok(findingsByClass.journal! > 0 && findingsByClass.database! > 0);
  rmSync(markOf(dir));
  const fresh = await auditFolder(dir);
  assert.equal(!fresh.ok && fresh.error.code, 'audit.not-a-node');
});

test('the genesis of a trusted source tells a folder in which everything was exchanged', async (t) => {
  const other = await makeNodeFolder({ blocks: 2 });
  t.after(() => other.remove());
  const genesis = new Uint8Array(readFileSync(join(made.dir, 'genesis.cbor')));
  assert.ok((await auditOf(other.dir)).isSound, 'it is sound by its own genesis');
  const report = await auditOf(other.dir, { genesis });
  assert.ok(report.findings.some(({ class: kind }) => kind === 'genesis'));
});

test('a temporary folder that fails ends the audit without a verdict, and with a code', async () => {
  const audited = await auditFolder(made.dir, { tempDir: '/nowhere/at/all' });
  assert.equal(!audited.ok && audited.error.code, 'audit.no-temporary-room');
});

test('findings beyond the limit are counted and not listed', async (t) => {
  const dir = copyOf(t);
  edit(chainOf(dir), (database) => database.exec('UPDATE blocks SET time_ms = time_ms + 1 WHERE height > 0'));
  const report = await auditOf(dir, { listedMax: 3 });
  assert.equal(report.findings.length, 3);
  assert.ok(report.findingsCount > 3);
  assert.ok(report.findingsByClass.block! > 3);
});

test('an audit keeps below its rate, and ends when it is told to', async () => {
  const startedMs = performance.now();
  const { bytes } = await auditOf(made.dir, { recent: 5, maxBytesPerSecond: 1_000_000 });
  assert.ok(performance.now() - startedMs >= (bytes / 1_000_000) * 900);
  const stop = AbortSignal.timeout(50);
  await assert.rejects(auditFolder(made.dir, { maxBytesPerSecond: 1000, signal: stop }), { name: /Abort|Timeout/ });
  assert.ok((await auditOf(made.dir)).isSound, 'the folder is free again');
});

test('what is not a node, and a node that runs, are refused', async (t) => {
  const empty = mkdtempSync(join(tmpdir(), 'cairn-audit-none-'));
  t.after(() => rmSync(empty, { recursive: true }));
  const nothing = await auditFolder(empty);
  assert.equal(!nothing.ok && nothing.error.code, 'audit.not-a-node');
  const dir = copyOf(t);
  const lock = await nodeFileSystem.lock(join(dir, 'data', 'journal'));
  const running = await auditFolder(dir);
  lock!.release();
  assert.equal(!running.ok && running.error.code, 'audit.running');
});

async function auditOf(dir: string, options: AuditOptions = {}): Promise<AuditReport> {
  return orThrow(await auditFolder(dir, options));
}

function copyOf(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-audit-copy-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(made.dir, dir, { recursive: true });
  return dir;
}

/** Changes a database as somebody with its file could, and leaves no log. */
function edit(path: string, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path);
  change(database);
  database.close();
}

function flipInBlob(path: string, table: string, column: string, where: string, at: number): void {
  edit(path, (database) => {
    const row = database.prepare(`SELECT ${column} AS bytes FROM ${table} WHERE ${where}`).get() as {
      bytes: Uint8Array;
    };
    const bytes = row.bytes.slice();
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    database.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(bytes);
  });
}

function flipInFile(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

function editText(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'latin1');
  assert.ok(text.includes(from), `${path} has ${from}`);
  writeFileSync(path, text.replace(from, to), 'latin1');
}

/** Takes whole frames from the end: what is left looks like a journal that was never longer. */
function cutJournal(path: string, frames: number): void {
  const bytes = readFileSync(path);
  const starts: number[] = [];
  for (let at = bytes.indexOf('CJF\x01', 0, 'latin1'); at !== -1; at = bytes.indexOf('CJF\x01', at + 1, 'latin1'))
    starts.push(at);
  truncateSync(path, starts.at(-frames)!);
}

function journalOf(dir: string): string {
  return join(dir, 'data/journal/0000000000000001.journal');
}

function markOf(dir: string): string {
  return join(dir, 'keys', readdirSync(join(dir, 'keys')).find((name) => name.endsWith('.mark'))!);
}

/** Makes the tip's checkpoint say the root that the changed state has, as far as it can be done without keys. */
function forgeCheckpoint(database: DatabaseSync, how: 'statement' | 'signed' | 'unsigned'): void {
  const rows = database.prepare('SELECT key, value FROM state').all() as { key: Uint8Array; value: Uint8Array }[];
  const entries = rows
    .map(({ key, value }): StateEntry => ({ keyHash: sha256(key), valueHash: sha256(value) }))
    .sort((a, b) => Buffer.compare(a.keyHash, b.keyHash));
  const stateRoot = createStateTree({ entriesBetween: () => entries }).root();
  const tip = database
    .prepare('SELECT height, statement, signatures FROM checkpoints ORDER BY height DESC LIMIT 1')
    .get() as { height: number; statement: Uint8Array; signatures: Uint8Array };
  const statement = { ...orThrow(decodeCheckpointStatement(tip.statement)), stateRoot: toHash(stateRoot) };
  const signatures =
    how === 'statement'
      ? tip.signatures
      : how === 'unsigned'
        ? null
        : encodeCbor(
            decodeSignatures(tip.signatures)!.map((each) => checkpointSignatureToCbor({ ...each, statement })),
          );
  database
    .prepare('UPDATE checkpoints SET statement = ?, signatures = ? WHERE height = ?')
    .run(encodeCheckpointStatement(statement), signatures, tip.height);
}

function digestOfFolder(dir: string): string {
  const digest = createHash('sha256');
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    digest.update(`${path} `);
    if (entry.isFile()) digest.update(readFileSync(path));
  }
  return digest.digest('hex');
}
