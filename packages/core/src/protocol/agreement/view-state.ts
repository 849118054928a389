/** What a replica remembers of one view (protocol.md section 3, "State"). */
import type { ValidatorIndex, View } from '../../model/brands.ts';
import { type Certificate, createCertificate } from '../../model/certificate.ts';
import { isSameVote, type Proposal, type SignedVote, type Vote, type VoteType } from '../../model/vote.ts';

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

export function certificateOf(state: ViewState, type: VoteType): Certificate | null {
  if (type === 'notarize') return state.notarization;
  return type === 'nullify' ? state.nullification : state.finalization;
}

export function proposalOf(vote: Vote): Proposal | null {
  return vote.type === 'nullify' ? null : vote.proposal;
}
