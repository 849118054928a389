/** What a replica remembers of one view (protocol.md section 3, "State"). */
import type { ValidatorIndex, View } from '../../model/brands.ts';
import { type Certificate, createCertificate } from '../../model/certificate.ts';
import { isSameProposal, isSameVote, type Proposal, type SignedVote, type VoteType } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';
import { areConflictingVotes } from '../guard/evidence.ts';

export type ProposalStatus = 'none' | 'unverified' | 'verified' | 'equivocated';
export type Certification = 'none' | 'pending' | 'ok' | 'rejected';

export type ViewState = {
  readonly view: View;
  /** The proposal of this view: fixed by the leader's first Notarize, or by a certificate, which stands against it. */
  proposal: Proposal | null;
  proposalStatus: ProposalStatus;
  /** When the proposal arrived; null before. */
  proposalAtMs: number | null;
  /** The leader's first Notarize. */
  leaderVote: SignedVote | null;
  readonly own: { notarize: Proposal | null; isNullified: boolean; finalize: Proposal | null };
  /** The first signed vote of each signer, by kind. */
  readonly tally: Record<VoteType, Map<ValidatorIndex, SignedVote>>;
  notarization: Certificate | null;
  nullification: Certificate | null;
  finalization: Certificate | null;
  certification: Certification;
  nullifySentAtMs: number;
};

export function createViewState(view: View): ViewState {
  return {
    view,
    proposal: null,
    proposalStatus: 'none',
    proposalAtMs: null,
    leaderVote: null,
    own: { notarize: null, isNullified: false, finalize: null },
    tally: { notarize: new Map(), nullify: new Map(), finalize: new Map() },
    notarization: null,
    nullification: null,
    finalization: null,
    certification: 'none',
    nullifySentAtMs: Number.NEGATIVE_INFINITY,
  };
}

/**
 * Tallies one vote; returns a certificate the moment a quorum for its statement exists.
 *
 * @param signed verified, of the view and epoch of `state`; a signer's second vote of a kind is ignored
 */
export function tallyVote(state: ViewState, signed: SignedVote, quorum: number): Certificate | null {
  const votes = state.tally[signed.vote.type];
  if (votes.has(signed.signer)) return null;
  votes.set(signed.signer, signed);
  if (certificateOf(state, signed.vote.type) !== null) return null;
  const equal = [...votes.values()].filter((other) => isSameVote(other.vote, signed.vote));
  return equal.length >= quorum ? createCertificate(equal) : null;
}

/** R3: the leader's first Notarize fixes the proposal, unless a certificate of the view is held; a second one is noted. */
export function fixProposal(state: ViewState, signed: SignedVote, proposal: Proposal, nowMs: number): void {
  state.leaderVote ??= signed;
  if (state.proposal === null) {
    state.proposal = proposal;
    state.proposalStatus = 'unverified';
    state.proposalAtMs = nowMs;
  } else if (!isSameProposal(state.proposal, proposal)) {
    state.proposalStatus = 'equivocated';
  }
}

/** Proves a fault where a vote contradicts one that its signer cast before in the same view. */
export function noteConflicts(context: ReplicaContext, state: ViewState, signed: SignedVote): void {
  for (const votes of Object.values(state.tally)) {
    const known = votes.get(signed.signer);
    if (known !== undefined && areConflictingVotes(known, signed))
      context.prove({ type: 'votes', accused: signed.signer, first: known, second: signed });
  }
}

export function certificateOf(state: ViewState, type: VoteType): Certificate | null {
  if (type === 'notarize') return state.notarization;
  return type === 'nullify' ? state.nullification : state.finalization;
}
