/**
 * Bender: as a leader it bends the header of its block: a time that is not after the parent's, or an hour ahead, another
 * checkpoint than the one that is certified, another parent, a height too high, or a next set where none is due, and none where
 * one is.
 *
 * Wants a chain whose time stands still or runs away, or whose blocks vouch for results that nobody has. Stopped by: every
 * field of a new block is checked against its parent, the own clock and the own certified checkpoint (R3).
 */
import { createBlock, type Message, sha256, toHeight } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, propose } from './adversary.ts';

const hourMs = 3_600_000;
/** More than passes between a block and its parent. */
const longBeforeMs = 60_000;

export function createBender(parts: AdversaryParts): Adversary {
  /** What is proposed in each view: to all the same. */
  const proposed = new Map<number, Message>();
  const bend = (message: Extract<Message, { type: 'proposal' }>): Message => {
    if (message.vote.vote.type !== 'notarize') return message;
    const { header, batches } = message.block;
    const bent = parts.random.pick([
      { timeMs: header.timeMs - longBeforeMs },
      { timeMs: header.timeMs + hourMs },
      { checkpoint: sha256(header.checkpoint) },
      { parent: sha256(header.parent) },
      { height: toHeight(header.height + 1) },
      { nextSet: header.nextSet === null ? sha256(header.parent) : null },
      {},
    ]);
    return propose(parts, message.vote.vote.proposal, createBlock({ ...header, ...bent }, batches, []));
  };
  return {
    name: 'bender',
    rewrite: (message) => {
      if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return [message];
      const { view } = message.vote.vote.proposal;
      const known = proposed.get(view) ?? bend(message);
      proposed.set(view, known);
      return [known];
    },
  };
}
