import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { createKey } from '@cairn-ledger/sdk';
import { readKeyFile, writeKeyFile } from './key-file.ts';
import { createNodeKeys, nodeKeyUses, readNodeKeys } from './node-keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-keys-'));
after(() => rmSync(dir, { recursive: true }));
const onWindows = process.platform === 'win32';

test('a key comes back from its file as it went in, for both algorithms', () => {
  for (const algorithm of ['ed25519', 'p256'] as const) {
    const path = join(dir, `${algorithm}.key`);
    const key = createKey(algorithm);
    assert.ok(writeKeyFile(path, key).ok);
    const read = readKeyFile(path);
    assert.ok(read.ok);
    assert.deepEqual(read.value, key);
  }
});

test('a new key file is for its owner alone', { skip: onWindows }, () => {
  const path = join(dir, 'mode.key');
  assert.ok(writeKeyFile(path, createKey()).ok);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a key that others may read is refused, and the answer says how to go on', { skip: onWindows }, () => {
  const path = join(dir, 'open.key');
  assert.ok(writeKeyFile(path, createKey()).ok);
  for (const mode of [0o644, 0o640, 0o604, 0o620]) {
    chmodSync(path, mode);
    const read = readKeyFile(path);
    assert.equal(!read.ok && read.error.code, 'keyfile.too-open', mode.toString(8));
    assert.match(!read.ok ? read.error.message : '', /chmod 600/);
  }
  chmodSync(path, 0o400);
  assert.ok(readKeyFile(path).ok);
});

test('an existing file is never written over', () => {
  const path = join(dir, 'once.key');
  assert.ok(writeKeyFile(path, createKey()).ok);
  const before = readFileSync(path);
  const again = writeKeyFile(path, createKey());
  assert.equal(!again.ok && again.error.code, 'keyfile.exists');
  assert.deepEqual(readFileSync(path), before);
});

test('what is no key has an error of its own', () => {
  const contents: [string, string][] = [
    ['', 'keyfile.malformed'],
    ['{}', 'keyfile.malformed'],
    ['{"kty":"OKP","crv":"Ed25519","x":"","d":"AAAA"}', 'keyfile.malformed'],
    ['{"kty":"RSA"}', 'keyfile.malformed'],
    ['x'.repeat(10_000), 'keyfile.malformed'],
  ];
  for (const [content, code] of contents) {
    const path = join(dir, 'bad.key');
    writeFileSync(path, content, { mode: 0o600 });
    const read = readKeyFile(path);
    assert.equal(!read.ok && read.error.code, code, content.slice(0, 40));
  }
  const missing = readKeyFile(join(dir, 'none.key'));
  assert.equal(!missing.ok && missing.error.code, 'keyfile.missing');
});

test('a public part that does not belong to the secret is noticed', () => {
  const path = join(dir, 'mixed.key');
  const other = createKey();
  assert.ok(writeKeyFile(path, { ...createKey(), publicKey: other.publicKey }).ok);
  const read = readKeyFile(path);
  assert.equal(!read.ok && read.error.code, 'keyfile.mismatch');
});

test('a node has four different keys, and starts with none missing', () => {
  const keysDir = join(dir, 'node', 'keys');
  const made = createNodeKeys(keysDir);
  assert.ok(made.ok);
  const read = readNodeKeys(keysDir);
  assert.ok(read.ok);
  assert.deepEqual(read.value, made.value);
  const publicKeys = nodeKeyUses.map((use) => Buffer.from(read.value[use].publicKey).toString('hex'));
  assert.equal(new Set(publicKeys).size, 4);
  const again = createNodeKeys(keysDir);
  assert.equal(!again.ok && again.error.code, 'keyfile.exists');
  rmSync(join(keysDir, 'checkpoint.key'));
  const missing = readNodeKeys(keysDir);
  assert.equal(!missing.ok && missing.error.code, 'keyfile.missing');
});

test('a node’s keys are Ed25519', () => {
  const keysDir = join(dir, 'p256-node');
  for (const use of nodeKeyUses) {
    assert.ok(writeKeyFile(join(keysDir, `${use}.key`), createKey(use === 'voting' ? 'p256' : 'ed25519')).ok);
  }
  const read = readNodeKeys(keysDir);
  assert.equal(!read.ok && read.error.code, 'keyfile.wrong-algorithm');
});
