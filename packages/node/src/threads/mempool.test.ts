import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Batch } from '@cairn-ledger/core';
import { createMempool, mempoolBytesMax, type Sealing } from './mempool.ts';

const fenced = { code: 'node.fenced', message: 'signs nothing' };
const batchOf = (...transactions: Uint8Array[]): Batch => ({ transactions }) as unknown as Batch;

function createWatched() {
  const submitted: Uint8Array[] = [];
  const outcomes: Sealing[] = [];
  const mempool = createMempool((transactions) => submitted.push(...transactions));
  return { mempool, submitted, outcomes, note: (outcome: Sealing) => void outcomes.push(outcome) };
}

test('a group is safe once all of it is in durable batches, however they are cut', () => {
  const { mempool, submitted, outcomes, note } = createWatched();
  const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2, 2), Uint8Array.of(3)];
  assert.ok(mempool.add([a, b], note));
  assert.ok(mempool.add([c], note));
  assert.deepEqual(submitted, [a, b, c]);
  assert.deepEqual([mempool.transactionsCount, mempool.sizeBytes], [3, 4]);
  mempool.onSealed(batchOf(a));
  assert.deepEqual(outcomes, []);
  mempool.onSealed(batchOf(b, c));
  assert.deepEqual(outcomes, ['safe', 'safe']);
  assert.deepEqual([mempool.transactionsCount, mempool.sizeBytes], [0, 0]);
});

test('equal bytes handed in twice are two transactions', () => {
  const { mempool, outcomes, note } = createWatched();
  const [first, again] = [Uint8Array.of(1), Uint8Array.of(1)];
  mempool.add([first], note);
  mempool.add([again], note);
  mempool.onSealed(batchOf(first));
  assert.deepEqual(outcomes, ['safe']);
  assert.equal(mempool.sizeBytes, 1);
});

test('beyond its bytes nothing is taken until there is room', () => {
  const { mempool, submitted, note } = createWatched();
  const large = new Uint8Array(mempoolBytesMax);
  assert.ok(mempool.add([large], note));
  assert.equal(mempool.add([Uint8Array.of(1)], note), false);
  assert.equal(submitted.length, 1);
  mempool.onSealed(batchOf(large));
  assert.ok(mempool.add([Uint8Array.of(1)], note));
});

test('when nothing is sealed any more, whoever waits is told once, and a late batch changes nothing', () => {
  const { mempool, outcomes, note } = createWatched();
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  mempool.add([a, b], note);
  mempool.refuseAll(fenced);
  mempool.onSealed(batchOf(a, b));
  assert.deepEqual(outcomes, [fenced]);
  assert.equal(mempool.sizeBytes, 0);
});
