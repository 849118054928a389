import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createClosers } from './closers.ts';
import { createFailure, errorOf, NodeFailed } from './failure.ts';

function createWatched() {
  const seen: string[] = [];
  const log = {
    error: (event: string, fields?: object) => void seen.push(`log ${event} ${JSON.stringify(fields)}`),
    flush: () => void seen.push('flush'),
  };
  const failure = createFailure(
    log,
    () => seen.push('stop signing'),
    ({ code }) => code === 'storage.damaged',
    (code) => seen.push(`exit ${code}`),
  );
  return { failure, seen };
}
const full = { code: 'storage.failed', message: 'the disk is full' };

test('a failure while starting goes to whoever starts the node, with its code', async () => {
  const { failure, seen } = createWatched();
  const start = failure.whileStarting(new Promise(() => undefined));
  failure.fail(full);
  await assert.rejects(start, (error: unknown) => error instanceof NodeFailed && error.code === 'storage.failed');
  assert.deepEqual(seen, ['stop signing']);
  failure.release();
});

test('a failure while running is logged, the log written out, and only then the process ended; once', async () => {
  const { failure, seen } = createWatched();
  await failure.whileStarting(Promise.resolve());
  failure.fail(full);
  failure.fail(full);
  assert.deepEqual(seen, [
    'stop signing',
    'log node.failed {"code":"storage.failed","message":"the disk is full"}',
    'flush',
    'exit 1',
  ]);
  failure.release();
});

test('what fails while stopping ends signing, and is not reported as the end of a running node', async () => {
  const { failure, seen } = createWatched();
  await failure.whileStarting(Promise.resolve());
  failure.onStopping();
  failure.fail(full);
  failure.fail(full);
  assert.deepEqual(seen, ['stop signing']);
  failure.release();
});

test('whatever is thrown becomes a code and a sentence: never "[object Object]", never a bare stack', () => {
  assert.deepEqual(errorOf({ ...full, extra: 1 }), full);
  assert.deepEqual(errorOf(new NodeFailed(full)), full);
  const bug = errorOf(new TypeError('x is not a function'), 'the ledger thread');
  assert.equal(bug.code, 'node.failed');
  assert.match(bug.message, /^the ledger thread ended: TypeError: x is not a function \(at .*failure\.test\.ts/);
  assert.ok(!bug.message.includes('\n'));
  assert.equal(errorOf({ reason: 7 }).message, 'the node ended: {"reason":7}');
  assert.equal(errorOf(undefined).message, 'the node ended: undefined');
  assert.equal(errorOf(Object.assign(new Error('no'), { code: 'EACCES' })).code, 'node.failed');
});

test('everything opened is closed in the opposite order, also after one that fails', async () => {
  const closers = createClosers();
  const closed: number[] = [];
  closers.add(() => void closed.push(1));
  closers.add(async () => {
    throw new Error('two');
  });
  closers.add(() => void closed.push(3));
  await assert.rejects(closers.closeAll(), /two/);
  assert.deepEqual(closed, [3, 1]);
  await closers.closeAll();
});
