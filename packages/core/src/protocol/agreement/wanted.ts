/**
 * R8 (protocol.md section 3): which votes and certificates are taken, and which of them could say anything new. Asked
 * before a signature is checked, so that what is known, or of no use, costs nothing.
 *
 * Deviation: votes are taken up to `viewsAhead` views ahead instead of one, so that a node a little behind need not be
 * helped. Accepting a vote never moves the view by itself.
 */
import type { View } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { epochOfVote, isSameVote, type SignedVote, viewOfVote } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';
import { leaderOf } from '../epochs/epoch.ts';
import type { Accountability } from '../guard/accountability.ts';
import { areConflictingVotes } from '../guard/evidence.ts';
import { certificateOf } from './view-state.ts';
import type { Views } from './views.ts';

export const viewsAhead = 8;

/** R8. Whether a vote of this view is taken at all. */
export function isInBounds(views: Views, view: View): boolean {
  return view > views.lastFinalized && view <= views.current + viewsAhead;
}

/** Whether a certificate could say anything new; of a past view only one that contradicts what is kept of it does. */
export function wantsCertificate(
  { set }: ReplicaContext,
  views: Views,
  accountability: Accountability,
  certificate: Certificate,
): boolean {
  const { vote } = certificate;
  const view = viewOfVote(vote);
  if (epochOfVote(vote) !== set.epoch) return false;
  if (view <= views.lastFinalized) return accountability.wantsCertificate(certificate);
  const state = views.find(view);
  const held = state === undefined ? null : certificateOf(state, vote.type);
  // A second one of a kind on another proposal is a fork: it names who signed both.
  return held === null || !isSameVote(held.vote, vote);
}

/** Whether a vote could say anything new; one that shows its signer behind does while the signer may be helped. */
export function wantsVote(
  context: ReplicaContext,
  views: Views,
  accountability: Accountability,
  signed: SignedVote,
  mayHelp: boolean,
): boolean {
  const { vote, signer } = signed;
  const view = viewOfVote(vote);
  if (epochOfVote(vote) !== context.set.epoch) return false;
  if (vote.type === 'nullify' && view < views.current && mayHelp) return true;
  if (view <= views.lastFinalized) return accountability.wantsVote(signed);
  if (!isInBounds(views, view)) return false;
  const state = views.find(view);
  const known = state?.tally[vote.type].get(signer);
  if (state === undefined || known === undefined) return true;
  if (!areConflictingVotes(known, signed)) return false;
  // One proof is enough, but each view must learn that its leader has signed two proposals.
  const isLeaderVote = vote.type === 'notarize' && signer === leaderOf(context.set, view);
  return (isLeaderVote && state.proposalStatus !== 'equivocated') || !context.isProven(signer, 'votes');
}
