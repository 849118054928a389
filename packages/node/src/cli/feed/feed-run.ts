/**
 * Sends an input as signed transactions of one key: packs readings, reserves counters, signs, keeps the group on disk
 * (`feed-journal.ts`), sends it, and waits for the ledger's verdicts, several groups at a time.
 *
 * Groups may overtake each other, but none by more than `overtakenMax` transactions: the replay window spans 4,096
 * counters, and a transaction that had to be sent again must still fall into it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CairnError, Result, Signer } from '@cairn-ledger/core';
import { type Client, type Reading, signTransaction, submitBytesMax, transactionIdOf } from '@cairn-ledger/sdk';
import { reserveCounters } from '../../keys/counter-file.ts';
import { CommandFailed, exitCodes, orFail } from '../exit-code.ts';
import type { FeedGroup, FeedJournal } from './feed-journal.ts';
import type { FeedItem } from './reading-source.ts';

export const overtakenMax = 2_000;
const groupTransactionsMax = 250;
const groupsInFlightMax = 6;
const WAIT_MS = 10_000;
const RETRY_PAUSE_MS = 250;
const QUOTA_PAUSE_MS = 5_000;
/** Bytes of a transaction beyond its readings, generously. */
const GROUP_BYTES_MAX = submitBytesMax / 2;

export type FeedRun = {
  readonly items: AsyncIterable<FeedItem>;
  readonly journal: FeedJournal;
  readonly keyPath: string;
  readonly signer: Signer;
  readonly ledgerHash: Uint8Array;
  readonly readingsPerTransaction: number;
  readonly client: Pick<Client, 'submitMany' | 'transaction'>;
  /** Readings per second, at most; absent: as fast as the network takes them. */
  readonly ratePerSecond?: number;
  /** Give rejected transactions up and go on, in place of stopping at the first. */
  readonly skipRejected: boolean;
  readonly onProgress: (progress: {
    readonly position: number;
    readonly readings: number;
    readonly transactions: number;
  }) => void;
  readonly signal: AbortSignal;
};

export type FeedOutcome = {
  /** Of this run: what the ledger has accepted, or known already. */
  readonly readings: number;
  readonly transactions: number;
  readonly rejected: number;
  /** True when the input is at its end and everything is decided. */
  readonly isComplete: boolean;
};

/** Runs until the end of the input, the signal, or a rejection. Throws `CommandFailed` for what must end the command. */
export async function runFeed(run: FeedRun): Promise<FeedOutcome> {
  const { journal, signal } = run;
  const decided = { readings: 0, transactions: 0, rejected: 0 };
  /** Deliveries by the number of transactions started before them, oldest first. */
  const inFlight = new Map<number, Promise<void>>();
  let started = 0;
  let failure: unknown = null;

  const start = (group: FeedGroup): void => {
    const place = started;
    started += group.transactions.length;
    const delivery = deliverGroup(run, group)
      .then((rejected) => {
        if (rejected === null) return;
        journal.settle(group.number, rejected);
        decided.readings += group.readings;
        decided.transactions += group.transactions.length;
        decided.rejected += rejected;
        run.onProgress({ position: group.position, readings: decided.readings, transactions: decided.transactions });
      })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => inFlight.delete(place));
    inFlight.set(place, delivery);
  };
  const room = async (): Promise<boolean> => {
    const isFull = (): boolean => {
      const oldest = inFlight.keys().next().value ?? started;
      return inFlight.size >= groupsInFlightMax || started - oldest > overtakenMax - groupTransactionsMax;
    };
    while (isFull() && failure === null) await Promise.race(inFlight.values());
    return failure === null && !signal.aborted;
  };

  for (const group of journal.unsettled) if (await room()) start(group);
  let isComplete = false;
  if (failure === null && !signal.aborted) {
    const pace = createPace(run.ratePerSecond);
    isComplete = true;
    for await (const pack of groupsOf(run)) {
      await pace(pack.readings, signal);
      if (!(await room())) {
        isComplete = false;
        break;
      }
      start(await signGroup(run, pack));
    }
  }
  await Promise.all(inFlight.values());
  if (failure !== null) throw failure;
  return { ...decided, isComplete: isComplete && !signal.aborted };
}

type Pack = {
  readonly transactions: readonly (readonly Reading[])[];
  readonly readings: number;
  readonly last: FeedItem;
};

