/**
 * The ledger port of a gateway that stands alone: HTTP nodes, through the client of the SDK. Waiting is handing in again:
 * transactions whose verdict is awaited are sent together, in one request that the node answers when it knows. Receipts
 * are verified against the client's trust anchor before anybody is told.
 */

import { fromHex, ok, toHex } from '@cairn-ledger/core';
import { type Client, groupsToSubmit, type OutcomeAnswer } from '@cairn-ledger/sdk';
import type { LedgerPort, SubmitOutcome, TransactionVerdict } from './ledger-port.ts';

/** One request waits so long; one transaction that takes longer does not keep the verdicts of the others back further. */
const REQUEST_WAIT_MS = 2000;
const REQUEST_COUNT_MAX = 500;
/** Before asking for the same transactions again. */
const PAUSE_MS = 50;
const BUSY_RETRY_MS = 500;

type Waiting = { readonly resolve: (verdict: TransactionVerdict | null) => void };

export function createClientLedger(client: Client): LedgerPort {
  /** Handed in, without a verdict yet, by id; a gateway hands in only so much at a time. */
  const handedIn = new Map<string, Uint8Array>();
  const waiting = new Map<string, Waiting>();
  let isAsking = false;

  async function askWhileWaiting(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    await new Promise(setImmediate);
    while (waiting.size > 0) {
      const ids = [...waiting.keys()].slice(0, REQUEST_COUNT_MAX);
      const transactions = ids.flatMap((id) => handedIn.get(id) ?? []);
      const group = groupsToSubmit(transactions)[0] ?? [];
      const answer = await client.submitMany(group, REQUEST_WAIT_MS);
      for (const outcome of answer.ok ? answer.value : []) conclude(outcome);
      await new Promise((resolve) => setTimeout(resolve, answer.ok ? PAUSE_MS : BUSY_RETRY_MS));
    }
    isAsking = false;
  }

  function conclude(outcome: OutcomeAnswer): void {
    // What the node cannot tell is no verdict.
    const isRejected = outcome.status === 'rejected' && outcome.code !== 'history.not-held';
    const isDecided = isRejected || (outcome.status === 'accepted' && outcome.certified === true);
    if (outcome.id === undefined || !isDecided) return;
    handedIn.delete(outcome.id);
    waiting.get(outcome.id)?.resolve(outcomeToVerdict(outcome));
    waiting.delete(outcome.id);
  }

  return {
    async submit(transactions) {
      const outcomes: SubmitOutcome[] = [];
      for (const group of groupsToSubmit(transactions)) {
        const answer = await client.submitMany(group);
        if (!answer.ok) throw new Error(answer.error.message);
        for (const [index, outcome] of answer.value.entries()) {
          const bytes = group[index] as Uint8Array;
          const isTaken = outcome.status === 'pending' || outcome.status === 'accepted';
          if (outcome.id !== undefined && isTaken) handedIn.set(outcome.id, bytes);
          outcomes.push(answerToOutcome(outcome));
        }
      }
      return outcomes;
    },
    waitFor(id, timeoutMs, signal) {
      const idHex = toHex(id);
      if (signal.aborted || !handedIn.has(idHex)) return Promise.resolve(null);
      return new Promise((resolve) => {
        const end = (verdict: TransactionVerdict | null) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
          resolve(verdict);
        };
        const giveUp = () => {
          waiting.delete(idHex);
          handedIn.delete(idHex);
          end(null);
        };
        const timer = setTimeout(giveUp, timeoutMs);
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.set(idHex, { resolve: end });
        void askWhileWaiting();
      });
    },
    async receipt(id) {
      const delivered = await client.receipt(toHex(id));
      return delivered.ok ? ok(delivered.value.receipt) : delivered;
    },
  };
}

function answerToOutcome(outcome: OutcomeAnswer): SubmitOutcome {
  const id = outcome.id === undefined ? null : fromHex(outcome.id);
  const error = { code: outcome.code ?? 'node.busy', message: outcome.message ?? 'the node gave no reason' };
  if (outcome.status === 'rejected') return { type: 'rejected', error, ...(id === null ? {} : { id }) };
  if (outcome.status === 'busy' || id === null) return { type: 'busy', error, retryAfterMs: BUSY_RETRY_MS };
  return { type: 'accepted', id };
}

function outcomeToVerdict(outcome: OutcomeAnswer): TransactionVerdict {
  return {
    status: outcome.status === 'rejected' ? 'rejected' : 'accepted',
    certified: outcome.certified === true,
    code: outcome.code ?? null,
    message: outcome.message ?? null,
    height: outcome.height ?? null,
    position: null,
    leafIndex: null,
    provenance: null,
  };
}
