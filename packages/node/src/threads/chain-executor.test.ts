import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { toHeight, toHex, validatorSetDigest } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { findingOf } from '../storage/storage-error.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { verdict } from './messages.ts';
import {
  batchBytes,
  createLedgerBench,
  forged,
  genesis,
  stranger,
  transaction,
  validatorNamed,
} from './testing/ledger-bench.ts';

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

test('an epoch ends L heights after the ledger wants another set, and the next one begins with that block', (t) => {
  let other = createLedgerBench();
  t.after(() => other.end());
  const lag = genesis.parameters.checkpointLag;
  const next = [...genesis.validators, validatorNamed('node-0', 20)];
  other.execute([]);
  other.want(next);
  const before = validatorSetDigest(genesis.validators);
  for (let height = 2; height <= lag; height++) {
    const { block, outcome } = other.execute([]);
    assert.equal(block.header.nextSet, null);
    assert.deepEqual(outcome.statement.validatorSet, before);
    assert.deepEqual(outcome.target.digest, validatorSetDigest(next));
  }
  const { block, outcome } = other.execute([]);
  assert.equal(block.header.height, 1 + lag);
  assert.deepEqual(block.header.nextSet, validatorSetDigest(next));
  // Still signed by the epoch that ends, and naming who signs the next height.
  assert.equal(outcome.statement.epoch, 1);
  assert.deepEqual(outcome.statement.validatorSet, validatorSetDigest(next));
  const { epochs } = other.chain;
  const epoch = epochs.latest()!;
  assert.equal(epoch.epoch, 2);
  assert.equal(epoch.genesisHeight, 1 + lag);
  assert.deepEqual(epoch.genesis, { digest: block.digest, timeMs: block.header.timeMs });
  assert.deepEqual(
    epoch.validators.map(({ id }) => id),
    ['node-0', 'node-1'],
  );
  assert.deepEqual(
    [0, 1, 1 + lag, 2 + lag].map((height) => epochs.at(height).epoch),
    [1, 1, 1, 2],
  );

  other = other.again();
  const later = other.execute([open([transaction()])]).outcome;
  assert.equal(later.statement.epoch, 2);
  assert.deepEqual(later.statement.validatorSet, validatorSetDigest(next));
  assert.equal(other.chain.epochs.latest()!.epoch, 2);
});

test('floors are those of an epoch: the numbers of the next one begin anew', (t) => {
  const other = createLedgerBench();
  t.after(() => other.end());
  const openOf = (epoch: number, number: number) =>
    createBatchPreparer(other.chain.store, sodiumVerifier).open(batchBytes(number, [transaction()], { epoch }), true);
  other.execute([openOf(1, 1)]);
  other.execute([openOf(1, 2)]);
  other.want([...genesis.validators, validatorNamed('node-9', 20)]);
  for (let i = 0; i < genesis.parameters.checkpointLag; i++) other.execute([]);
  other.execute([openOf(2, 1)]);
  assert.deepEqual(
    other.chain.floors(1).map(({ author, seq }) => ({ author, seq })),
    [{ author: 0, seq: 2 }],
  );
  assert.deepEqual(
    other.chain.floors(2).map(({ author, seq }) => ({ author, seq })),
    [{ author: 0, seq: 1 }],
  );
});

test('other rules alone end an epoch as well; the set is named again', (t) => {
  const other = createLedgerBench();
  t.after(() => other.end());
  other.execute([]);
  other.want(genesis.validators, 2);
  for (let i = 1; i < genesis.parameters.checkpointLag; i++) assert.equal(other.execute([]).block.header.nextSet, null);
  const { block } = other.execute([]);
  assert.deepEqual(block.header.nextSet, validatorSetDigest(genesis.validators));
  assert.equal(other.chain.epochs.latest()!.rules, 2);
});

test('a boundary block where the ledger wants none, or none where it wants one, stops the node', (t) => {
  const other = createLedgerBench();
  t.after(() => other.end());
  const { block } = other.execute([]);
  const tip = other.chain.tip()!;
  const run = (nextSet: typeof block.header.nextSet) =>
    other.executor.execute({
      block: { ...block, header: { ...block.header, height: toHeight(tip.height + 1), nextSet } },
      view: 0,
      finalization: null,
      batches: [],
      misbehaviour: [],
    });
  assert.throws(() => run(validatorSetDigest(genesis.validators)), /an epoch ends/);
  assert.equal(other.chain.tip()!.height, tip.height, 'nothing of it is kept');
});

test('a record that was changed on disk stops execution before there is a result, and so does one that is gone', () => {
  for (const prefix of ['window/', 'key/', 'quota/', 'parameters'])
    for (const change of ["UPDATE state SET value = x'00'", 'DELETE FROM state']) {
      seq = 0;
      const own = createLedgerBench();
      own.execute([open([transaction()])]);
      const height = own.chain.tip()!.height;
      const stateRoot = own.executor.stateTree.root();
      own.sql(`${change} WHERE CAST(key AS TEXT) LIKE '${prefix}%'`);
      const isDamage = (cause: unknown): boolean => findingOf(cause)?.class === 'state';
      assert.throws(() => own.execute([open([transaction()], false)]), isDamage, `${change} of ${prefix}`);
      assert.equal(own.chain.tip()!.height, height);
      assert.deepEqual(own.executor.stateTree.root(), stateRoot);
      assert.throws(() => own.again(), isDamage);
      own.end();
    }
});

test('history that was changed on disk is noticed at the next start', () => {
  seq = 0;
  for (const change of ['UPDATE history_tiles SET hashes = zeroblob(length(hashes))', 'DELETE FROM history_tiles']) {
    const own = createLedgerBench();
    own.sql(change);
    assert.throws(
      () => own.again(),
      (cause) => ['state', 'history'].includes(findingOf(cause)?.class ?? ''),
    );
    own.end();
  }
});
