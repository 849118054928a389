/**
 * Batch equivocator: signs two batches with each number and sends one to each half of the others.
 *
 * Wants nodes to execute different transactions, or to wait for ever for a batch that the others do not have. Stopped by: a
 * block lists batches by digest; acknowledgements count along the counter's own chain of digests; the first batch of a
 * number stands, another one is kept only when a block lists it; two prove a fault (section 2).
 */
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
