/** Reads of a state that another thread writes: what fits no hash of its block is never returned. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createStateTree, pathToKey, type StateRow, sha256, type Write } from '@cairn-ledger/core';
import { createCheckedStore, hashesOfBuckets } from './checked-state.ts';
import { createStateHashes, readStateHashes, writeStateHashes } from './state-hashes.ts';
import { bucketOf } from './state-table.ts';
import { findingOf } from './storage-error.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const isDamage = (cause: unknown): boolean => findingOf(cause)?.class === 'state';

/** Rows as chain.db has them, the tree over them, and a reader in another thread's place. */
function createTable(count: number) {
  const rows = new Map<string, Uint8Array>();
  const shared = createStateHashes();
  const writer = writeStateHashes(shared);
  const tree = createStateTree({ entriesBetween: () => [] }, { onBucket: writer.set });
  let bucketReads = 0;
  const rowsOf = (bucket: number): StateRow[] => {
    bucketReads++;
    return [...rows]
      .map(([path, value]) => ({ key: pathToKey(path), value }))
      .filter(({ key }) => bucketOf(sha256(key)) === bucket);
  };
  const store = {
    get: (key: Uint8Array) => rows.get(new TextDecoder().decode(key)) ?? null,
    list: (prefix: Uint8Array) =>
      [...rows]
        .filter(([path]) => path.startsWith(new TextDecoder().decode(prefix)))
        .map(([path, value]) => ({ key: pathToKey(path), value })),
  };
  const checked = createCheckedStore(store, hashesOfBuckets(readStateHashes(shared), rowsOf));
  const update = (changes: Readonly<Record<string, string>>): void => {
    const writes: Write[] = Object.entries(changes).map(([path, value]) => ({
      key: pathToKey(path),
      value: bytes(value),
    }));
    tree.update(writes);
    writer.publish(() => {
      for (const [path, value] of Object.entries(changes)) rows.set(path, bytes(value));
    });
  };
  update(Object.fromEntries(Array.from({ length: count }, (_, i) => [`account/a${i}/gold`, `${i}`])));
  return { rows, shared, writer, checked, update, reads: () => bucketReads };
}

const text = (value: Uint8Array | null): string | null => (value === null ? null : new TextDecoder().decode(value));

test('what is there is returned, and what is not, block after block', () => {
  const { checked, update } = createTable(50);
  assert.equal(text(checked.get(pathToKey('account/a7/gold'))), '7');
  assert.equal(checked.get(pathToKey('account/none/gold')), null);
  update({ 'account/a7/gold': '70', 'account/new/gold': '1' });
  assert.equal(text(checked.get(pathToKey('account/a7/gold'))), '70');
  assert.equal(text(checked.get(pathToKey('account/new/gold'))), '1');
  assert.equal([...checked.list(pathToKey('account/'))].length, 51);
});

test('a value that was changed, a row that is gone and one that was put in are damage, in every kind of read', () => {
  const { checked, rows } = createTable(50);
  for (const [path, value] of [
    ['account/a7/gold', bytes('1000000')],
    ['account/a7/gold', null],
    ['account/stranger/gold', bytes('5')],
  ] as const) {
    const before = rows.get(path);
    for (const isKnown of [false, true]) {
      if (isKnown) checked.get(pathToKey(path));
      if (value === null) rows.delete(path);
      else rows.set(path, value);
      assert.throws(() => checked.get(pathToKey(path)), isDamage);
      if (value !== null) assert.throws(() => [...checked.list(pathToKey('account/'))], isDamage);
      if (before === undefined) rows.delete(path);
      else rows.set(path, before);
      assert.equal(text(checked.get(pathToKey(path))), text(before ?? null), 'put back, it is true again');
    }
  }
});

test('a bucket that did not change is read once', () => {
  const { checked, update, reads } = createTable(20);
  for (let i = 0; i < 10; i++) checked.get(pathToKey('account/a3/gold'));
  assert.equal(reads(), 1);
  update({ 'account/a3/gold': '4' });
  for (let i = 0; i < 10; i++) checked.get(pathToKey('account/a3/gold'));
  assert.equal(reads(), 2);
});

test('a list that began before a block goes on behind it with what is true by then', () => {
  const { checked, update } = createTable(9);
  const values: (string | null)[] = [];
  for (const { value } of checked.list(pathToKey('account/'))) {
    if (values.length === 0) update({ 'account/a5/gold': '55' });
    values.push(text(value));
  }
  assert.deepEqual(values, ['0', '1', '2', '3', '4', '55', '6', '7', '8']);
});

test('whoever sees the rows of a block before its hashes waits for them, and reports no damage', async () => {
  const { checked, rows, shared } = createTable(5);
  // The other thread is in the middle of its commit: the row is there, its hash is not.
  const path = 'account/a2/gold';
  const stamp = new Int32Array(shared, shared.byteLength - 4, 1);
  Atomics.add(stamp, 0, 1);
  rows.set(path, bytes('22'));
  const key = pathToKey(path);
  const bucket = bucketOf(sha256(key));
  const hash = sha256(Uint8Array.from([0, ...sha256(key), ...sha256(bytes('22'))]));
  const worker = new Worker(
    `const { workerData: { shared, bucket, hash } } = require('node:worker_threads');
     setTimeout(() => {
       new Uint8Array(shared).set(hash, bucket * 32);
       const stamp = new Int32Array(shared, shared.byteLength - 4, 1);
       Atomics.add(stamp, 0, 1);
       Atomics.notify(stamp, 0);
     }, 50);`,
    { eval: true, workerData: { shared, bucket, hash } },
  );
  assert.equal(text(checked.get(key)), '22');
  await worker.terminate();
});
