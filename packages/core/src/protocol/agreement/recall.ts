/**
 * What is remembered of votes, of others and of this node (protocol.md section 6, "The check after a start"): peers show a node that has
 * started what they hold of its signatures, and it holds that against what it remembers.
 */
import type { ValidatorIndex } from '../../model/brands.ts';
import { type Certificate, votesOfCertificate } from '../../model/certificate.ts';
import { recallVotesMax } from '../../model/message.ts';
import { epochOfVote, isSameProposal, type SignedVote, type Vote, viewOfVote } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';
import { certificateOf } from './view-state.ts';
import type { Views } from './views.ts';

const voteTypes = ['notarize', 'nullify', 'finalize'] as const;

/** The newest votes of a validator that are held here, of views that are not finalized. */
export function heldVotesOf(views: Views, validator: ValidatorIndex): SignedVote[] {
  const held: SignedVote[] = [];
  for (const state of [...views.open()].reverse()) {
    for (const type of voteTypes) {
      // After a restart certificates are back, and the tallies that they were formed of are not.
      const vote = state.tally[type].get(validator) ?? rowOf(certificateOf(state, type), validator);
      if (vote !== null) held.push(vote);
    }
    if (held.length + 3 > recallVotesMax) break;
  }
  return held;
}

/** Whether this node remembers a vote that carries its own signature, or need not: nothing is signed for a view below a final one. */
export function isRemembered(views: Views, { set }: ReplicaContext, vote: Vote): boolean {
  const view = viewOfVote(vote);
  if (epochOfVote(vote) !== set.epoch || view <= views.lastFinalized) return true;
  const own = views.find(view)?.own;
  if (vote.type === 'nullify') return own?.isNullified === true;
  const known = vote.type === 'notarize' ? own?.notarize : own?.finalize;
  return known != null && isSameProposal(known, vote.proposal);
}

/** What a validator has signed of a certificate; null where it is none of its signers. */
function rowOf(certificate: Certificate | null, validator: ValidatorIndex): SignedVote | null {
  if (certificate === null || !certificate.signers.includes(validator)) return null;
  return votesOfCertificate(certificate).find(({ signer }) => signer === validator) ?? null;
}
