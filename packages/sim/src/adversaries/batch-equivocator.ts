/** Batch equivocator: signs two batches with each number and sends one to each half of the others. */
import { createBatch, encodeCbor, sha256, signBatch, signedBytes } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createBatchEquivocator({ self, ledgerHash, votingSigner }: AdversaryParts): Adversary {
  return {
    name: 'batch-equivocator',
    rewrite: (message, to) => {
      if (message.type !== 'batch' || message.batch.header.author !== self || to % 2 === 0) return [message];
      const { header } = message.batch;
      const other = createBatch(header, [sha256(encodeCbor([header.seq, 'other']))]);
      const signature = votingSigner.sign(signedBytes('batch', ledgerHash, other.headerBytes));
      return [{ type: 'batch', batch: signBatch(other, signature) }];
    },
  };
}
