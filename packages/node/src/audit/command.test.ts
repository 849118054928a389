/** `cairn audit` as a process: what it says, and its exit codes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AuditReport } from './audit.ts';
import { type MadeFolder, makeNodeFolder } from './testing/node-folder.ts';

const entry = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url));
let made: MadeFolder;
before(async () => {
  made = await makeNodeFolder({ blocks: 4 });
});
after(() => made.remove());

test('a sound folder ends with 0, in words and as JSON', async () => {
  const told = await audit(made.dir);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /all blocks executed again, every row compared/);
  assert.match(told.stdout, /sound\n$/);
  const { code, stdout } = await audit(made.dir, '--recent', '2', '--json');
  assert.equal(code, 0);
  const report = JSON.parse(stdout) as AuditReport;
  assert.equal(report.isSound, true);
  assert.equal(report.checked.fromHeight, 3);
});

test('a damaged folder ends with 1, and each finding has class, code and place', async (t) => {
  const dir = copyOf(t);
  writeFileSync(join(dir, 'keys', 'voting.key'), 'x', { mode: 0o600 });
  const told = await audit(dir);
  assert.equal(told.code, 1);
  assert.match(told.stdout, /DAMAGED {5}keys: .*voting\.key.*\[keyfile\.malformed\]/);
  assert.match(told.stderr, /is damaged: 1 x keys \[audit\.damaged\]/);
  const { code, stdout } = await audit(dir, '--json');
  assert.equal(code, 1);
  const [finding] = (JSON.parse(stdout) as AuditReport).findings;
  assert.deepEqual([finding?.class, finding?.code, finding?.where.file], ['keys', 'keyfile.malformed', 'voting.key']);
});

test('what is not a node ends with 2', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-audit-none-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const told = await audit(dir, '--json');
  assert.equal(told.code, 2);
  assert.equal((JSON.parse(told.stderr) as { error: { code: string } }).error.code, 'audit.not-a-node');
});

test('a folder or a node is named, and not both; a node that does not answer cannot be audited', async () => {
  const url = 'http://127.0.0.1:1';
  const genesis = join(made.dir, 'genesis.cbor');
  for (const args of [[], [made.dir, '--node', url]]) {
    const told = await audit(...args, '--json');
    assert.equal(told.code, 2);
    assert.equal((JSON.parse(told.stderr) as { error: { code: string } }).error.code, 'usage.nothing-to-audit');
  }
  const told = await audit('--node', url, '--genesis', genesis, '--json');
  assert.equal(told.code, 2);
  assert.match(told.stderr, /client\.unreachable/);
});

test('an unfinished last frame is a note after a crash, and damage where the node was stopped in order', async (t) => {
  const dir = copyOf(t);
  appendFileSync(join(dir, 'data/journal/0000000000000001.journal'), Buffer.from('434a4601', 'hex'));
  assert.equal((await audit(dir)).code, 1);
  // A node that was killed leaves the log of its database.
  writeFileSync(join(dir, 'data/chain.db-wal'), '');
  const told = await audit(dir);
  assert.equal(told.code, 0);
  assert.match(told.stdout, /note +journal: the last frame is not whole, as after a crash/);
});

function copyOf(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-audit-copy-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(made.dir, dir, { recursive: true });
  return dir;
}

function audit(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [entry, 'audit', ...args], { env: { ...process.env, NO_COLOR: '1' } });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}
