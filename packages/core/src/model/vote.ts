/**
 * Votes of a validator in a view (protocol.md section 3): notarize and finalize a proposal, or nullify the view.
 *
 *     Statement of notarize, finalize = [ epoch, view, parentView, digest ]      kinds "notarize", "finalize"
 *     Statement of nullify            = [ epoch, view ]                          kind "nullify"
 *     SignedVote = [ kind, statement: bstr, signer, signature ]
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, requireShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { signedBytes } from '../crypto/sealed.ts';
import {
  type Epoch,
  type Hash,
  toEpoch,
  toHash,
  toValidatorIndex,
  toView,
  type ValidatorIndex,
  type View,
} from './brands.ts';

export type Proposal = {
  readonly epoch: Epoch;
  readonly view: View;
  readonly parentView: View;
  readonly digest: Hash;
};

export type Vote =
  | { readonly type: 'notarize'; readonly proposal: Proposal }
  | { readonly type: 'nullify'; readonly epoch: Epoch; readonly view: View }
  | { readonly type: 'finalize'; readonly proposal: Proposal };

export type VoteType = Vote['type'];

export type SignedVote = { readonly vote: Vote; readonly signer: ValidatorIndex; readonly signature: Uint8Array };

const voteTypes: readonly VoteType[] = ['notarize', 'nullify', 'finalize'];

export function voteTypeToCode(type: VoteType): number {
  return voteTypes.indexOf(type);
}

export function readVoteType(value: Cbor): VoteType {
  return voteTypes[uintOf(value, 'vote type', voteTypes.length - 1)]!;
}

export function epochOfVote(vote: Vote): Epoch {
  return vote.type === 'nullify' ? vote.epoch : vote.proposal.epoch;
}

export function viewOfVote(vote: Vote): View {
  return vote.type === 'nullify' ? vote.view : vote.proposal.view;
}

export function isSameProposal(a: Proposal, b: Proposal): boolean {
  return a.epoch === b.epoch && a.view === b.view && a.parentView === b.parentView && equalBytes(a.digest, b.digest);
}

export function isSameVote(a: Vote, b: Vote): boolean {
  if (a.type === 'nullify') return b.type === 'nullify' && a.epoch === b.epoch && a.view === b.view;
  return b.type === a.type && isSameProposal(a.proposal, b.proposal);
}

export function encodeVoteStatement(vote: Vote): Uint8Array {
  if (vote.type === 'nullify') return encodeCbor([vote.epoch, vote.view]);
  const { epoch, view, parentView, digest } = vote.proposal;
  return encodeCbor([epoch, view, parentView, digest]);
}

/** The bytes a validator signs for a vote: kind and ledger are part of them. */
export function voteSignedBytes(vote: Vote, ledgerHash: Hash): Uint8Array {
  return signedBytes(vote.type, ledgerHash, encodeVoteStatement(vote));
}

export function voteToCbor(vote: Vote): Cbor {
  return [voteTypeToCode(vote.type), encodeVoteStatement(vote)];
}

export function readVote(value: Cbor): Vote {
  const [type, statement] = tupleOf(value, 2, 'vote');
  return readVoteStatement(readVoteType(type!), bytesOf(statement!, 'vote statement'));
}

export function readVoteStatement(type: VoteType, bytes: Uint8Array): Vote {
  const decoded = decodeShape('vote.malformed', bytes, (value): Vote => {
    const fields = tupleOf(value, type === 'nullify' ? 2 : 4, 'vote statement');
    const epoch = toEpoch(uintOf(fields[0]!, 'epoch'));
    const view = toView(uintOf(fields[1]!, 'view'));
    requireShape(view >= 1, 'a view is voted on from 1');
    if (type === 'nullify') return { type, epoch, view };
    const parentView = toView(uintOf(fields[2]!, 'parent view', view - 1));
    return { type, proposal: { epoch, view, parentView, digest: toHash(bytesOf(fields[3]!, 'digest', 32)) } };
  });
  requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

export function signedVoteToCbor(signed: SignedVote): Cbor {
  return [voteTypeToCode(signed.vote.type), encodeVoteStatement(signed.vote), signed.signer, signed.signature];
}

export function readSignedVote(value: Cbor): SignedVote {
  const [type, statement, signer, signature] = tupleOf(value, 4, 'signed vote');
  return {
    vote: readVoteStatement(readVoteType(type!), bytesOf(statement!, 'vote statement')),
    signer: toValidatorIndex(uintOf(signer!, 'signer', 65_535)),
    signature: bytesOf(signature!, 'signature', 64),
  };
}
