import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createKey, createSigner, signTransaction } from '@cairn-ledger/sdk';
import { createFakeNetwork, startFakeNode } from '@cairn-ledger/sdk/testing';
import type { Command } from 'commander';
import { amountToUnits, unitsToAmount } from './amount-text.ts';
import { choosePorts, isFree } from './dev/ports.ts';
import { createProgram, loadCommands } from './main.ts';

const entry = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'cairn-cli-'));
const network = createFakeNetwork();
const node = await startFakeNode(network);
writeFileSync(join(dir, 'genesis.cbor'), network.genesis);
after(async () => {
  await node.close();
  rmSync(dir, { recursive: true });
});

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function cairn(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [entry, ...args], { cwd: dir });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function commandsOf(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? commandsOf(child) : [child]));
}

test('every command has a help text with an example', async () => {
  const commands = commandsOf(createProgram(await loadCommands(undefined))).filter(
    (command) => command.name() !== 'help',
  );
  assert.ok(commands.length >= 14);
  for (const command of commands) {
    let shown = '';
    command.configureOutput({ writeOut: (text) => (shown += text) });
    command.outputHelp();
    assert.match(shown, /Examples?:\n {2}\$ cairn /, command.name());
  }
});

test('what is called wrongly ends with 2 and says how it is done', async () => {
  const wrong: [string[], RegExp][] = [
    [['sned'], /Did you mean send\?/],
    [['send', 'warm', '--genesis', 'genesis.cbor', '--node', node.url], /temperature=21\.5:Cel/],
    [['send', 'a=1', '--genesis', 'genesis.cbor', '--node', node.url], /--key/],
    [['status'], /cairn dev/],
    [['verify', 'none.receipt', '--genesis', 'genesis.cbor'], /none\.receipt cannot be read/],
    [['node', 'none'], /cairn init/],
    [['dev', '--port', '0'], /port from 1/],
    [['feed', 'none.csv', '--genesis', 'genesis.cbor', '--node', node.url], /none\.csv/],
  ];
  for (const [args, message] of wrong) {
    const ended = await cairn(...args);
    assert.equal(ended.code, 2, `${args.join(' ')}: ${ended.stderr}`);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, '');
  }
});

test('a reading is sent, its receipt saved, verified offline, and shown', async () => {
  assert.equal((await cairn('key', 'new', 'sensor.key')).code, 0);
  const on = ['--genesis', 'genesis.cbor', '--node', node.url];
  const sent = await cairn(
    'send',
    'temperature=21.50:Cel',
    '--time',
    '2013-07-04 00:00:00',
    '--key',
    'sensor.key',
    '--save',
    'a.receipt',
    '--json',
    ...on,
  );
  assert.equal(sent.code, 0, sent.stderr);
  const { id, signers } = JSON.parse(sent.stdout);
  assert.equal(signers.length, 3);
  assert.equal(readFileSync(join(dir, 'sensor.key.counter'), 'utf8'), '2\n');

  const verified = await cairn('verify', 'a.receipt', '--genesis', 'genesis.cbor');
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, new RegExp(`verified: transaction ${id}`));
  assert.match(verified.stdout, /temperature = 21\.50 Cel at 2013-07-04T00:00:00\.000Z/);

  const shown = await cairn('show', id, '--bytes', ...on);
  assert.equal(shown.stdout.trim(), readFileSync(join(dir, 'a.cose')).toString('hex'));
});

test('a receipt that does not verify ends with 4', async () => {
  const forged = readFileSync(join(dir, 'a.cose'));
  forged[forged.indexOf('temperature')] = 0x54;
  writeFileSync(join(dir, 'forged.cose'), forged);
  const verified = await cairn('verify', 'a.receipt', 'forged.cose', '--genesis', 'genesis.cbor', '--json');
  assert.equal(verified.code, 4);
  assert.equal(JSON.parse(verified.stderr).error.code, 'receipt.not-included');
});

