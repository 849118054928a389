/**
 * Ledger thread: owns the writing connections to chain.db and view.db. It executes finalized blocks in order, tells main
 * the outcome and the edge thread the news, and answers peers from storage. A slow disk or a large block delays
 * checkpoints here, never votes.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  assert,
  checkpointDigest,
  decodeBlock,
  decodeGenesis,
  decodeMessage,
  encodeCheckpointStatement,
  encodeMessage,
  type Message,
  sha256,
} from '@cairn-ledger/core';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { errorOf, orThrow } from '../failure.ts';
import { keepBoundaries, openEpochOf } from '../healing/keep-boundaries.ts';
import type { RosterKeeper } from '../membership/roster.ts';
import { createCounters, createHistogram, createThreadSampler } from '../metrics.ts';
import type { ChainDb } from '../storage/chain-db.ts';
import { findingOf } from '../storage/storage-error.ts';
import { executedToView } from '../storage/view-block.ts';
import type { ViewDb } from '../storage/view-db.ts';
import { type BatchPreparer, createBatchPreparer, type PreparedBatch } from './batch-preparer.ts';
import type { ChainExecutor } from './chain-executor.ts';
import { openKeptLedger } from './kept-ledger.ts';
import { createLedgerWatch, type LedgerWatch } from './ledger-watch.ts';
import type { FromLedger, LedgerNews, LedgerSettings, ToLedger } from './messages.ts';
import { noAnswerTo } from './no-answer.ts';
import { serveFromStorage } from './serve-from-storage.ts';
import { yieldToAgreement } from './thread-priority.ts';

const metricsEveryMs = 1_000;

installNodeSha256();
yieldToAgreement();
const port = parentPort!;
const { settings, news } = workerData as { settings: LedgerSettings; news: MessagePort };
const post = (message: FromLedger): void => port.postMessage(message);
const metrics = {
  execution: createHistogram(),
  codes: createCounters(),
  readings: 0,
  thread: createThreadSampler('ledger'),
};

try {
  run();
} catch (error) {
  post({ type: 'failed', error: errorOf(error, 'the ledger thread') });
}

function run(): void {
  const genesis = orThrow(decodeGenesis(settings.genesis));
  const ledgerHash = sha256(settings.genesis);
  const kept = openKeptLedger({ ...settings, genesis, ledgerHash });
  const { chain, executor, view, origin, rosters } = kept;
  const preparer = createBatchPreparer(executor.store, sodiumVerifier, failed);
  let isDamaged = false;
  post({ type: 'ready', origin, roster: rosters.roster() });
  const watch = createLedgerWatch({
    dataDir: settings.dataDir,
    genesis,
    ledgerHash,
    restarts: settings.restarts,
    chain,
    view,
    stateTree: executor.stateTree,
    onDamage(finding) {
      isDamaged = true;
      post({ type: 'damaged', finding });
    },
    onFailed: failed,
  });

  const metricsTimer = setInterval(() => guarded(() => tellMetrics(chain, view, preparer)), metricsEveryMs);
  port.on('message', (message: ToLedger) => guarded(() => take(message)));

  function guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      failed(error);
    }
  }

  function failed(cause: unknown): void {
    const finding = findingOf(cause);
    if (finding !== null) {
      isDamaged = true;
      return watch.tell(finding);
    }
    post({ type: 'failed', error: errorOf(cause, 'the ledger thread') });
    clearInterval(metricsTimer);
    watch.close();
    port.close();
  }

  function take(message: ToLedger): void {
    // Nothing follows from what may be false: no result, no answer.
    if (isDamaged && message.type !== 'stop') {
      if (message.type === 'serve') tellServed(message.number, null, decodeMessage(message.request));
      return;
    }
    switch (message.type) {
      case 'prepare':
        return preparer.add(message.batch, message.checks);
      case 'forget':
        return preparer.forget(message.digest);
      case 'execute':
        return execute({ executor, preparer, view, rosters, watch, roundAt: kept.roundAt }, message);
      case 'keep-certified':
        orThrow(chain.putCertified(message.height, message.round, message.signatures));
        return news.postMessage({ type: 'certified', height: message.height } satisfies LedgerNews);
      case 'keep-epochs': {
        const answer = decodeMessage(message.answer);
        if (answer.ok && answer.value.type === 'epochs') keepBoundaries(chain, answer.value.proofs, sodiumVerifier);
        return;
      }
      case 'serve': {
        const request = decodeMessage(message.request);
        let answer: Message | null = null;
        try {
          answer = request.ok ? (watch.serve(request.value) ?? serveFromStorage(chain, request.value)) : null;
        } finally {
          tellServed(message.number, answer, request);
        }
        return;
      }
      case 'stop':
        clearInterval(metricsTimer);
        watch.close();
        kept.close();
        news.close();
        post({ type: 'stopped' });
        return port.close();
    }
  }
}

function tellServed(number: number, found: Message | null, request: ReturnType<typeof decodeMessage>): void {
  const answer = found ?? (request.ok ? noAnswerTo(request.value) : null);
  post({ type: 'served', number, answer: answer === null ? null : encodeMessage(answer) });
}

type Execution = {
  readonly executor: ChainExecutor;
  readonly preparer: BatchPreparer;
  readonly view: ViewDb;
  readonly rosters: RosterKeeper;
  readonly watch: LedgerWatch;
  readonly roundAt: (height: number) => number;
};

function execute(
  { executor, preparer, view, rosters, watch, roundAt }: Execution,
  message: Extract<ToLedger, { type: 'execute' }>,
): void {
  const start = performance.now();
  const block = orThrow(decodeBlock(message.block));
  const batches = block.batches.map(({ digest }, i): PreparedBatch => {
    const [bytes, verdicts] = [message.batches[i] ?? null, message.verdicts[i] ?? null];
    const prepared = preparer.take(digest) ?? (bytes === null ? null : preparer.open(bytes, verdicts === null));
    assert(prepared !== null, 'a batch comes with its block unless it was prepared');
    return verdicts === null ? prepared : { ...prepared, verdicts };
  });
  const { outcome, executed, leaderHints, writes, isEpochNew } = executor.execute({
    block,
    view: message.view,
    finalization: message.finalization,
    batches,
    misbehaviour: message.misbehaviour,
    round: roundAt(block.header.height),
  });
  const { statement, timeMs, target } = outcome;
  const roster = rosters.onWrites(writes, isEpochNew);
  if (roster !== null) post({ type: 'roster', roster });
  // The checkpoint need not wait for the view.
  post({ type: 'executed', outcome: { statement: encodeCheckpointStatement(statement), timeMs, target }, leaderHints });
  const viewBlock = executedToView(executed);
  orThrow(view.applyBlock(viewBlock));
  const ids = new Uint8Array(viewBlock.transactions.length * 32);
  viewBlock.transactions.forEach((transaction, i) => {
    ids.set(transaction.id, i * 32);
    metrics.codes.add(transaction.code);
    metrics.readings += transaction.readings?.count ?? 0;
  });
  const digests = { block: block.digest, checkpoint: checkpointDigest(statement) };
  const told: LedgerNews = {
    type: 'executed',
    height: statement.height,
    timeMs,
    view: message.view,
    ...digests,
    ids,
  };
  news.postMessage(told, [ids.buffer as ArrayBuffer]);
  watch.onExecuted();
  metrics.execution.observe((performance.now() - start) / 1000);
}

function tellMetrics(chain: ChainDb, view: ViewDb, preparer: BatchPreparer): void {
  post({
    type: 'metrics',
    openEpoch: openEpochOf(chain),
    checks: preparer.counters,
    samples: {
      ...metrics.thread(),
      transactions_total: metrics.codes.samples('code'),
      readings_total: metrics.readings,
      execution_seconds: metrics.execution.sample(),
      database_bytes: [
        { labels: { database: 'chain' }, value: chain.sizeBytes() },
        { labels: { database: 'view' }, value: view.sizeBytes() },
      ],
    },
  });
}
