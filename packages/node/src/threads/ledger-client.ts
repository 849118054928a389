/**
 * Main thread's side of the ledger thread: hands finalized blocks over in order, each once the verdicts on its device
 * signatures are known, and asks it what peers want from storage.
 */
import { Worker } from 'node:worker_threads';
import {
  type Batch,
  type Block,
  type CairnError,
  type Certificate,
  type CheckpointSignature,
  type CheckpointStatement,
  decodeMessage,
  type EpochProof,
  encodeBatch,
  encodeBlock,
  encodeCertificate,
  encodeMessage,
  type Message,
  type ProvenFault,
  toHex,
  viewOfVote,
} from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import { errorOf } from '../failure.ts';
import { requestsPerPeerMax } from '../healing/peer-slots.ts';
import type { Roster } from '../membership/roster.ts';
import type { MetricSamples } from '../metrics.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { createStateHashes } from '../storage/state-hashes.ts';
import type { FromLedger, LedgerSettings, StoredOrigin, ToLedger } from './messages.ts';
import type { VerificationPool } from './verification-pool.ts';

/** Requests of peers under way at once; beyond, they are not answered and come again: to be busy is not to have nothing. */
const servingMax = 64;
/** Batches prepared and not executed yet; beyond, the oldest are handed over again with their block. */
const preparedBytesMax = 24 << 20;

export type Executed = Extract<FromLedger, { type: 'executed' }>;

export type LedgerClient = {
  readonly origin: StoredOrigin;
  /** For threads that read the state, see storage/state-hashes.ts. */
  readonly stateHashes: SharedArrayBuffer;
  /** As it stood when the thread was ready. */
  readonly roster: Roster;
  /** A batch is held durably: it is opened, and its device signatures checked, before its block comes. */
  prepare(batch: Batch, isOwn: boolean): void;
  execute(
    block: Block,
    batches: readonly Batch[],
    finalization: Certificate | null,
    misbehaviour: readonly ProvenFault[],
  ): void;
  keepCertified(statement: CheckpointStatement, signatures: readonly CheckpointSignature[]): void;
  serve(request: Message, answer: (message: Message | null) => void, from: string): void;
  /** What is still lacking of how epochs ended; it is verified before it is kept. */
  keepEpochs(proofs: readonly EpochProof[]): void;
  /** The first epoch of whose end no proof is kept; null where all are. */
  openEpoch(): number | null;
  samples(): MetricSamples;
  /** Device signatures checked in the ledger thread. */
  checks(): { readonly checked: number; readonly invalid: number };
  queueLength(): number;
  stop(): Promise<void>;
};

export type LedgerClientEvents = {
  /** Before `onExecuted` of the block that has changed it. */
  readonly onRoster: (roster: Roster) => void;
  readonly onExecuted: (executed: Executed) => void;
  /** What is on disk is not what was written: nothing is to be signed or answered from it any more. Once. */
  readonly onDamaged: (finding: Finding) => void;
  readonly onFailed: (error: CairnError) => void;
};