test('a transaction that the ledger refuses ends with 3 and its code', async () => {
  const signed = signTransaction(
    {
      ledgerHash: network.ledgerHash,
      counter: 1n,
      readings: [{ name: 't', time: '1700000000', value: { type: 'number', text: '1' } }],
    },
    createSigner(createKey()),
  );
  assert.ok(signed.ok);
  writeFileSync(join(dir, 'stranger.cose'), signed.value);
  node.misbehave = (request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(422).end('{"code":"tx.unknown-key","detail":"No key with this kid is registered."}');
    return true;
  };
  const sent = await cairn(
    'send',
    '--file',
    'stranger.cose',
    '--wait',
    '--genesis',
    'genesis.cbor',
    '--node',
    node.url,
  );
  node.misbehave = null;
  assert.equal(sent.code, 3);
  assert.match(sent.stderr, /No key with this kid is registered.*\[tx\.unknown-key\]/);
});

test('a feed ends with one JSON object, and feeding again sends nothing', async () => {
  writeFileSync(
    join(dir, 'series.csv'),
    'timestamp,value\n2013-07-04 00:00:00,69.88083514\n2013-07-04 01:00:00,71.22022706\n',
  );
  const feed = ['feed', 'series.csv', '--key', 'sensor.key', '--json', '--genesis', 'genesis.cbor', '--node', node.url];
  const first = JSON.parse((await cairn(...feed)).stdout);
  assert.deepEqual([first.complete, first.readings, first.transactions], [true, 2, 1]);
  const again = JSON.parse((await cairn(...feed)).stdout);
  assert.deepEqual([again.complete, again.readings, again.total.readings], [true, 0, 2]);
});

test('what comes from a node without the whole history is said to, and nothing is said of a whole one', async () => {
  const on = ['--genesis', 'genesis.cbor', '--node', node.url];
  const status = {
    ledger: { name: 'fake', hash: 'ab'.repeat(32) },
    node: { id: 'node-1', member: 'alder', version: '0.1.0' },
    ...{ mode: 'active', inSync: true, epoch: 1, executedHeight: 9_000, certifiedHeight: 9_000, validators: 4 },
    ...{ transactions: 1, readings: 1, peers: [], suspended: [], historyRoot: '', stateRoot: '' },
  };
  try {
    for (const heldFrom of [0, 4_100]) {
      node.misbehave = (request, response) => {
        const isStatus = request.url === '/v1/status';
        if (!isStatus && !request.url!.includes('/readings')) return false;
        const answer = isStatus ? status : { readings: [], next: null };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...answer, heldFrom }));
        return true;
      };
      const shown = await cairn('status', ...on);
      assert.equal(shown.code, 0, shown.stderr);
      assert.equal(/History held from block/.test(shown.stdout), heldFrom > 0);
      const listed = await cairn('readings', 'alder/desk', '--format', 'csv', ...on);
      assert.equal(listed.code, 0, listed.stderr);
      assert.equal(listed.stdout.split('\n').length, 2, 'the list itself is the same');
      if (heldFrom === 0) assert.equal(listed.stderr, '');
      else {
        assert.match(shown.stdout, /History held from block 4.100, the rest is being fetched/);
        assert.match(listed.stderr, /^.*only blocks from 4100 on.*\n$/);
      }
    }
  } finally {
    node.misbehave = null;
  }
});

test('amounts are exact in both directions', () => {
  const units = (text: string, decimals: number): unknown => {
    const result = amountToUnits(text, decimals);
    return result.ok ? result.value : result.error.code;
  };
  assert.equal(units('2.5', 2), 250n);
  assert.equal(units('184467440737095516.15', 2), 18446744073709551615n);
  assert.equal(units('184467440737095516.16', 2), 'usage.bad-amount');
  for (const text of ['', '-1', '1.234', '0', '1e3', '.5']) assert.equal(units(text, 2), 'usage.bad-amount', text);
  assert.equal(unitsToAmount(5n, 2), '0.05');
  assert.equal(unitsToAmount(1234n, 0), '1234');
});

test('a port that is asked for is used or refused; otherwise free ones are found', async () => {
  const taken = Number(new URL(node.url).port);
  assert.equal(await isFree(taken), false);
  const fixed = await choosePorts(taken, true, 4);
  assert.equal(!fixed.ok && fixed.error.code, 'dev.port-taken');
  assert.match(!fixed.ok ? fixed.error.message : '', new RegExp(`port ${taken} `));
  const found = await choosePorts(taken, false, 4);
  assert.ok(found.ok && found.value.base !== taken);
});
