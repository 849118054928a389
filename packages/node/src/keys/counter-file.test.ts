import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { counterPathOf, reserveCounters } from './counter-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-counter-'));
after(() => rmSync(dir, { recursive: true }));

async function reserve(key: string, count: number, atLeast?: bigint): Promise<bigint> {
  const first = await reserveCounters(join(dir, key), count, atLeast);
  assert.ok(first.ok);
  return first.value;
}

test('counters follow each other without gaps or repeats', async () => {
  assert.equal(await reserve('a', 1), 1n);
  assert.equal(await reserve('a', 10), 2n);
  assert.equal(await reserve('a', 1), 12n);
  assert.equal(readFileSync(counterPathOf(join(dir, 'a')), 'utf8'), '13\n');
});

test('reservations at the same time never overlap', async () => {
  const firsts = await Promise.all(Array.from({ length: 20 }, () => reserve('b', 5)));
  const sorted = [...firsts].sort((x, y) => (x < y ? -1 : 1));
  assert.deepEqual(
    sorted,
    Array.from({ length: 20 }, (_, index) => 1n + 5n * BigInt(index)),
  );
});

test('a file that is behind the ledger jumps ahead, never back', async () => {
  assert.equal(await reserve('c', 1, 500n), 500n);
  assert.equal(await reserve('c', 1, 3n), 501n);
});

test('a lock left by a process that died is dropped', async () => {
  const lock = `${counterPathOf(join(dir, 'd'))}.lock`;
  writeFileSync(lock, '');
  utimesSync(lock, new Date(0), new Date(0));
  assert.equal(await reserve('d', 1), 1n);
});

test('a damaged counter file is refused, not restarted at 1', async () => {
  writeFileSync(counterPathOf(join(dir, 'e')), 'garbage');
  const first = await reserveCounters(join(dir, 'e'), 1);
  assert.equal(!first.ok && first.error.code, 'counter.malformed');
});
