/**
 * Own batches of the epoch before that no block of it lists. They stay in the journal until their transactions are safe elsewhere: in
 * batches of this epoch, or executed. After a start, those are sealed again that were not before it.
 */
import { type Batch, equalBytes, toHex } from '@cairn-ledger/core';
import type { EpochView } from './epoch-view.ts';

export class UnlistedBatches {
  #batches: Batch[] = [];
  /** Transactions of own batches of this epoch, in hexadecimal, while the journal is read. */
  readonly #sealedAgain = new Set<string>();

  /** A batch of the journal, as far as this is about it. */
  restore(batch: Batch, view: EpochView): void {
    const { author, epoch } = batch.header;
    if (this.#isOfBefore(batch, view)) this.#batches.push(batch);
    else if (author === view.self && epoch === view.set.epoch)
      for (const transaction of batch.transactions) this.#sealedAgain.add(toHex(transaction));
  }

  /** Whether a batch was sealed here in the epoch before, and no block lists it. */
  #isOfBefore({ header, digest }: Batch, { previous, selfId }: EpochView): boolean {
    if (previous === null || header.epoch !== previous.set.epoch || header.seq <= previous.ownFloor) return false;
    // A journal that began anew in the middle of a turn may hold a record twice.
    const isKnown = this.#batches.some((batch) => equalBytes(batch.digest, digest));
    return !isKnown && previous.set.validators[header.author]?.id === selfId;
  }

  /** After all records: transactions that were not sealed again before this start. */
  takeUnsealed(): Uint8Array[] {
    const transactions = this.#batches.flatMap((batch) => batch.transactions);
    const unsealed = transactions.filter((transaction) => !this.#sealedAgain.has(toHex(transaction)));
    this.#sealedAgain.clear();
    return unsealed;
  }

  /** An epoch has ended, and left these. */
  onEpoch(batches: Batch[]): void {
    this.#batches = batches;
  }

  [Symbol.iterator](): Iterator<Batch> {
    return this.#batches.values();
  }
}
