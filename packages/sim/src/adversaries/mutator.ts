/**
 * Mutator: changes its messages here and there: a view one higher or lower, the digest of another proposal, an index of
 * somebody else, a parent that is none; signed again now and then, so that only the rules can refuse it. Some frames it
 * changes in their bytes: flipped bits, cut short, with a tail, with another head.
 *
 * Wants a receiver to crash, to take in something unchecked, or to blame somebody else. Stopped by the door (section 6):
 * decoded strictly, signers of this epoch, signatures over everything; and by the rules, which take every field as a
 * claim.
 */
import {
  type Message,
  type Proposal,
  type SignedVote,
  sha256,
  toHeight,
  toValidatorIndex,
  toView,
  type Vote,
  viewOfVote,
} from '@cairn-ledger/core';
import type { Random } from '../random.ts';
import { type Adversary, type AdversaryParts, Recent, signVote } from './adversary.ts';

export function createMutator(parts: AdversaryParts): Adversary {
  const { nodesCount, random } = parts;
  const share = random.pick([0.05, 0.3]);
  const proposals = new Recent<Proposal>(32);
  const mutateVote = (signed: SignedVote): SignedVote => {
    const vote = mutateStatement(signed.vote, proposals, random);
    if (random.chance(0.5)) return signVote(parts, vote);
    return random.chance(0.5)
      ? { ...signed, vote }
      : { ...signed, signer: otherIndex(signed.signer, nodesCount, random) };
  };
  return {
    name: 'mutator',
    hear: (message) => {
      if (message.type === 'proposal' && message.vote.vote.type === 'notarize')
        proposals.add(message.vote.vote.proposal);
    },
    rewrite: (message) => (random.chance(share) ? [mutate(message, mutateVote, nodesCount, random)] : [message]),
    garble: (frame) => (random.chance(share / 3) ? [garbled(frame, random)] : [frame]),
  };
}

function mutateStatement(vote: Vote, proposals: Recent<Proposal>, random: Random): Vote {
  const view = toView(Math.max(1, viewOfVote(vote) + random.pick([-1, 1])));
  if (vote.type === 'nullify') return { ...vote, view };
  const { proposal } = vote;
  const other = proposals.pick(random);
  switch (random.integer(0, 3)) {
    case 0:
      return { ...vote, proposal: { ...proposal, digest: other?.digest ?? sha256(proposal.digest) } };
    case 1:
      return { ...vote, proposal: { ...proposal, parentView: toView(Math.max(0, proposal.parentView - 1)) } };
    case 2:
      return { type: vote.type === 'notarize' ? 'finalize' : 'notarize', proposal };
    default:
      return { ...vote, proposal: { ...proposal, view, parentView: toView(Math.min(proposal.parentView, view - 1)) } };
  }
}

function mutate(
  message: Message,
  mutateVote: (signed: SignedVote) => SignedVote,
  nodesCount: number,
  random: Random,
): Message {
  const shift = random.pick([-1, 1, 1_000_000]);
  switch (message.type) {
    case 'vote':
      return { ...message, vote: mutateVote(message.vote) };
    case 'proposal': {
      const vote = mutateVote(message.vote);
      return vote.vote.type === 'notarize' ? { ...message, vote } : { type: 'vote', vote, entry: null };
    }
    case 'certificate': {
      const { certificate } = message;
      const signers = certificate.signers.map((signer, i) =>
        i === 0 ? otherIndex(signer, nodesCount, random) : signer,
      );
      const isAscending = signers.every((signer, i) => i === 0 || signer > signers[i - 1]!);
      return { ...message, certificate: isAscending ? { ...certificate, signers } : certificate };
    }
    case 'acknowledgement': {
      const rows = message.rows.map((row) => ({
        ...row,
        author: otherIndex(row.author, nodesCount, random),
        seq: Math.max(0, row.seq + shift),
      }));
      return { ...message, rows };
    }
    case 'checkpoint-signatures': {
      const signatures = message.signatures.map((signature) => ({
        ...signature,
        signer: otherIndex(signature.signer, nodesCount, random),
      }));
      return { ...message, signatures };
    }
    case 'status':
      return {
        ...message,
        view: toView(Math.max(0, message.view + shift)),
        lastFinalized: toView(Math.max(0, message.lastFinalized + shift)),
        height: toHeight(Math.max(0, message.height + shift)),
      };
    case 'request-chain':
      return { ...message, from: toHeight(Math.max(0, message.from + shift)) };
    case 'request-checkpoint':
      return { ...message, height: toHeight(Math.max(0, message.height + shift)) };
    case 'request-block':
    case 'request-batch':
      return { ...message, digest: sha256(message.digest) };
    case 'chain':
      return {
        ...message,
        blocks: message.blocks.slice(random.integer(0, 1), random.integer(1, message.blocks.length)),
      };
    default:
      return message;
  }
}

/** A validator that is another one, or none at all. */
function otherIndex(index: number, nodesCount: number, random: Random) {
  return toValidatorIndex(random.chance(0.2) ? nodesCount + random.integer(0, 3) : (index + 1) % nodesCount);
}

function garbled(frame: Uint8Array, random: Random): Uint8Array {
  switch (random.integer(0, 4)) {
    case 0:
      return frame.slice(0, random.integer(0, frame.length - 1));
    case 1: {
      const longer = new Uint8Array(frame.length + random.integer(1, 16));
      longer.set(frame);
      return longer;
    }
    case 2: {
      const other = frame.slice();
      other[random.integer(0, Math.min(8, other.length - 1))] = random.integer(0, 255);
      return other;
    }
    case 3:
      return Uint8Array.from({ length: random.integer(1, 64) }, () => random.integer(0, 255));
    default: {
      const other = frame.slice();
      other[random.integer(0, other.length - 1)]! ^= 1 << random.integer(0, 7);
      return other;
    }
  }
}
