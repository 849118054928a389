import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createWaiters } from './waiters.ts';

const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const never = new AbortController().signal;

/** Whether a promise has resolved by now. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(() => resolve(false)))]);
}

test('a waiter is told when the block of its transaction is certified, not before', async () => {
  const waiters = createWaiters();
  const waiting = waiters.wait(id(1), null, 60_000, never);
  waiters.onCertified(4);
  waiters.onExecuted(5, Uint8Array.of(...id(9), ...id(1)));
  assert.equal(await isDone(waiting), false);
  waiters.onCertified(6);
  assert.equal(await isDone(waiting), true);
  assert.equal(waiters.count, 0);
});

test('who comes between execution and certification is told, too', async () => {
  const waiters = createWaiters();
  waiters.onExecuted(5, id(1));
  const waiting = waiters.wait(id(1), 5, 60_000, never);
  waiters.onCertified(5);
  assert.equal(await isDone(waiting), true);
});

test('several may wait for one transaction; time-out and signal end each by itself', async () => {
  const waiters = createWaiters();
  const gone = new AbortController();
  const [first, second, third] = [
    waiters.wait(id(1), null, 60_000, never),
    waiters.wait(id(1), null, 60_000, gone.signal),
    waiters.wait(id(1), null, 1, never),
  ];
  gone.abort();
  await Promise.all([second, third]);
  assert.equal(await isDone(first), false);
  waiters.onExecuted(2, id(1));
  waiters.onCertified(2);
  await first;
  assert.equal(waiters.count, 0);
});

test('a signal that was given before ends the wait at once', async () => {
  const waiters = createWaiters();
  await waiters.wait(id(1), null, 60_000, AbortSignal.abort());
  assert.equal(waiters.count, 0);
});
