import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  createHistoryReader,
  decodeBundle,
  decodeEpochProof,
  decodeTransaction,
  encodeGenesis,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { readyStatus } from '../http/fake-edge.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { snapshotOf } from '../storage/testing/chain-snapshot.ts';
import { openViewDb } from '../storage/view-db.ts';
import { followChain } from '../storage/view-follow.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { createChainExecutor } from './chain-executor.ts';
import { createNodeEdge, type NodeEdge } from './node-edge.ts';
import { createProvenChain } from './proven-chain.ts';
import { createReceiptCheck } from './receipt-check.ts';
import {
  batchBytes,
  checkpointSignaturesOf,
  createLedgerBench,
  genesis,
  type LedgerBench,
  ledgerHash,
  transaction,
  validatorNamed,
} from './testing/ledger-bench.ts';
import { createWaiters } from './waiters.ts';

const lag = genesis.parameters.checkpointLag;
/** It comes before the first epoch's only one, so that the same index is somebody else in the second epoch. */
const newcomer = validatorNamed('node-0', 20);
type Parts = Parameters<typeof createNodeEdge>[0];
type Outcome = ReturnType<LedgerBench['execute']>['outcome'];

const idOf = (bytes: Uint8Array): Uint8Array => {
  const decoded = decodeTransaction(bytes);
  assert.ok(decoded.ok);
  return decoded.value.id;
};

test('blocks, checkpoints and receipts name those who were meant in their epoch', async (t) => {
  const { bench, first, second } = twoEpochs(t);
  const edge = edgeOver(t, bench.chain);
  const boundary = await edge.block(1 + lag, false);
  assert.equal(boundary!.epoch, 1);
  assert.deepEqual(boundary!.nextSet, validatorSetDigest([newcomer, ...genesis.validators]));
  assert.deepEqual(
    [(await edge.block(1, false))!.batches[0]!.author, (await edge.block(2 + lag, false))!.batches[0]!.author],
    ['node-1', 'node-0'],
  );
  assert.equal((await edge.block(2 + lag, false))!.epoch, 2);
  const signerAt = async (height: number) => (await edge.checkpoint(height))!.signatures[0]!.validator;
  assert.deepEqual([await signerAt(1 + lag), await signerAt(2 + lag)], ['node-1', 'node-0']);
  // The first transaction is covered by the boundary's checkpoint, the next certified one above it.
  for (const [bytes, signer, epoch] of [
    [first, 'node-1', 1],
    [second, 'node-0', 2],
  ] as const) {
    const receipt = await edge.receipt(idOf(bytes));
    assert.ok(receipt.ok);
    const bundle = decodeBundle(receipt.value);
    assert.ok(bundle.ok);
    assert.deepEqual([bundle.value.headers[0]!.signer, bundle.value.headers[0]!.statement.epoch], [signer, epoch]);
  }
  assert.deepEqual(
    (await edge.validators()).map(({ id }) => id),
    ['node-0', 'node-1'],
  );
});

test('epochs are told page by page, with the proof of how each ended', async (t) => {
  const { bench } = twoEpochs(t);
  const edge = edgeOver(t, bench.chain);
  const { items, next } = await edge.epochs(1, 16);
  assert.equal(next, null);
  assert.deepEqual(
    items.map(({ epoch, fromHeight, toHeight, quorum, validators }) => ({
      epoch,
      fromHeight,
      toHeight,
      quorum,
      validators,
    })),
    [
      { epoch: 1, fromHeight: 0, toHeight: 1 + lag, quorum: 1, validators: ['node-1'] },
      { epoch: 2, fromHeight: 2 + lag, toHeight: null, quorum: 2, validators: ['node-0', 'node-1'] },
    ],
  );
  const proof = decodeEpochProof(items[0]!.proof!);
  assert.ok(proof.ok);
  assert.equal(proof.value.signatures[0]!.statement.height, 1 + lag);
  assert.deepEqual(await edge.epochProof(1), items[0]!.proof);
  assert.deepEqual([items[1]!.proof, await edge.epochProof(2), await edge.epochProof(7)], [null, null, null]);
  const page = await edge.epochs(1, 1);
  assert.deepEqual([page.items, page.next], [[items[0]], 2]);
});

