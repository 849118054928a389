/**
 * Censor: wants the batches of one author never to be ordered. As a leader it leaves them out of its blocks; it does not
 * acknowledge them and does not pass them on.
 *
 * Stopped by: leaders take turns, and any other leader lists what Q others have acknowledged (section 2); a block may not
 * pass over an author's number, so nothing of his is lost by being left out.
 */
import { createBlock, type Message, type Proposal, toHex } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, pickPeer, propose, signVote } from './adversary.ts';

/** Own proposals remembered. */
const proposalsMax = 64;

export function createCensor(parts: AdversaryParts): Adversary {
  const victim = pickPeer(parts);
  /** What it really proposes, by the digest of what its node would have proposed. */
  const proposed = new Map<string, { readonly proposal: Proposal; readonly message: Message }>();
  const censored = (message: Extract<Message, { type: 'proposal' }>): Message => {
    const { vote } = message.vote;
    const { header, batches } = message.block;
    if (vote.type !== 'notarize' || batches.every(({ author }) => author !== victim)) return message;
    const name = `${vote.proposal.view} ${toHex(vote.proposal.digest)}`;
    const known = proposed.get(name);
    if (known !== undefined) return known.message;
    const block = createBlock(
      header,
      batches.filter(({ author }) => author !== victim),
      [],
    );
    const other = propose(parts, vote.proposal, block);
    proposed.set(name, { proposal: { ...vote.proposal, digest: block.digest }, message: other });
    if (proposed.size > proposalsMax) proposed.delete(proposed.keys().next().value!);
    return other;
  };
  return {
    name: 'censor',
    rewrite: (message) => {
      switch (message.type) {
        case 'proposal':
          return [censored(message)];
        case 'vote': {
          const { vote } = message.vote;
          if (vote.type === 'nullify') return [message];
          const other = proposed.get(`${vote.proposal.view} ${toHex(vote.proposal.digest)}`);
          if (other === undefined) return [message];
          return [{ ...message, vote: signVote(parts, { type: vote.type, proposal: other.proposal }) }];
        }
        case 'acknowledgement':
          return [{ ...message, rows: message.rows.filter(({ author }) => author !== victim) }];
        case 'batch':
          return message.batch.header.author === victim ? [] : [message];
        default:
          return [message];
      }
    },
  };
}
