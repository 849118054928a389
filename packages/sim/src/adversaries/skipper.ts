/**
 * Skipper: as a leader it proposes on the block before the one it must build on, as if the views between had been
 * nullified.
 *
 * Wants a finalized block to be passed over. Stopped by: nobody notarizes without a nullification of every view between
 * (R3); whoever votes over the gap helps to fork the chain.
 */
import { type Block, createBlock, type Message, type Proposal, toHex, toView } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, signVote } from './adversary.ts';

/** Proposals remembered. */
const proposalsMax = 64;

type Seen = { readonly proposal: Proposal; readonly block: Block };

export function createSkipper(parts: AdversaryParts): Adversary {
  const seen: Seen[] = [];
  const proposed = new Map<number, Message | null>();
  const remember = (message: Message): void => {
    if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return;
    seen.push({ proposal: message.vote.vote.proposal, block: message.block });
    if (seen.length > proposalsMax) seen.shift();
  };
  /** A block beside the parent: it stands on the parent's parent. */
  const skip = ({ proposal, block }: Seen): Message | null => {
    const parent = seen.find((row) => toHex(row.block.digest) === toHex(block.header.parent));
    const before = seen.findLast(
      (row) => toHex(row.block.digest) === toHex(parent?.block.header.parent ?? block.digest),
    );
    if (parent === undefined || before === undefined || before.proposal.view >= proposal.parentView) return null;
    const other = createBlock({ ...parent.block.header, timeMs: block.header.timeMs }, [], []);
    const parentView = toView(before.proposal.view);
    const vote = signVote(parts, { type: 'notarize', proposal: { ...proposal, parentView, digest: other.digest } });
    return { type: 'proposal', vote, block: other };
  };
  return {
    name: 'skipper',
    hear: remember,
    rewrite: (message) => {
      if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return [message];
      const { proposal } = message.vote.vote;
      const known = proposed.get(proposal.view);
      if (known !== undefined) return [known ?? message];
      const other = parts.random.chance(0.8) ? skip({ proposal, block: message.block }) : null;
      proposed.set(proposal.view, other);
      remember(message);
      return [other ?? message];
    },
  };
}