test('a chain founded from a snapshot shows what it holds, and says where that begins', async (t) => {
  const { bench, first, second } = twoEpochs(t);
  const { height } = bench.chain.tip()!;
  const chain = newChain(t);
  const { signatures } = bench.chain.checkpoint(height)!;
  const snapshot = snapshotOf(bench.chain, lag, signatures!);
  assert.ok(chain.importSnapshot(snapshot).ok);
  const third = transaction();
  const batch = createBatchPreparer(chain.store, sodiumVerifier).open(batchBytes(2, [third], { epoch: 2 }), true);
  const { block, outcome, view, finalization } = bench.execute([batch]);
  const executor = createChainExecutor(genesis, ledgerHash, chain);
  executor.execute({ block, view, finalization, batches: [batch], misbehaviour: [] });
  assert.ok(chain.putCertified(height + 1, 0, checkpointSignaturesOf(chain, outcome)).ok);
  const edge = edgeOver(t, chain);
  assert.equal(edge.heldFrom(), height + 1);
  assert.equal(await edge.block(height, true), null, 'its batches are not here');
  assert.equal((await edge.block(height + 1, true))!.transactions!.length, 1);
  assert.equal(await edge.checkpoint(1), null);
  assert.equal((await edge.checkpoint(height))!.certified, true);
  for (const bytes of [first, second]) {
    const receipt = await edge.receipt(idOf(bytes));
    assert.equal(receipt.ok ? 'ok' : receipt.error.code, 'history.not-held');
  }
  const receipt = await edge.receipt(idOf(third));
  assert.ok(receipt.ok);
  const [there] = [await edgeOver(t, bench.chain).transaction(idOf(third))];
  assert.deepEqual({ ...(await edge.transaction(idOf(third)))!, certified: false }, there);
  assert.notEqual(await edge.epochProof(1), null);
});

test('a view that ends below the height that the chain was founded at is made anew', (t) => {
  const { bench } = twoEpochs(t);
  const dir = mkdtempSync(join(tmpdir(), 'cairn-edge-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const opened = openViewDb(join(dir, 'view.db'));
  assert.ok(opened.ok);
  const behind = followChain(opened.value, bench.chain);
  assert.ok(behind.ok);
  // The view ends with a block that the founded chain has as well, two below the one it begins with.
  bench.execute([]);
  bench.execute([]);
  const { height } = bench.chain.tip()!;
  const chain = newChain(t);
  assert.ok(chain.importSnapshot(snapshotOf(bench.chain, lag, encodeSignatures([]))).ok);
  assert.notEqual(chain.blockByHeight(behind.value.progress().height), null);
  const followed = followChain(behind.value, chain);
  assert.ok(followed.ok);
  const { transactions } = followed.value.progress();
  assert.deepEqual([followed.value.progress().height, transactions], [height, 0]);
  followed.value.close();
});

/** One transaction in each of two epochs; certified are the boundary between them and the tip. */
function twoEpochs(t: TestContext): { bench: LedgerBench; first: Uint8Array; second: Uint8Array } {
  const bench = createLedgerBench();
  t.after(() => bench.end());
  const [first, second] = [transaction(), transaction()];
  const open = (epoch: number, bytes: Uint8Array) =>
    createBatchPreparer(bench.chain.store, sodiumVerifier).open(batchBytes(1, [bytes], { epoch }), true);
  bench.execute([open(1, first)]);
  bench.want([...genesis.validators, newcomer]);
  let boundary: Outcome | null = null;
  for (let i = 0; i < lag; i++) boundary = bench.execute([]).outcome;
  const { outcome } = bench.execute([open(2, second)]);
  assert.ok(bench.chain.putCertified(boundary!.statement.height, 0, checkpointSignaturesOf(bench.chain, boundary!)).ok);
  assert.ok(bench.chain.putCertified(outcome.statement.height, 0, checkpointSignaturesOf(bench.chain, outcome)).ok);
  return { bench, first, second };
}

function edgeOver(t: TestContext, chain: ChainDb): NodeEdge {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-edge-'));
  const opened = openViewDb(join(dir, 'view.db'));
  assert.ok(opened.ok);
  const view = followChain(opened.value, chain);
  assert.ok(view.ok);
  t.after(() => {
    view.value.close();
    rmSync(dir, { recursive: true });
  });
  const proven = createProvenChain(chain, { genesis, ledgerHash, verifier: sodiumVerifier, store: chain.store });
  return createNodeEdge({
    genesis,
    genesisBytes: encodeGenesis(genesis),
    chain: proven,
    view: view.value,
    history: createHistoryReader(chain.tiles),
    isReceiptSound: createReceiptCheck(proven, ledgerHash, sodiumVerifier),
    admission: {
      submit: () => Promise.resolve([]),
      isPending: () => false,
      onExecuted: () => undefined,
      counters: {},
    } as unknown as Parts['admission'],
    waiters: createWaiters(),
    book: {} as unknown as Parts['book'],
    validatorId: 'node-1',
    listen: { host: '127.0.0.1', port: 0 },
    addressesOf: () => null,
    fence: () => Promise.reject(new Error('nobody is fenced here')),
    unfence: () => Promise.reject(new Error('nobody is fenced here')),
    status: () => readyStatus,
    metrics: () => Promise.resolve(''),
  });
}

function newChain(t: TestContext): ChainDb {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-edge-'));
  const opened = openChainDb(join(dir, 'chain.db'), { ledgerHash });
  assert.ok(opened.ok);
  t.after(() => {
    opened.value.close();
    rmSync(dir, { recursive: true });
  });
  return opened.value;
}
