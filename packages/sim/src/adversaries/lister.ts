/**
 * Lister: as a leader it lists what may not be listed: batches that an earlier block has listed, only the newest batch of
 * an author, as if the ones before it did not exist, or a batch that nobody has ever seen.
 *
 * Wants transactions to be executed twice, or never, and a chain that waits for ever for a batch. Stopped by: a block is
 * invalid if it lists a batch at or below the floor of its author, or leaves a gap above it (section 2), which each
 * validator checks from the chain's own blocks; and nobody notarizes what it does not hold (R3).
 */
import {
  type BatchReference,
  createBlock,
  encodeCbor,
  type Message,
  sha256,
  toValidatorIndex,
} from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, propose, Recent } from './adversary.ts';

/** Batches remembered of each kind. */
const rememberedMax = 64;

export function createLister(parts: AdversaryParts): Adversary {
  const listed = new Recent<BatchReference>(rememberedMax);
  const newest = new Map<number, BatchReference>();
  /** What is proposed in each view: to all the same. */
  const proposed = new Map<number, Message>();
  const hear = (message: Message): void => {
    if (message.type === 'batch') {
      const { author, seq } = message.batch.header;
      if (seq >= (newest.get(author)?.seq ?? 0)) newest.set(author, { author, seq, digest: message.batch.digest });
    }
    if (message.type === 'proposal') for (const reference of message.block.batches) listed.add(reference);
  };
  /** The next batch of its own that it never made. */
  const ghost = (ours: readonly BatchReference[]): BatchReference => {
    const author = toValidatorIndex(parts.self);
    const own = [...listed.all(), ...ours].filter((reference) => reference.author === author);
    const seq = Math.max(0, ...own.map((reference) => reference.seq)) + 1;
    return { author, seq, digest: sha256(encodeCbor([author, seq, parts.random.integer(0, 1e9)])) };
  };
  const drawBatches = (ours: readonly BatchReference[]): readonly BatchReference[] => {
    const repeated = listed.pick(parts.random);
    if (repeated !== null && parts.random.chance(0.4)) return [...ours, repeated];
    if (parts.random.chance(0.3)) return [...ours, ghost(ours)];
    const authors = [...newest.keys()].sort((a, b) => a - b);
    if (authors.length === 0 || parts.random.chance(0.3)) return ours;
    return [newest.get(parts.random.pick(authors))!];
  };
  return {
    name: 'lister',
    hear,
    rewrite: (message) => {
      if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return [message];
      const { proposal } = message.vote.vote;
      let other = proposed.get(proposal.view);
      if (other === undefined) {
        const batches = drawBatches(message.block.batches);
        const isSame = batches === message.block.batches;
        other = isSame ? message : propose(parts, proposal, createBlock(message.block.header, batches, []));
        hear(message);
        proposed.set(proposal.view, other);
      }
      return [other];
    },
  };
}
