/**
 * Equivocator: as a leader it proposes two blocks, one to each half of the others, and votes for both; as a voter it tells
 * each half something else, and finalizes what it nullified.
 *
 * Wants two halves to finalize two blocks. Stopped by: an honest node notarizes once in a view (R3), any two quorums share
 * an honest node, a leader seen with two proposals gets neither notarize nor finalize in that view, and a held certificate
 * stands against its later words (R3, R4). Its two signatures prove it faulty.
 */
import { type Proposal, toHex } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, propose, siblingOf, signVote } from './adversary.ts';

export function createEquivocator(parts: AdversaryParts): Adversary {
  /** The other proposal of each own one, by the digest of the first. */
  const others = new Map<string, Proposal>();
  /** The first half may get its proposal when the other one is certified already. */
  const lateMs = parts.random.chance(0.3) ? parts.random.integer(20, 200) : 0;
  /** Whether it votes for the proposals of others: without it, a quorum needs every honest node. */
  const lendsVotes = parts.random.chance(0.6);
  const isInSecondHalf = (to: number) => to % 2 === 1;
  return {
    name: 'equivocator',
    delayMs: (message) => {
      const vote = message.type === 'proposal' ? message.vote.vote : null;
      return vote?.type === 'notarize' && others.has(toHex(vote.proposal.digest)) ? lateMs : 0;
    },
    rewrite: (message, to) => {
      if (message.type === 'proposal' && message.vote.vote.type === 'notarize') {
        const { proposal } = message.vote.vote;
        const block = siblingOf(message.block);
        others.set(toHex(proposal.digest), { ...proposal, digest: block.digest });
        const second = propose(parts, proposal, block);
        if (parts.random.chance(0.1)) return [message, second];
        return [isInSecondHalf(to) ? second : message];
      }
      if (message.type !== 'vote') return [message];
      const { vote } = message.vote;
      if (vote.type === 'nullify') return parts.random.chance(0.5) ? [message] : [];
      const other = others.get(toHex(vote.proposal.digest));
      if (other === undefined) return lendsVotes ? [message] : [];
      if (!isInSecondHalf(to)) return [message];
      return [{ ...message, vote: signVote(parts, { type: vote.type, proposal: other }) }];
    },
  };
}
