import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { toHex } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { verdict } from './messages.ts';
import { batchBytes, createLedgerBench, forged, stranger, transaction } from './testing/ledger-bench.ts';

let bench = createLedgerBench();
after(() => bench.end());
let seq = 0;
const open = (transactions: Uint8Array[], checks = true) => {
  seq++;
  return createBatchPreparer(bench.chain.store, sodiumVerifier).open(batchBytes(seq, transactions), checks);
};

test('a new database begins with the genesis: height 0, two leaves', () => {
  const tip = bench.chain.tip();
  assert.equal(tip?.height, 0);
  assert.equal(tip?.historySize, 2);
});

test('who checked the signatures makes no difference to what is accepted', () => {
  const mixed = (): Uint8Array[] => [transaction(), forged(), transaction(stranger), Uint8Array.of(7)];
  const expected = ['ok', 'tx.bad-signature', 'tx.unknown-key', 'tx.malformed'];
  assert.deepEqual(bench.execute([open(mixed(), true)]).codes, expected);
  // Unknown verdicts: execution checks by itself.
  assert.deepEqual(bench.execute([open(mixed(), false)]).codes, expected);
});

test('a verdict that came with the batch is believed, and belongs to that one transaction', () => {
  const prepared = open([forged(), transaction()], false);
  const verdicts = Uint8Array.of(verdict.invalid, verdict.valid);
  assert.deepEqual(bench.execute([{ ...prepared, verdicts }]).codes, ['tx.bad-signature', 'ok']);
});

test('a transaction listed twice is accepted once', () => {
  const again = transaction();
  assert.deepEqual(bench.execute([open([again]), open([again])]).codes, ['ok', 'tx.replayed']);
});

test('after a restart the next block leads to the same roots as without one', () => {
  const blocks = Array.from({ length: 4 }, () => [transaction(), transaction()]);
  const finalRoots = (isRestarted: boolean): string => {
    seq = 100;
    let other = createLedgerBench();
    for (const transactions of blocks) {
      other.execute([open(transactions)]);
      if (isRestarted) other = other.again();
    }
    const { statement } = other.chain.checkpoint(other.chain.tip()!.height)!;
    other.end();
    return toHex(statement);
  };
  assert.equal(finalRoots(true), finalRoots(false));
  bench = bench.again();
  assert.equal(bench.execute([open([transaction()])]).codes[0], 'ok');
});
