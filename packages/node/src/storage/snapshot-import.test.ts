import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeCbor, toHex } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBatchPreparer } from '../threads/batch-preparer.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import { originOf, readOrigin } from '../threads/stored-origin.ts';
import {
  batchBytes,
  createLedgerBench,
  genesis,
  type LedgerBench,
  ledgerHash,
  transaction,
  validatorNamed,
} from '../threads/testing/ledger-bench.ts';
import { type ChainDb, openChainDb } from './chain-db.ts';
import type { ChainSnapshot, SnapshotEpoch } from './snapshot-import.ts';
import { snapshotOf } from './testing/chain-snapshot.ts';

const lag = genesis.parameters.checkpointLag;
const signatures = encodeCbor([]);

test('a chain founded from a snapshot goes on as the one that it was taken from', (t) => {
  const { bench, open } = benchOf(t);
  for (let i = 1; i <= 5; i++) bench.execute([open(1, i, 60)]);
  bench.want([...genesis.validators, validatorNamed('node-9', 20)]);
  for (let i = 0; i < lag; i++) bench.execute([]);
  bench.execute([open(2, 1, 20)]);
  bench.want(genesis.validators, 1);
  for (let i = 0; i < lag + 1; i++) bench.execute([open(2, i + 2, 20)]);
  assert.equal(bench.chain.epochs.latest()!.epoch, 3);

  const chain = newChain(t);
  assert.ok(chain.importSnapshot(snapshotOf(bench.chain, lag, signatures)).ok);
  const { height } = bench.chain.tip()!;
  assert.deepEqual(chain.tip(), { ...bench.chain.tip()!, verdicts: encodeCbor([]) });
  assert.equal(chain.firstHeight(), height - lag);
  assert.equal(chain.foundedHeight(), height);
  assert.equal(chain.latestCertified()!.height, height);
  assert.deepEqual(chain.openBoundaries(), []);
  // Who signs now is known in full; of who signed long ago only that.
  assert.deepEqual(chain.epochs.of(3), bench.chain.epochs.of(3));
  assert.deepEqual(chain.epochs.of(1), { ...bench.chain.epochs.of(1)!, genesis: null, rules: null });
  assert.deepEqual(chain.floors(2), bench.chain.floors(2));

  const executor = createChainExecutor(genesis, ledgerHash, chain);
  for (let i = 0; i < lag + 2; i++) {
    const batch = open(3, i + 1, 7);
    const { block, outcome } = bench.execute([batch]);
    const again = executor.execute({ block, view: 1, finalization: null, batches: [batch], misbehaviour: [] });
    assert.deepEqual(again.outcome, outcome);
  }
  const [expected, found] = [bench.chain, chain].map((each) => readOrigin(originOf(each, lag), 'node-1'));
  const { finalization: _, certifiedHeight: __, outcomes, ...rest } = found!;
  assert.deepEqual(
    { ...rest, previous: { ...rest.previous, isCertified: false } },
    {
      ...Object.fromEntries(Object.entries(expected!).filter(([name]) => name in rest)),
    },
  );
  assert.deepEqual(outcomes, expected!.outcomes.slice(-outcomes.length));
});

