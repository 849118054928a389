/**
 * A newcomer's first minutes: `cairn dev` comes up, prints a first receipt and what to try next; every command it prints
 * does what it says; stopping is clean, and starting again goes on where it was.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { createClient, type ReadingAnswer } from '@cairn-ledger/sdk';
import { choosePorts } from '../packages/node/src/cli/dev/ports.ts';
import { basePort, type CommandOutcome, type RunningCommand, runCairn, startCairn, until } from './network.ts';

type Ready = {
  readonly event: 'ready';
  readonly nodes: readonly { readonly id: string; readonly http: string; readonly pid: number; readonly dir: string }[];
  readonly mqtt: string;
};
type Receipt = { readonly event: 'receipt'; readonly id: string; readonly height: number; readonly leafIndex: number };
type Running = { readonly command: RunningCommand; readonly ready: Ready };

const folder = mkdtempSync(join(tmpdir(), 'cairn-first-'));
const startedWithinMs = 60_000;
let port: number;
let running: RunningCommand | null = null;
let ready: Ready;
/** What `cairn dev` says in words, of its second start. */
let words = '';
let firstReceipt: Receipt;

before(async () => {
  const ports = await choosePorts(basePort, false, 4);
  assert.ok(ports.ok);
  port = ports.value.base;
});

after(async () => {
  running?.process.kill('SIGKILL');
  await running?.ended;
  // Nodes end by themselves when what started them is gone.
  await until('no node is left', 20_000, async () => (ready?.nodes ?? []).every(({ pid }) => !isAlive(pid)));
  rmSync(folder, { recursive: true, force: true });
});

const limits = { timeout: 120_000 };

test('cairn dev --json says first that it is ready, with nodes, their processes and the broker', limits, async () => {
  const started = await startDev();
  ready = started.ready;
  const first = JSON.parse(started.command.stdout().split('\n')[0]!) as Ready;
  assert.equal(first.event, 'ready');
  assert.deepEqual(
    first.nodes.map((node) => node.id),
    ['node-1', 'node-2', 'node-3', 'node-4'],
  );
  for (const { http, pid, dir } of first.nodes) {
    assert.match(http, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.ok(isAlive(pid));
    assert.ok(existsSync(join(dir, 'node.json')));
    const status = await createClient({ nodes: [http] }).status();
    assert.ok(status.ok && status.value.inSync);
  }
  assert.equal(new Set(first.nodes.map(({ pid }) => pid)).size, 4);
  assert.match(first.mqtt, /^mqtt:\/\/127\.0\.0\.1:\d+$/);
});

test('the first receipt verifies offline', limits, async () => {
  firstReceipt = await lineOf<Receipt>(running!, 'receipt');
  const verified = await cairn('verify', join('.cairn-dev', 'first.receipt'), '--json');
  assert.equal(verified.code, 0, verified.stderr);
  const answer = JSON.parse(verified.stdout) as { verified: boolean; leafIndex: number };
  assert.equal(answer.verified, true);
  assert.equal(answer.leafIndex, firstReceipt.leafIndex);
});

test('a fleet of twenty members sends readings by itself', limits, async () => {
  await until('readings of every member arrive', 30_000, async () => {
    const answers = await Promise.all(
      ['alder/sensor', 'oak/sensor', 'poplar/sensor'].map((device) =>
        createClient({ nodes: [ready.nodes[1]!.http] }).readings(device),
      ),
    );
    return answers.every((answer) => answer.ok && answer.value.readings.length > 0);
  });
});

test('it stops cleanly, and leaves no process behind', limits, async () => {
  await stopDev();
  for (const { pid } of ready.nodes) assert.ok(!isAlive(pid));
  assert.ok(!existsSync(join(folder, '.cairn-dev', 'dev.pid')));
});

test('starting again goes on where it was, and says in words what to try next', limits, async () => {
  const command = startCairn(['dev', '--no-fleet'], folder);
  running = command;
  await until('it shows what to try', startedWithinMs, async () => command.stdout().includes('cairn readings'));
  words = command.stdout();
  assert.match(words, /going on with a network of 4 nodes/);
  assert.match(words, /first receipt, verified: [0-9a-f]{64}/);
  ready = { ...ready, nodes: ready.nodes.map((node) => ({ ...node, pid: pidIn(words, node.id) })) };
  const shown = await cairn('show', firstReceipt.id, '--json');
  assert.equal(shown.code, 0, shown.stderr);
  const answer = JSON.parse(shown.stdout) as { height: number; leafIndex: number; certified: boolean };
  assert.deepEqual(
    { height: answer.height, leafIndex: answer.leafIndex, certified: answer.certified },
    { height: firstReceipt.height, leafIndex: firstReceipt.leafIndex, certified: true },
  );
  const status = await createClient({ nodes: [ready.nodes[0]!.http] }).status();
  assert.ok(status.ok && status.value.executedHeight > firstReceipt.height);
});

test('every command that it prints does what it says', limits, async () => {
  const lines = words.split('\n').flatMap((line) => /^ {2}npx cairn (.*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['send', 'verify', 'show', 'send', 'readings'],
  );
  const outcomes: CommandOutcome[] = [];
  for (const line of lines) outcomes.push(await cairn(...line.split(' ')));
  const [sent, verified, shown, forged, readings] = outcomes as [
    CommandOutcome,
    CommandOutcome,
    CommandOutcome,
    CommandOutcome,
    CommandOutcome,
  ];
  assert.equal(sent.code, 0, sent.stderr);
  assert.match(sent.stdout, /receipt verified/);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /^verified: transaction/);
  assert.match(verified.stdout, /temperature = 21\.5 Cel/);
  assert.equal(shown.code, 0, shown.stderr);
  const bytes = readFileSync(join(folder, '.cairn-dev', 'first.cose')).toString('hex');
  assert.equal(shown.stdout.trim(), bytes, 'another node has the same bytes');
  assert.equal(forged.code, 3, forged.stdout);
  assert.match(forged.stderr, /\[tx\.bad-signature\]/);
  assert.equal(readings.code, 0, readings.stderr);
  assert.match(readings.stdout, /alder\/desk\/temperature +21\.50 +Cel +device-signed/);
  assert.match(readings.stdout, /alder\/desk\/temperature +21\.5 +Cel +device-signed/);
});

test('status tells of all nodes, readings come as CSV and JSON, doctor finds the machine fit', limits, async () => {
  const status = await cairn('status');
  assert.equal(status.code, 0, status.stderr);
  for (const { id } of ready.nodes) assert.match(status.stdout, new RegExp(`${id} .* active`));
  const json = await cairn('readings', 'alder/desk', '--all', '--json');
  const rows = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ReadingAnswer);
  const csv = await cairn('readings', 'alder/desk', '--all', '--format', 'csv');
  assert.equal(csv.stdout.trim().split('\n').length, rows.length + 1);
  const doctor = await cairn('doctor', '--json');
  const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; verdict: string; advice?: string }[] };
  assert.ok(checks.length >= 3);
  for (const check of checks) assert.ok(check.verdict === 'good' || check.advice, `${check.name} says what to do`);
});

