/**
 * Conspirator: as a leader it proposes one block to one half of the honest nodes and another one to the other half; as a
 * voter it signs, for each half, what that half was told, also of proposals of other conspirators. With more than f of
 * them, and the halves cut off from each other, both blocks become final.
 *
 * Wants a fork. With at most f conspirators no two quorums exist (protocol.md section 9); with more, whoever signed both
 * sides is named by proofs of fault (section 6, "Accountability").
 */
import { type Message, toHex } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, propose, siblingOf, signVote } from './adversary.ts';
import { nameOfProposal } from './conspiracy.ts';

export function createConspirator(parts: AdversaryParts): Adversary {
  const { halves, second, secondDigests } = parts.conspiracy;
  const secondVersion = (message: Extract<Message, { type: 'proposal' }>): Message => {
    if (message.vote.vote.type !== 'notarize') return message;
    const { proposal } = message.vote.vote;
    const name = nameOfProposal(proposal);
    let other = second.get(name);
    if (other === undefined) {
      const { block } = message;
      // What is proposed again to one half is proposed again to the other one.
      const again = secondDigests.get(toHex(block.digest));
      other = { proposal, block: again ?? siblingOf(block, secondDigests.get(toHex(block.header.parent))?.digest) };
      other = { ...other, proposal: { ...proposal, digest: other.block.digest } };
      second.set(name, other);
      secondDigests.set(toHex(block.digest), other.block);
    }
    return propose(parts, other.proposal, other.block);
  };
  return {
    name: 'conspirator',
    rewrite: (message, to) => {
      if (halves[to] !== 1) {
        // Made in time, whoever is told first.
        if (message.type === 'proposal') secondVersion(message);
        return [message];
      }
      if (message.type === 'proposal') return [secondVersion(message)];
      if (message.type === 'vote' && message.vote.vote.type !== 'nullify') {
        const { type, proposal } = message.vote.vote;
        const other = second.get(nameOfProposal(proposal));
        return [
          other === undefined ? message : { ...message, vote: signVote(parts, { type, proposal: other.proposal }) },
        ];
      }
      const isOfFirstHalf = message.type === 'certificate' && message.certificate.vote.type !== 'nullify';
      return isOfFirstHalf ? [] : [message];
    },
  };
}
