import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { verdict } from './messages.ts';
import { batchBytes, createLedgerBench, digestOf, forged, stranger, transaction } from './testing/ledger-bench.ts';

const bench = createLedgerBench();
after(() => bench.end());
const create = () => createBatchPreparer(bench.chain.store, sodiumVerifier);
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('each transaction gets its verdict: valid, invalid, key unknown, not a transaction at all', () => {
  const preparer = create();
  const bytes = batchBytes(1, [transaction(), forged(), transaction(stranger), Uint8Array.of(1, 2)]);
  const { transactions, verdicts } = preparer.open(bytes, true);
  assert.deepEqual([...verdicts], [verdict.valid, verdict.invalid, verdict.unknownKey, verdict.unknownKey]);
  assert.ok('malformed' in transactions[3]!);
  assert.deepEqual(preparer.counters, { checked: 2, invalid: 1 });
});

test('a batch is checked a little at a time; what is not checked when its block comes is checked at once', async () => {
  const preparer = create();
  const bytes = batchBytes(
    2,
    Array.from({ length: 60 }, () => transaction()),
  );
  preparer.add(bytes, true);
  await turns(2);
  assert.ok(preparer.counters.checked > 0 && preparer.counters.checked < 60);
  const taken = preparer.take(digestOf(bytes));
  assert.ok(taken?.verdicts.every((each) => each === verdict.valid));
  assert.equal(preparer.counters.checked, 60, 'none is checked twice');
  assert.equal(preparer.take(digestOf(bytes)), null, 'it is taken once');
});

test('where verification threads check, a batch is only held', async () => {
  const preparer = create();
  const bytes = batchBytes(3, [transaction(), forged()]);
  preparer.add(bytes, false);
  await turns(3);
  assert.deepEqual([...preparer.take(digestOf(bytes))!.verdicts], [verdict.unknownKey, verdict.unknownKey]);
  assert.equal(preparer.counters.checked, 0);
});

test('a batch that is forgotten is not there any more', () => {
  const preparer = create();
  const bytes = batchBytes(4, [transaction()]);
  preparer.add(bytes, true);
  preparer.forget(digestOf(bytes));
  assert.equal(preparer.take(digestOf(bytes)), null);
});