test('a snapshot that is not what was signed founds nothing, and another one still can', (t) => {
  const { bench, open } = benchOf(t);
  for (let i = 1; i <= 4; i++) bench.execute([open(1, i, 100)]);
  bench.want([...genesis.validators, validatorNamed('node-9', 20)]);
  for (let i = 0; i < lag + 2; i++) bench.execute([]);
  const whole = snapshotOf(bench.chain, lag, signatures);
  const chain = newChain(t);
  const [first, second, ...others] = whole.blocks;
  const epochs = whole.epochs as SnapshotEpoch[];
  const entries = [...whole.state];
  const tiles = [...whole.tiles];
  const cases: Record<string, Partial<ChainSnapshot>> = {
    'a state entry changed': { state: [{ ...entries[0]!, value: Uint8Array.of(1) }, ...entries.slice(1)] },
    'a state entry missing': { state: entries.slice(1) },
    'a state entry twice': { state: [...entries, entries[0]!] },
    'a tile changed': { tiles: tiles.map((tile) => ({ ...tile, hashes: tile.hashes.map((byte) => byte ^ 1) })) },
    'a tile cut off': { tiles: tiles.map((tile) => ({ ...tile, hashes: tile.hashes.subarray(32) })) },
    'no tile': { tiles: [] },
    'no block': { blocks: [] },
    'a block missing': { blocks: [first!, ...others] },
    'blocks out of order': { blocks: [second!, first!, ...others] },
    'a block that is none': { blocks: [{ ...first!, header: Uint8Array.of(0) }, second!, ...others] },
    'a statement of another height': { blocks: [{ ...first!, statement: second!.statement }, second!, ...others] },
    'a statement that is none': { blocks: [{ ...first!, statement: Uint8Array.of(0) }, second!, ...others] },
    'nothing certified': { blocks: whole.blocks.map((block) => ({ ...block, signatures: null })) },
    'the last epoch missing': { epochs: epochs.slice(0, 1) },
    'the first epoch missing': { epochs: epochs.slice(1) },
    'no epoch': { epochs: [] },
    'an epoch without proof': { epochs: [epochs[0]!, { ...epochs[1]!, boundary: null }] },
    'an epoch from the future': { epochs: [epochs[0]!, { ...epochs[1]!, genesisHeight: 1000 }] },
    'the last epoch half known': { epochs: [epochs[0]!, { ...epochs[1]!, genesis: null, rules: null }] },
    'another set': { epochs: [epochs[0]!, { ...epochs[1]!, validators: genesis.validators }] },
    'no target': { targets: [] },
    'a target only for later blocks': { targets: [{ ...whole.targets[0]!, height: bench.chain.tip()!.height }] },
    'targets out of order': { targets: [whole.targets[0]!, whole.targets[0]!] },
  };
  for (const [name, change] of Object.entries(cases)) {
    const imported = chain.importSnapshot({ ...whole, ...change });
    assert.equal(imported.ok ? 'ok' : imported.error.code, 'snapshot.differs', name);
    assert.equal(chain.tip(), null, name);
    assert.equal(chain.epochs.latest(), null, name);
    assert.deepEqual([...chain.store.list(new Uint8Array(0))], [], name);
  }
  assert.equal(chain.failure, null);
  assert.ok(chain.importSnapshot(whole).ok);
  const twice = chain.importSnapshot(whole);
  assert.equal(twice.ok ? 'ok' : twice.error.code, 'snapshot.differs', 'a chain is founded once');
  assert.equal(toHex(chain.tip()!.digest), toHex(bench.chain.tip()!.digest));
});

test('what throws while the snapshot is read leaves nothing behind', (t) => {
  const { bench } = benchOf(t);
  for (let i = 0; i < lag + 1; i++) bench.execute([]);
  const whole = snapshotOf(bench.chain, lag, signatures);
  const chain = newChain(t);
  function* broken() {
    yield* whole.state;
    throw new Error('the staging file is gone');
  }
  assert.throws(() => chain.importSnapshot({ ...whole, state: broken() }), /staging file/);
  assert.equal(chain.tip(), null);
  assert.ok(chain.importSnapshot(whole).ok);
});

function benchOf(t: TestContext): {
  bench: LedgerBench;
  open: (epoch: number, seq: number, count: number) => ReturnType<ReturnType<typeof createBatchPreparer>['open']>;
} {
  const bench = createLedgerBench();
  t.after(() => bench.end());
  return {
    bench,
    open: (epoch, seq, count) => {
      const transactions = Array.from({ length: count }, () => transaction());
      return createBatchPreparer(bench.chain.store, sodiumVerifier).open(
        batchBytes(seq, transactions, { epoch }),
        true,
      );
    },
  };
}

function newChain(t: TestContext): ChainDb {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-snapshot-'));
  const opened = openChainDb(join(dir, 'chain.db'), { ledgerHash });
  assert.ok(opened.ok);
  t.after(() => {
    opened.value.close();
    rmSync(dir, { recursive: true });
  });
  return opened.value;
}
