/**
 * Transactions that this node was handed and may not seal: it is no validator of the epoch, or fenced. Others seal them; until
 * they are seen executed they are owed, and handed over again and again, but not for ever: what nobody takes is not valid any more.
 */
import { type Batch, handedOverBytesMax, toHex, type ValidatorIndex } from '@cairn-ledger/core';
import type { EpochView } from './epoch-view.ts';

/** Transactions in one message, as many as its reader takes. */
const handedOverMax = 1_000;
/** After so many times it is owed no more: whoever handed it in has been told otherwise long ago, or asks again. */
export const handOversMax = 64;

type Owed = { readonly transaction: Uint8Array; times: number };

export class HandingOver {
  readonly #owed = new Map<string, Owed>();
  readonly #nowMs: () => number;
  readonly #pauseMs: () => number;
  readonly #handOver: (transactions: readonly Uint8Array[]) => void;
  #atMs = Number.POSITIVE_INFINITY;

  /** @param pauseMs after which what is still owed is handed over again */
  constructor(nowMs: () => number, pauseMs: () => number, handOver: (transactions: readonly Uint8Array[]) => void) {
    this.#nowMs = nowMs;
    this.#pauseMs = pauseMs;
    this.#handOver = handOver;
  }

  get isOwing(): boolean {
    return this.#owed.size > 0;
  }

  owed(): Iterable<Uint8Array> {
    return Array.from(this.#owed.values(), ({ transaction }) => transaction);
  }

  /** Handed over at once, and again until a block has them. */
  owe(transactions: readonly Uint8Array[]): void {
    const fresh = transactions.filter((transaction) => !this.#owed.has(toHex(transaction)));
    if (fresh.length === 0) return;
    for (const transaction of fresh) this.#owed.set(toHex(transaction), { transaction, times: 1 });
    this.#atMs = Math.min(this.#atMs, this.#nowMs() + this.#pauseMs());
    this.#handOver(fresh);
  }

  /** Hands over again what is still owed, every so often. */
  react(): void {
    if (this.#nowMs() < this.#atMs) return;
    const due = [...this.owed()];
    for (const [key, owed] of this.#owed) {
      owed.times++;
      if (owed.times >= handOversMax) this.#owed.delete(key);
    }
    this.#atMs = this.isOwing ? this.#nowMs() + this.#pauseMs() : Number.POSITIVE_INFINITY;
    if (due.length > 0) this.#handOver(due);
  }

  /** These batches are executed: nobody is owed what they hold. */
  onExecuted(batches: readonly Batch[]): void {
    if (!this.isOwing) return;
    for (const { transactions } of batches) for (const each of transactions) this.#owed.delete(toHex(each));
  }

  /** This node seals them itself. */
  clear(): void {
    this.#owed.clear();
  }

  deadline(): number {
    return this.#atMs;
  }
}

/** f + 1 validators that are linked: at least one of them is honest. */
export function takersOf(view: EpochView, connected: ReadonlySet<string>): ValidatorIndex[] {
  return view.set.validators
    .map((_, i) => i as ValidatorIndex)
    .filter((i) => i !== view.self && connected.has(view.idOf(i)!))
    .slice(0, view.set.faultsMax + 1);
}

/** Transactions in messages of at most `handedOverBytesMax`; a larger one does not exist. */
export function pagesOf(transactions: readonly Uint8Array[]): Uint8Array[][] {
  const pages: Uint8Array[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const transaction of transactions) {
    const last = pages.at(-1);
    if (last === undefined || bytes + transaction.length > handedOverBytesMax || last.length >= handedOverMax) {
      pages.push([transaction]);
      bytes = transaction.length;
    } else {
      last.push(transaction);
      bytes += transaction.length;
    }
  }
  return pages;
}
