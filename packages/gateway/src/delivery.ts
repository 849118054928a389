/**
 * From the outbox to the ledger, and back with the verdict. Every transaction is handed in, in the order of arrival, and
 * again until the ledger has decided: handing in is idempotent. The verdict and the receipt are published, and only then
 * does the transaction leave the outbox; after a crash both may therefore be published again.
 *
 * When the ledger cannot be reached or has no room, everything waits for a growing, jittered time; nothing is dropped.
 * A quota is different: it concerns one member, so that its transactions wait on their own, and not for ever. Likewise what a
 * node cannot tell, because it still fetches the history that would say: the others go on meanwhile.
 */

import { type CairnError, unreachable } from '@cairn-ledger/core';
import type { LedgerPort, SubmitOutcome, TransactionVerdict } from './ledger-port.ts';
import type { Outbox, OutboxTransaction } from './outbox.ts';

/** One submission holds at most this. The limit of `POST /v1/transactions` is 1,000 and 1 MiB. */
const SUBMISSION_COUNT_MAX = 500;
const SUBMISSION_BYTES_MAX = 512 * 1024;
/** Transactions taken from the outbox whose verdict is not published yet. */
const UNDER_WAY_COUNT_MAX = 2000;
const UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024;

const VERDICT_WAIT_MS = 30_000;
const BACK_OFF_FIRST_MS = 100;
const BACK_OFF_LAST_MS = 30_000;
/** A refusal that may pass by itself, and has not after so many tries, about five minutes, is the verdict. */
const PASSING_TRIES_MAX = 16;
const RECEIPT_TRIES_MAX = 5;

export type Verdict =
  | { readonly type: 'accepted'; readonly status: TransactionVerdict; readonly receipt: Uint8Array | null }
  | { readonly type: 'rejected'; readonly error: CairnError; readonly status: TransactionVerdict | null };

export type DeliveryOptions = {
  readonly outbox: Outbox;
  readonly ledger: LedgerPort;
  readonly wantsReceipts: boolean;
  /** Publishes; resolves true when the broker has it. */
  readonly publishVerdict: (transaction: OutboxTransaction, verdict: Verdict) => Promise<boolean>;
  readonly onEvent: (event: DeliveryEvent) => void;
  /** A number in [0, 1) for jitter; tests put their own here. */
  readonly random?: () => number;
};

export type DeliveryEvent =
  | { readonly type: 'delivered'; readonly verdict: 'accepted' | 'rejected'; readonly code: string }
  | { readonly type: 'waiting'; readonly waitMs: number; readonly reason: string }
  | { readonly type: 'receipt-missing'; readonly error: CairnError };

export type Delivery = {
  /** There is something new in the outbox. */
  wake(): void;
  readonly underWayCount: number;
  /** Stops handing in; what is under way stays in the outbox. */
  stop(): Promise<void>;
};

type UnderWay = OutboxTransaction & { tries: number };

