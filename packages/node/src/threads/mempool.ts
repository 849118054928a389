/**
 * Main thread's side of submission: transactions that the edge thread admitted go to the replica to be sealed, and are
 * acknowledged once the batch that holds them is durable here. So nothing that was acknowledged is lost in a crash.
 */
import type { Batch, CairnError } from '@cairn-ledger/core';

/** Bytes of transactions that may wait to be sealed; beyond, the node is busy. */
export const mempoolBytesMax = 16 << 20;

export type Sealing = 'safe' | CairnError;

type Group = { remaining: number; readonly onDone: (outcome: Sealing) => void };

export type Mempool = {
  /** Returns false when there is no room. `onDone` is called once: when all of them are in durable batches, or refused. */
  add(transactions: readonly Uint8Array[], onDone: (outcome: Sealing) => void): boolean;
  /** An own batch is durable. */
  onSealed(batch: Batch): void;
  /** Nothing will be sealed any more: whoever waits is told, and may go to another node. */
  refuseAll(error: CairnError): void;
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
    add(transactions, onDone) {
      if (sizeBytes >= mempoolBytesMax) return false;
      const group: Group = { remaining: transactions.length, onDone };
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
        if (group.remaining === 0) group.onDone('safe');
      }
    },
    refuseAll(error) {
      const groups = new Set(waiting.values());
      waiting.clear();
      sizeBytes = 0;
      for (const group of groups) group.onDone(error);
    },
  };
}
