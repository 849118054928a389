/**
 * Equivocator: as a leader it proposes two blocks, one to each half of the others, and votes for both; as a voter it tells
 * each half something else, and finalizes what it nullified. It wants two halves to finalize two blocks.
 */
import { createBlock, type Message, type Proposal, toHex } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, signVote } from './adversary.ts';

export function createEquivocator(parts: AdversaryParts): Adversary {
  /** The other proposal of each own one, by the digest of the first. */
  const others = new Map<string, Proposal>();
  const isInSecondHalf = (to: number) => to % 2 === 1;
  return {
    name: 'equivocator',
    rewrite: (message, to) => {
      if (message.type === 'proposal' && message.vote.vote.type === 'notarize') {
        const { proposal } = message.vote.vote;
        const { header, batches } = message.block;
        const block = createBlock({ ...header, timeMs: header.timeMs + 1 }, batches.slice(1), []);
        const other = { ...proposal, digest: block.digest };
        others.set(toHex(proposal.digest), other);
        const second: Message = {
          type: 'proposal',
          vote: signVote(parts, { type: 'notarize', proposal: other }),
          block,
        };
        if (parts.random.chance(0.1)) return [message, second];
        return [isInSecondHalf(to) ? second : message];
      }
      if (message.type !== 'vote') return [message];
      const { vote } = message.vote;
      if (vote.type === 'nullify') return parts.random.chance(0.5) ? [message] : [];
      const other = others.get(toHex(vote.proposal.digest));
      if (other === undefined || !isInSecondHalf(to)) return [message];
      return [{ ...message, vote: signVote(parts, { type: vote.type, proposal: other }) }];
    },
  };
}
