/**
 * Withholder: proposes blocks and lists batches that it hands to a few nodes only, and answers nobody who asks for them.
 *
 * Wants a notarized block that most nodes cannot get, so that they can neither vote nor go on. Stopped by: nobody
 * notarizes before block and batches are durable here (R3), so Q - f honest signers of every notarization can be asked
 * (R4); what nobody can get is never notarized, and its view is nullified.
 */
import type { Message } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createWithholder({ self, nodesCount, random }: AdversaryParts): Adversary {
  // Enough to be notarized with its own vote, or one too few.
  const toldCount = nodesCount - Math.floor((nodesCount - 1) / 3) - random.integer(1, 2);
  const isTold = (to: number) => (to - self + nodesCount) % nodesCount <= toldCount;
  return {
    name: 'withholder',
    rewrite: (message: Message, to) => {
      switch (message.type) {
        case 'proposal':
          return isTold(to) ? [message] : [{ type: 'vote', vote: message.vote, entry: null }];
        case 'batch':
          return isTold(to) && message.batch.header.author === self ? [message] : [];
        case 'block':
        case 'chain':
          return [];
        default:
          return [message];
      }
    },
  };
}