test('a mistake is answered with what to do, and an exit code', limits, async () => {
  const cases: [number, RegExp, string[]][] = [
    [2, /--help shows how/, ['sned']],
    [2, /is not a reading.*temperature=21\.5:Cel/, ['send', 'warm']],
    [2, /there is no key at .*cairn key new/, ['send', 't=1', '--key', 'missing.key']],
    [2, /the network has eur/, ['send', '--pay', 'birch=1:usd']],
    [2, /64 hexadecimal digits/, ['show', '12']],
    [1, /http\.not-found/, ['show', '00'.repeat(32)]],
    [3, /asset\.insufficient/, ['send', '--pay', 'birch=99999999:eur', '--wait']],
    [4, /receipt\./, ['verify', 'my.receipt', join('.cairn-dev', 'first.cose')]],
  ];
  for (const [code, says, args] of cases) {
    const outcome = await cairn(...args);
    assert.equal(outcome.code, code, `cairn ${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
    assert.match(outcome.stderr, says, `cairn ${args.join(' ')}`);
    assert.doesNotMatch(outcome.stderr, /a bug of ours/);
  }
});

test('a second cairn dev in the same folder is refused', limits, async () => {
  const second = await cairn('dev', '--json');
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /dev\.running/);
});

test('when cairn dev is killed, its nodes end by themselves and the next start goes on', limits, async () => {
  running!.process.kill('SIGKILL');
  await running!.ended;
  await until('all nodes have ended', 20_000, async () => ready.nodes.every(({ pid }) => !isAlive(pid)));
  const again = await startDev('--no-fleet');
  ready = again.ready;
  const readings = await createClient({ nodes: [ready.nodes[2]!.http] }).readings('alder/desk');
  assert.ok(readings.ok && readings.value.readings.length >= 3);
  await stopDev();
});

function cairn(...args: string[]): Promise<CommandOutcome> {
  return runCairn(args, folder);
}

async function startDev(...more: string[]): Promise<Running> {
  const command = startCairn(['dev', '--json', '--port', String(port), ...more], folder);
  running = command;
  return { command, ready: await lineOf<Ready>(command, 'ready') };
}

async function stopDev(): Promise<void> {
  running!.process.kill('SIGINT');
  const { code, stdout, stderr } = await running!.ended;
  running = null;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /\{"event":"stopped"\}\n$/);
}

/** The first line of this event; waits for it. */
async function lineOf<T>(command: RunningCommand, event: string): Promise<T> {
  let found: string | undefined;
  await until(`cairn dev says ${event}`, startedWithinMs, async () => {
    if (command.process.exitCode !== null) throw new Error(`it has ended: ${(await command.ended).stderr}`);
    const complete = command.stdout().split('\n').slice(0, -1);
    found = complete.find((line) => line.startsWith(`{"event":"${event}"`));
    return found !== undefined;
  });
  return JSON.parse(found!) as T;
}

function pidIn(text: string, id: string): number {
  return Number(new RegExp(`${id} .*process (\\d+)`).exec(text)?.[1]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
