/**
 * Main thread's side of submission: transactions that the edge thread admitted go to the replica to be sealed, and are
 * acknowledged once the batch that holds them is durable here. So nothing that was acknowledged is lost in a crash.
 */
import type { Batch } from '@cairn-ledger/core';

/** Bytes of transactions that may wait to be sealed; beyond, the node is busy. */
export const mempoolBytesMax = 16 << 20;

type Group = { remaining: number; readonly onSafe: () => void };

export type Mempool = {
  /** Returns false when there is no room. `onSafe` is called once all of them are in durable batches. */
  add(transactions: readonly Uint8Array[], onSafe: () => void): boolean;
  /** An own batch is durable. */
  onSealed(batch: Batch): void;
  readonly transactionsCount: number;
  readonly sizeBytes: number;
};

/** @param submit gives transactions to the replica, which seals these very objects */
export function createMempool(submit: (transactions: readonly Uint8Array[]) => void): Mempool {
  const waiting = new Map<Uint8Array, Group>();
  let sizeBytes = 0;
  return {
    get transactionsCount() {
      return waiting.size;
    },
    get sizeBytes() {
      return sizeBytes;
    },
    add(transactions, onSafe) {
      if (sizeBytes >= mempoolBytesMax) return false;
      const group: Group = { remaining: transactions.length, onSafe };
      for (const transaction of transactions) {
        waiting.set(transaction, group);
        sizeBytes += transaction.length;
      }
      submit(transactions);
      return true;
    },
    onSealed(batch) {
      for (const transaction of batch.transactions) {
        const group = waiting.get(transaction);
        // Transactions of an expired batch are sealed again; they were acknowledged the first time.
        if (group === undefined) continue;
        waiting.delete(transaction);
        sizeBytes -= transaction.length;
        group.remaining--;
        if (group.remaining === 0) group.onSafe();
      }
    },
  };
}