/** Starts the thread; resolves when the databases are open and it is known where the chain stands. */
export async function startLedgerClient(
  given: Omit<LedgerSettings, 'stateHashes'>,
  news: import('node:worker_threads').MessagePort,
  openVerification: (stateHashes: SharedArrayBuffer) => VerificationPool,
  events: LedgerClientEvents,
): Promise<{ readonly client: LedgerClient; readonly verification: VerificationPool }> {
  const settings: LedgerSettings = { ...given, stateHashes: createStateHashes() };
  const worker = new Worker(new URL('./ledger-worker.ts', import.meta.url), {
    workerData: { settings, news } satisfies {
      settings: LedgerSettings;
      news: import('node:worker_threads').MessagePort;
    },
    transferList: [news],
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 },
  });
  const serving = new Map<number, { readonly answer: (message: Message | null) => void; readonly from: string }>();
  const servingOf = new Map<string, number>();
  let samples: MetricSamples = {};
  let openEpoch: number | null = null;
  let checks = { checked: 0, invalid: 0 };
  let executing = 0;
  let number = 0;
  /** Batches the ledger thread has opened or is about to, oldest first. */
  const prepared = new Map<string, Batch>();
  let preparedBytes = 0;
  /** Blocks wait here for verdicts, so that they are handed over in order. */
  let handedOver: Promise<void> = Promise.resolve();
  const ready = Promise.withResolvers<{ readonly origin: StoredOrigin; readonly roster: Roster }>();
  const stopped = Promise.withResolvers<void>();
  let isStopping = false;

  worker.on('message', (message: FromLedger) => {
    switch (message.type) {
      case 'ready':
        return ready.resolve(message);
      case 'roster':
        return events.onRoster(message.roster);
      case 'executed':
        executing--;
        return events.onExecuted(message);
      case 'served': {
        const asked = serving.get(message.number);
        if (asked === undefined) return;
        serving.delete(message.number);
        servingOf.set(asked.from, servingOf.get(asked.from)! - 1);
        const decoded = message.answer === null ? null : decodeMessage(message.answer);
        return asked.answer(decoded?.ok ? decoded.value : null);
      }
      case 'metrics':
        samples = message.samples;
        openEpoch = message.openEpoch;
        checks = message.checks;
        return;
      case 'damaged':
        return events.onDamaged(message.finding);
      case 'failed': {
        const error = chainError(message.error);
        ready.reject(error);
        return events.onFailed(error);
      }
      case 'stopped':
        return stopped.resolve();
    }
  });
  worker.on('error', (cause) => {
    const error = chainError(errorOf(cause, 'the ledger thread'));
    ready.reject(error);
    stopped.resolve();
    if (!isStopping) events.onFailed(error);
  });
  worker.on('exit', () => stopped.resolve());

  const post = (message: ToLedger, transfer: ArrayBuffer[] = []): void => worker.postMessage(message, transfer);
  const { origin, roster } = await ready.promise;
  const verification = openVerification(settings.stateHashes);

  /** The bytes of a batch that the ledger thread does not have; null for one that was prepared, which it uses up. */
  function unpreparedBytes(batch: Batch): Uint8Array | null {
    const name = toHex(batch.digest);
    if (!prepared.delete(name)) return encodeBatch(batch);
    preparedBytes -= batch.sizeBytes;
    return null;
  }

  const client: LedgerClient = {
    origin,
    roster,
    stateHashes: settings.stateHashes,
    prepare(batch, isOwn) {
      const name = toHex(batch.digest);
      if (prepared.has(name)) return;
      verification.add(batch, isOwn);
      const bytes = encodeBatch(batch);
      prepared.set(name, batch);
      preparedBytes += batch.sizeBytes;
      post({ type: 'prepare', batch: bytes, checks: !isOwn && !verification.hasWorkers }, [
        bytes.buffer as ArrayBuffer,
      ]);
      for (const [oldest, { digest, sizeBytes }] of prepared) {
        if (preparedBytes <= preparedBytesMax) break;
        prepared.delete(oldest);
        preparedBytes -= sizeBytes;
        post({ type: 'forget', digest });
      }
    },
    execute(block, batches, finalization, misbehaviour) {
      executing++;
      const verdictsOf = batches.map((batch) => verification.take(batch));
      const before = handedOver;
      handedOver = (async () => {
        const verdicts = await Promise.all(verdictsOf);
        await before;
        post({
          type: 'execute',
          block: encodeBlock(block),
          view: finalization === null ? 0 : viewOfVote(finalization.vote),
          finalization: finalization === null ? null : encodeCertificate(finalization),
          batches: batches.map(unpreparedBytes),
          verdicts,
          misbehaviour,
        });
      })();
    },
    keepCertified(statement, signatures) {
      const { height, round } = statement;
      post({ type: 'keep-certified', height, round, signatures: encodeSignatures(signatures) });
    },
    serve(request, answer, from) {
      const count = servingOf.get(from) ?? 0;
      if (serving.size >= servingMax || count >= requestsPerPeerMax) return answer(null);
      number++;
      servingOf.set(from, count + 1);
      serving.set(number, { answer, from });
      post({ type: 'serve', number, request: encodeMessage(request) });
    },
    keepEpochs: (proofs) => post({ type: 'keep-epochs', answer: encodeMessage({ type: 'epochs', proofs }) }),
    openEpoch: () => openEpoch,
    samples: () => samples,
    checks: () => checks,
    queueLength: () => executing,
    async stop() {
      isStopping = true;
      await handedOver;
      post({ type: 'stop' });
      await stopped.promise;
      await worker.terminate();
    },
  };
  return { client, verification };
}

/** What nobody expected there may come of what is stored: it is told from failures elsewhere. */
function chainError(error: CairnError): CairnError {
  return error.code === 'node.failed' ? { ...error, code: 'node.chain-failed' } : error;
}
