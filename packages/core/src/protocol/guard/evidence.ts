/**
 * What proves a fault: two valid signatures of one validator that no honest node makes (protocol.md section 6). Silence, a
 * bad signature, or Notarize together with Nullify prove nothing.
 */
import { equalBytes } from '../../bytes/hex.ts';
import type { Epoch } from '../../model/brands.ts';
import { checkpointDigest } from '../../model/checkpoint.ts';
import type { FaultProof } from '../../model/fault-proof.ts';
import { epochOfVote, isSameProposal, type SignedVote, type Vote, viewOfVote } from '../../model/vote.ts';
import { unreachable } from '../../result.ts';

/** Whether two votes of one signer, in one epoch and view, are a proof of fault. */
export function areConflictingVotes(a: SignedVote, b: SignedVote): boolean {
  if (a.signer !== b.signer || epochOfVote(a.vote) !== epochOfVote(b.vote) || viewOfVote(a.vote) !== viewOfVote(b.vote))
    return false;
  return areConflictingStatements(a.vote, b.vote);
}

/** Whether no honest validator makes both of these votes, which are of one epoch and view. */
export function areConflictingStatements(a: Vote, b: Vote): boolean {
  if (a.type === 'nullify') return b.type === 'finalize';
  if (b.type === 'nullify') return a.type === 'finalize';
  return !isSameProposal(a.proposal, b.proposal);
}

/** The epoch in which what a proof shows was signed: with the keys, and by the places, of its set. */
export function epochOfProof(proof: FaultProof): Epoch {
  switch (proof.type) {
    case 'votes':
      return epochOfVote(proof.first.vote);
    case 'batches':
      return proof.first.header.epoch;
    case 'checkpoints':
      return proof.first.statement.epoch;
    default:
      return unreachable(proof);
  }
}

/** Whether both parts of a proof are the accused's own and contradict each other; their signatures are checked apart. */
export function provesFault(proof: FaultProof): boolean {
  const { accused } = proof;
  switch (proof.type) {
    case 'votes':
      return proof.first.signer === accused && areConflictingVotes(proof.first, proof.second);
    case 'batches': {
      const [a, b] = [proof.first.header, proof.second.header];
      const isSamePlace = a.author === accused && b.author === accused && a.epoch === b.epoch && a.seq === b.seq;
      return isSamePlace && !equalBytes(proof.first.headerBytes, proof.second.headerBytes);
    }
    case 'checkpoints': {
      const [a, b] = [proof.first.statement, proof.second.statement];
      const isOfAccused = proof.first.signer === accused && proof.second.signer === accused;
      const isSamePlace = equalBytes(a.ledgerHash, b.ledgerHash) && a.height === b.height && a.round === b.round;
      return isOfAccused && isSamePlace && !equalBytes(checkpointDigest(a), checkpointDigest(b));
    }
    default:
      return unreachable(proof);
  }
}
