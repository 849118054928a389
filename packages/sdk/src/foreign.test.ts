/** Our bytes, read by a program that has nothing of ours but the description of the format. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeEpochsFile } from '@cairn-ledger/core';
import { createFakeNetwork } from './testing/fake-network.ts';

const script = fileURLToPath(new URL('testing/follow-epochs.py', import.meta.url));
const hasPython = spawnSync('python3', ['-V']).status === 0;
const dir = mkdtempSync(join(tmpdir(), 'cairn-foreign-'));
after(() => rmSync(dir, { recursive: true }));

const network = createFakeNetwork();
network.changeTo('node-1', 'node-2', 'node-3', 'node-4', 'node-5');
network.changeTo('node-2', 'node-3', 'node-4', 'node-5');
writeFileSync(join(dir, 'genesis'), network.genesis);

function follow(epochs: Uint8Array): string {
  writeFileSync(join(dir, 'epochs'), epochs);
  const { stdout, stderr } = spawnSync('python3', [script, join(dir, 'genesis'), join(dir, 'epochs')]);
  assert.equal(stderr.toString(), '');
  return stdout.toString().trim();
}

test('another program follows the epochs over the same bytes, and finds the same forgeries', {
  skip: !hasPython,
}, () => {
  const [first, second] = network.proofs as [(typeof network.proofs)[0], (typeof network.proofs)[0]];
  const { ledgerHash } = network;
  const fileOf = (...proofs: typeof network.proofs) => encodeEpochsFile({ ledgerHash, proofs });
  assert.equal(follow(fileOf()), '1 node-1 node-2 node-3 node-4');
  assert.equal(follow(fileOf(first, second)), '3 node-2 node-3 node-4 node-5');
  assert.equal(follow(fileOf(second)), 'another ledger or epoch');
  assert.equal(follow(fileOf({ ...first, validators: second.validators })), 'another set than the one signed');
  assert.equal(follow(fileOf({ ...first, signatures: first.signatures.slice(1) })), 'too few signers');
  const later = first.signatures.map((each, i) => (i === 2 ? { ...each, issuedSeconds: 5 } : each));
  assert.equal(follow(fileOf({ ...first, signatures: later })), 'a false signature of node-3');
});