/** The input after what the journal holds, in groups of transactions' readings. */
async function* groupsOf(run: FeedRun): AsyncGenerator<Pack> {
  const { position, digest } = run.journal.progress;
  const perGroup = groupSize(run);
  let transactions: Reading[][] = [];
  let readings: Reading[] = [];
  let count = 0;
  let last: FeedItem | null = null;
  let isCaughtUp = position === 0;
  for await (const item of run.items) {
    if (!isCaughtUp) {
      if (item.position < position) continue;
      if (item.position !== position || item.digest() !== digest) throw new CommandFailed(changedInput);
      isCaughtUp = true;
      continue;
    }
    readings.push(...item.readings);
    count += item.readings.length;
    last = item;
    // A transaction ends only where an item ends, so that the position says exactly what has been taken.
    if (readings.length >= run.readingsPerTransaction) {
      transactions.push(readings);
      readings = [];
    }
    if (transactions.length < perGroup) continue;
    yield { transactions, readings: count, last };
    transactions = [];
    count = 0;
  }
  if (!isCaughtUp) throw new CommandFailed(changedInput);
  if (readings.length > 0) transactions.push(readings);
  if (transactions.length > 0) yield { transactions, readings: count, last: last! };
}

/** Smaller groups for a slow feed, so that readings do not wait for each other. */
function groupSize(run: FeedRun): number {
  const byBytes = Math.floor(GROUP_BYTES_MAX / (200 + 60 * run.readingsPerTransaction));
  const byRate =
    run.ratePerSecond === undefined
      ? groupTransactionsMax
      : Math.ceil(run.ratePerSecond / run.readingsPerTransaction / 4);
  return Math.max(1, Math.min(groupTransactionsMax, byBytes, byRate));
}

async function signGroup(run: FeedRun, pack: Pack): Promise<FeedGroup> {
  const first = orFail(await reserveCounters(run.keyPath, pack.transactions.length));
  const transactions = pack.transactions.map((readings, index) =>
    orFail(signTransaction({ ledgerHash: run.ledgerHash, counter: first + BigInt(index), readings }, run.signer)),
  );
  return run.journal.append({
    position: pack.last.position,
    digest: pack.last.digest(),
    readings: pack.readings,
    transactions,
  });
}

/** Sends a group until all of it is decided; the number of rejections given up, or null when aborted before that. */
async function deliverGroup(run: FeedRun, group: FeedGroup): Promise<number | null> {
  let open = group.transactions;
  let rejected = 0;
  while (!run.signal.aborted) {
    const outcomes = await run.client.submitMany(open, WAIT_MS, { signal: run.signal, timeoutMs: 60_000 });
    if (!outcomes.ok) {
      if (run.signal.aborted) return null;
      throw new CommandFailed(outcomes.error);
    }
    const still: Uint8Array[] = [];
    for (const [index, outcome] of outcomes.value.entries()) {
      const transaction = open[index]!;
      if (outcome.status === 'accepted') continue;
      const verdict = outcome.status === 'rejected' ? await settledVerdict(run, transaction, outcome.code) : 'open';
      if (verdict === 'open') still.push(transaction);
      if (verdict !== 'rejected') continue;
      if (!run.skipRejected) throw rejectedError(outcome.code, outcome.message);
      rejected++;
    }
    if (still.length === 0) return rejected;
    open = still;
    await sleep(RETRY_PAUSE_MS);
  }
  return null;
}

/**
 * What a rejection means. A node that has forgotten the transaction itself, but not its counter, calls it replayed, or says that it cannot tell; and a
 * quota that is used up at the door, before the transaction was ordered, is free again a minute later.
 */
async function settledVerdict(
  run: FeedRun,
  transaction: Uint8Array,
  code: string | undefined,
): Promise<'accepted' | 'rejected' | 'open'> {
  const isForgotten = code === 'tx.replayed' || code === 'history.not-held';
  if (!isForgotten && code !== 'quota.exceeded') return 'rejected';
  const answer: Result<{ status: string }, CairnError> = await run.client.transaction(
    orFail(transactionIdOf(transaction)),
  );
  if (answer.ok && answer.value.status === 'accepted') return 'accepted';
  if (isForgotten || (answer.ok && answer.value.status === 'rejected')) return 'rejected';
  await sleep(QUOTA_PAUSE_MS, undefined, { signal: run.signal }).catch(() => undefined);
  return 'open';
}

function rejectedError(code: string | undefined, message: string | undefined): CommandFailed {
  return new CommandFailed(
    {
      code: code ?? 'tx.rejected',
      message: `${message ?? 'the ledger rejected a transaction of the feed'} The same command goes on from here; with --skip-rejected it leaves rejected ones behind.`,
    },
    exitCodes.refused,
  );
}

const changedInput: CairnError = {
  code: 'feed.input-changed',
  message:
    'the input differs from what was sent before, so the feed cannot tell where to go on. Give the same file (it may have grown at its end), or --restart to send all of it as new transactions.',
};

/** Waits so that no more than the rate is sent, from the first call on. */
function createPace(ratePerSecond: number | undefined): (readings: number, signal: AbortSignal) => Promise<void> {
  if (ratePerSecond === undefined) return async () => undefined;
  let nextMs = performance.now();
  return async (readings, signal) => {
    const waitMs = nextMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    nextMs = Math.max(nextMs, performance.now() - 1000) + (1000 * readings) / ratePerSecond;
  };
}
