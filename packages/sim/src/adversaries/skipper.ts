/**
 * Skipper: as a leader it proposes on an older block than it must, as if the views between had been nullified. Whoever
 * votes over the gap helps to fork the chain (protocol.md R3).
 */
import { type Block, createBlock, toView, type View } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, signVote } from './adversary.ts';

/** Proposals remembered. */
const proposalsMax = 32;

export function createSkipper(parts: AdversaryParts): Adversary {
  const proposals: { readonly view: View; readonly block: Block }[] = [];
  const rewritten = new Map<number, { readonly parentView: View; readonly block: Block }>();
  return {
    name: 'skipper',
    rewrite: (message) => {
      if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return [message];
      const { proposal } = message.vote.vote;
      let other = rewritten.get(proposal.view);
      if (other === undefined) {
        const older = proposals.filter(({ view }) => view < proposal.parentView);
        const parent = older.at(-1 - parts.random.integer(0, 2));
        proposals.push({ view: proposal.view, block: message.block });
        if (proposals.length > proposalsMax) proposals.shift();
        if (parent === undefined || parts.random.chance(0.3)) return [message];
        const { digest, header } = parent.block;
        const { checkpoint } = header;
        const block = createBlock(
          { ...message.block.header, parent: digest, height: (header.height + 1) as typeof header.height, checkpoint },
          [],
          [],
        );
        other = { parentView: toView(parent.view), block };
        rewritten.set(proposal.view, other);
      }
      const { parentView, block } = other;
      const vote = signVote(parts, { type: 'notarize', proposal: { ...proposal, parentView, digest: block.digest } });
      return [{ type: 'proposal', vote, block }];
    },
  };
}