export function startDelivery(options: DeliveryOptions): Delivery {
  const { outbox, ledger } = options;
  const random = options.random ?? Math.random;
  const stopping = new AbortController();
  const { signal } = stopping;
  let readUpTo = 0;
  let underWayCount = 0;
  let underWayBytes = 0;
  let failures = 0;
  let again: UnderWay[] = [];
  let wakeUp: () => void = () => {};

  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the gateway is stopping')), { once: true });
  });
  stopped.catch(() => {});
  const loop = run();

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const next = takeNext();
      if (next.length === 0) await new Promise<void>((resolve) => (wakeUp = resolve));
      else await handIn(next);
    }
  }

  /** What is to be tried again goes first: it is older. */
  function takeNext(): UnderWay[] {
    if (again.length > 0) return takeAgain();
    const roomCount = Math.min(SUBMISSION_COUNT_MAX, UNDER_WAY_COUNT_MAX - underWayCount);
    const roomBytes = Math.min(SUBMISSION_BYTES_MAX, UNDER_WAY_BYTES_MAX - underWayBytes);
    if (roomCount <= 0 || roomBytes <= 0) return [];
    const fresh = outbox.read(readUpTo, roomCount, roomBytes).map((transaction) => ({ ...transaction, tries: 0 }));
    readUpTo = fresh.at(-1)?.sequence ?? readUpTo;
    underWayCount += fresh.length;
    for (const { bytes } of fresh) underWayBytes += bytes.length;
    return fresh;
  }

  function takeAgain(): UnderWay[] {
    let count = 0;
    let bytes = 0;
    while (count < Math.min(again.length, SUBMISSION_COUNT_MAX) && bytes < SUBMISSION_BYTES_MAX) {
      bytes += (again[count] as UnderWay).bytes.length;
      count += 1;
    }
    return again.splice(0, count);
  }

  async function handIn(transactions: UnderWay[]): Promise<void> {
    let outcomes: readonly SubmitOutcome[];
    try {
      outcomes = await Promise.race([ledger.submit(transactions.map(({ bytes }) => bytes)), stopped]);
    } catch (cause) {
      if (signal.aborted) return;
      again = transactions.concat(again);
      await backOff(0, cause instanceof Error ? cause.message : String(cause));
      return;
    }
    const refused: UnderWay[] = [];
    let busy: { retryAfterMs: number; error: CairnError } | null = null;
    for (const [index, transaction] of transactions.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined || outcome.type === 'busy') {
        refused.push(transaction);
        busy ??= outcome ?? { retryAfterMs: 0, error: { code: 'node.busy', message: 'the node answered too little' } };
        continue;
      }
      settle(transaction, outcome);
    }
    again = refused.concat(again);
    if (busy === null) failures = 0;
    else await backOff(busy.retryAfterMs, busy.error.message);
  }

  function settle(transaction: UnderWay, outcome: Exclude<SubmitOutcome, { type: 'busy' }>): void {
    switch (outcome.type) {
      case 'accepted':
      case 'known':
        void awaitVerdict(transaction);
        return;
      case 'rejected':
        if (mayPass(outcome.error.code) && transaction.tries < PASSING_TRIES_MAX) tryLater(transaction);
        else void conclude(transaction, { type: 'rejected', error: outcome.error, status: null });
        return;
      default:
        unreachable(outcome);
    }
  }

  async function awaitVerdict(transaction: UnderWay): Promise<void> {
    const status = await ledger.waitFor(transaction.id, VERDICT_WAIT_MS, signal).catch(() => null);
    if (signal.aborted) return;
    if (status?.status === 'rejected') {
      const error = { code: status.code ?? 'tx.rejected', message: status.message ?? 'the ledger rejected it' };
      await conclude(transaction, { type: 'rejected', error, status });
    } else if (status?.status === 'accepted' && status.certified) {
      await conclude(transaction, { type: 'accepted', status, receipt: await fetchReceipt(transaction) });
    } else tryLater(transaction);
  }

  async function fetchReceipt(transaction: UnderWay): Promise<Uint8Array | null> {
    if (!options.wantsReceipts) return null;
    for (let attempt = 0; ; attempt += 1) {
      const receipt = await ledger.receipt(transaction.id).catch((cause: Error) => ({
        ok: false as const,
        error: { code: 'node.unreachable', message: cause.message },
      }));
      if (receipt.ok) return receipt.value;
      if (attempt + 1 >= RECEIPT_TRIES_MAX || signal.aborted) {
        options.onEvent({ type: 'receipt-missing', error: receipt.error });
        return null;
      }
      await pause(backOffMs(attempt));
    }
  }

  async function conclude(transaction: UnderWay, verdict: Verdict): Promise<void> {
    if (signal.aborted) return;
    const isPublished = await options.publishVerdict(transaction, verdict);
    if (signal.aborted && !isPublished) return;
    if (!isPublished) {
      tryLater(transaction);
      return;
    }
    outbox.remove(transaction);
    underWayCount -= 1;
    underWayBytes -= transaction.bytes.length;
    options.onEvent({
      type: 'delivered',
      verdict: verdict.type,
      code: verdict.type === 'accepted' ? 'ok' : verdict.error.code,
    });
    wakeUp();
  }

  function tryLater(transaction: UnderWay): void {
    const waitMs = backOffMs(transaction.tries);
    transaction.tries += 1;
    void pause(waitMs).then(() => {
      again.push(transaction);
      wakeUp();
    });
  }

  async function backOff(atLeastMs: number, reason: string): Promise<void> {
    const waitMs = Math.max(atLeastMs, backOffMs(failures));
    failures += 1;
    options.onEvent({ type: 'waiting', waitMs, reason });
    await pause(waitMs);
  }

  /** Doubles from try to try; between half of that and the whole. */
  function backOffMs(tries: number): number {
    const longest = Math.min(BACK_OFF_LAST_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(tries, 16));
    return Math.round(longest * (0.5 + random() / 2));
  }

  function pause(waitMs: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  return {
    wake: () => wakeUp(),
    get underWayCount() {
      return underWayCount;
    },
    async stop() {
      stopping.abort();
      wakeUp();
      await loop;
    },
  };
}

/** A quota recovers, and a node that does not hold the whole history gets it. */
function mayPass(code: string): boolean {
  return code.startsWith('quota.') || code === 'history.not-held';
}
