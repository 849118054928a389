import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeEpochsFile } from '@cairn-ledger/core';
import { createFakeNetwork, startFakeNode } from '@cairn-ledger/sdk/testing';

const entry = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'cairn-receipts-'));
const network = createFakeNetwork({ genesisMs: Date.now() - 10 * 86_400_000 });
const nodes = [await startFakeNode(network), await startFakeNode(network)];
const [node, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
writeFileSync(join(dir, 'genesis.cbor'), network.genesis);
writeFileSync(join(dir, 'other.cbor'), createFakeNetwork().genesis);
after(async () => {
  await Promise.all(nodes.map((each) => each.close()));
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

const at = (name: string) => join(dir, name);
const withGenesis = ['--genesis', 'genesis.cbor'];
const on = [...withGenesis, '--node', node.url];
const send = (save: string) => cairn('send', 't=1.50', '--key', 'sensor.key', '--save', save, '--json', ...on);
const copyReceipt = (from: string, to: string, ...extensions: string[]) => {
  for (const extension of extensions) copyFileSync(at(`${from}.${extension}`), at(`${to}.${extension}`));
};

test('a receipt of the first epoch is saved without proofs, and stays good when the validators have changed', async () => {
  assert.equal((await cairn('key', 'new', 'sensor.key')).code, 0);
  const sent = await send('first.receipt');
  assert.equal(sent.code, 0, sent.stderr);
  assert.deepEqual(JSON.parse(sent.stdout).saved, {
    receipt: 'first.receipt',
    transaction: 'first.cose',
    epochs: null,
  });
  assert.ok(!existsSync(at('first.epochs')));
  network.changeTo('node-2', 'node-3', 'node-4', 'node-5');
  network.changeTo('node-3', 'node-4', 'node-5', 'node-6');
  const verified = await cairn('verify', 'first.receipt', ...withGenesis);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /trust +the genesis, epoch 1: its validators signed/);
});

test('a receipt of a later epoch is saved with the proofs, and verified offline from the genesis alone', async () => {
  const sent = await send('later.receipt');
  assert.equal(sent.code, 0, sent.stderr);
  assert.equal(JSON.parse(sent.stdout).saved.epochs, 'later.epochs');
  assert.deepEqual(readFileSync(at('later.epochs')), Buffer.from(encodeEpochsFile(network)));
  const verified = await cairn('verify', 'later.receipt', ...withGenesis);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /the genesis, epoch 1, and from there over 2 changes of validators, .* to epoch 3/);
  assert.match(verified.stdout, /signed by +node-3, node-4, node-5 \(3 of 4 validators; a quorum is 3\)/);
  const json = JSON.parse((await cairn('verify', 'later.receipt', '--json', ...withGenesis)).stdout);
  assert.deepEqual([json.epoch, json.anchorEpoch, json.membershipChanges, json.trust], [3, 1, 2, 'genesis']);
});

test('without the proofs it says how to get them, and showing it again writes them', async () => {
  copyReceipt('later', 'bare', 'receipt', 'cose');
  const bare = await cairn('verify', 'bare.receipt', ...withGenesis);
  assert.equal(bare.code, 4);
  assert.match(bare.stderr, /cairn show <id> --save <file>.*\[receipt\.unknown-epoch\]/);
  const given = await cairn('verify', 'bare.receipt', '--epochs', 'later.epochs', ...withGenesis);
  assert.equal(given.code, 0, given.stderr);
  const [id] = [...network.accepted.keys()].slice(-1);
  const shown = await cairn('show', id!, '--save', 'shown.receipt', ...on);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /saved +shown\.receipt, shown\.cose and shown\.epochs/);
  assert.equal((await cairn('verify', 'shown.receipt', ...withGenesis)).code, 0);
});

test('the validators that were reached are kept as an anchor, from which later receipts are verified', async () => {
  const kept = await cairn('verify', 'later.receipt', '--save-anchor', 'third.anchor', ...withGenesis);
  assert.match(kept.stdout, /validators of epoch 3, as anchor, in third\.anchor/);
  network.changeTo('node-4', 'node-5', 'node-6', 'node-7');
  assert.equal((await send('newest.receipt')).code, 0);
  for (const more of [[], withGenesis]) {
    const verified = await cairn('verify', 'newest.receipt', '--anchor', 'third.anchor', ...more);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /the anchor third\.anchor, epoch 3, and from there over 1 change of validators/);
  }
  const before = await cairn('verify', 'first.receipt', '--anchor', 'third.anchor');
  assert.equal(before.code, 4);
  assert.match(before.stderr, /begins with epoch 3\. Verify it from the genesis/);
});

test('proofs and anchors that do not belong to the receipt are refused', async () => {
  const other = await cairn('verify', 'newest.receipt', '--anchor', 'third.anchor', '--genesis', 'other.cbor');
  assert.match(other.stderr, /\[anchor\.wrong-ledger\]/);
  const foreign = await cairn('verify', 'newest.receipt', '--genesis', 'other.cbor');
  assert.equal(foreign.code, 4);
  assert.match(foreign.stderr, /\[anchor\.wrong-ledger\]/);
  const noAnchor = await cairn('verify', 'newest.receipt', '--anchor', 'newest.epochs');
  assert.match(noAnchor.stderr, /begin with "cairn-anchor".*\[anchor\.malformed\]/);
  const forged = Buffer.from(readFileSync(at('newest.epochs')));
  forged[forged.length - 100]! ^= 1;
  writeFileSync(at('forged.epochs'), forged);
  const refused = await cairn('verify', 'newest.receipt', '--epochs', 'forged.epochs', ...withGenesis);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /\[anchor\.[a-z-]+\]/);
});

test('a genesis grown old needs f + 1 nodes that confirm what came after it', async () => {
  const alone = await cairn('send', 't=1', '--key', 'sensor.key', '--wait', '--trust-period', '9', ...on);
  assert.equal(alone.code, 4);
  assert.match(alone.stderr, /10 days ago.* 9 days, and 1 of 2 nodes.*\[anchor\.too-old\]/);
  const both = await cairn('send', 't=1', '--key', 'sensor.key', '--wait', '--trust-period', '9', ...on, second.url);
  assert.equal(both.code, 0, both.stderr);
});
