/**
 * Teaser: sends its batches to one node only, its votes to finalize to nobody or to one node, so that a few nodes have
 * short timers or a finalization of their own while the others do not.
 *
 * Wants views to be nullified for ever while nothing is final (section 10). Stopped by: a pending batch is relayed to those
 * who lack it (section 2), a leader proposes an unfinalized block again (R2), timers know what is pending, and new
 * certificates are passed on also to voters who show no sign of having them.
 */
import type { Message } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createTeaser({ self, nodesCount, random }: AdversaryParts): Adversary {
  const favourite = (self + random.integer(1, nodesCount - 1)) % nodesCount;
  const tellsFinalize = random.chance(0.5);
  const tellsNotarize = random.chance(0.5);
  const isForFavourite = (message: Message): boolean => {
    switch (message.type) {
      case 'batch':
        return message.batch.header.author === self;
      case 'vote':
        if (message.vote.vote.type === 'finalize') return true;
        return message.vote.vote.type === 'notarize' && !tellsNotarize;
      case 'certificate':
        return true;
      default:
        return false;
    }
  };
  return {
    name: 'teaser',
    rewrite: (message, to) => {
      if (!isForFavourite(message)) return [message];
      if (message.type === 'vote' && message.vote.vote.type === 'finalize' && !tellsFinalize) return [];
      return to === favourite ? [message] : [];
    },
  };
}
