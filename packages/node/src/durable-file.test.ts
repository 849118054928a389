import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { writeDurably } from './durable-file.ts';

test('a file is replaced as a whole, and nothing stays beside it', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-durable-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'file');
  writeDurably(path, 'a longer text');
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
  const bytes = new Uint8Array(1 << 20).fill(7);
  writeDurably(path, bytes, 0o644);
  assert.ok(readFileSync(path).equals(bytes));
  assert.deepEqual(readdirSync(dir), ['file']);
});

test('a file that cannot be put in its place throws, and what is there stays', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-durable-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'folder');
  mkdirSync(path);
  assert.throws(() => writeDurably(path, 'text'));
  assert.ok(statSync(path).isDirectory());
  assert.throws(() => writeDurably(join(dir, 'missing', 'file'), 'text'));
});
