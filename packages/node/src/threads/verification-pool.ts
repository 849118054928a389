/**
 * Main thread's side of the verification threads: hands batches out and keeps the verdicts until the block that lists the
 * batch is executed. Verdicts of batches that are never listed are forgotten with them, oldest first.
 */
import { Worker } from 'node:worker_threads';
import { type Batch, type CairnError, encodeBatch, toHex } from '@cairn-ledger/core';
import { errorOf } from '../failure.ts';
import { type FromVerification, type ToVerification, type VerificationSettings, verdict } from './messages.ts';

/** Batches whose verdicts are kept at most. */
const verdictsMax = 4096;

type Pending = { readonly resolve: (verdicts: Uint8Array) => void; readonly count: number };

export type VerificationPool = {
  /** Whether there are threads; without them the ledger thread checks. */
  readonly hasWorkers: boolean;
  /** Begins to check a batch that is held from now on. `isOwn`: its signatures were checked when it was admitted here. */
  add(batch: Batch, isOwn: boolean): void;
  /** Verdicts on a batch, one byte for each transaction; null when the ledger thread checks. Asked for once. */
  take(batch: Batch): Promise<Uint8Array | null>;
  readonly counters: { checked: number; invalid: number };
  queueLength(): number;
  stop(): Promise<void>;
};

export function createVerificationPool(
  workersCount: number,
  settings: VerificationSettings,
  onFailed: (error: CairnError) => void,
): VerificationPool {
  const workers = Array.from({ length: workersCount }, () => {
    const worker = new Worker(new URL('./verification-worker.ts', import.meta.url), {
      workerData: settings,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 96 },
    });
    worker.on('error', (cause) => onFailed(errorOf(cause, 'a verification thread')));
    worker.on('message', onMessage);
    return worker;
  });
  // Noted now: one that has ended by the time of `stop` says so no more.
  const exits = workers.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
  const verdicts = new Map<string, Promise<Uint8Array>>();
  const underWay = new Map<number, Pending>();
  const counters = { checked: 0, invalid: 0 };
  let number = 0;

  function onMessage(message: FromVerification): void {
    const pending = underWay.get(message.number);
    underWay.delete(message.number);
    counters.checked += message.verdicts.length;
    for (const each of message.verdicts) if (each === verdict.invalid) counters.invalid++;
    pending?.resolve(message.verdicts);
  }

  function verify(batch: Batch): Promise<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    number++;
    underWay.set(number, { resolve, count: batch.transactions.length });
    const bytes = encodeBatch(batch);
    const message: ToVerification = { type: 'verify', number, batch: bytes };
    workers[number % workers.length]!.postMessage(message, [bytes.buffer as ArrayBuffer]);
    return promise;
  }

  return {
    counters,
    hasWorkers: workersCount > 0,
    queueLength: () => underWay.size,
    add(batch, isOwn) {
      const name = toHex(batch.digest);
      if (verdicts.has(name) || (workersCount === 0 && !isOwn)) return;
      if (verdicts.size >= verdictsMax) verdicts.delete(verdicts.keys().next().value!);
      verdicts.set(
        name,
        isOwn ? Promise.resolve(new Uint8Array(batch.transactions.length).fill(verdict.valid)) : verify(batch),
      );
    },
    async take(batch) {
      const name = toHex(batch.digest);
      const known = verdicts.get(name);
      verdicts.delete(name);
      return known ?? (workersCount === 0 ? null : verify(batch));
    },
    async stop() {
      for (const worker of workers) worker.postMessage({ type: 'stop' } satisfies ToVerification);
      await Promise.all(exits);
      // A block that still waits for verdicts is not held up: without one, execution checks by itself.
      for (const { resolve, count } of underWay.values()) resolve(new Uint8Array(count));
      underWay.clear();
    },
  };
}
