/**
 * Proofs of fault that honest nodes hold: each one accuses a Byzantine node, consists of two things that it really signed, and
 * that no honest node signs both of. Judged by the list in protocol.md section 6, written down here once more.
 */
import { checkpointSignatureCheck, type FaultProof, toHex, type Validator, type Vote } from '@cairn-ledger/core';
import { indexOfName } from '../virtual-chain.ts';
import type { SignedStatements } from './signed-statements.ts';

/** What is wrong with a proof; null when nothing is. */
export function problemOfProof(
  proof: FaultProof,
  validators: readonly Validator[],
  statements: SignedStatements,
): string | null {
  const { accused } = proof;
  const node = indexOfName(validators[accused]!.id);
  const whose = `${proof.type} of ${accused}`;
  switch (proof.type) {
    case 'votes':
      for (const { signer, vote } of [proof.first, proof.second])
        if (signer !== accused || !statements.hasVoted(node, vote)) return `${whose}: not signed by it`;
      return exclude(proof.first.vote, proof.second.vote) ? null : `${whose}: both may be signed`;
    case 'batches': {
      const [a, b] = [proof.first, proof.second];
      for (const { header, headerBytes } of [a, b])
        if (header.author !== accused || !statements.hasSignedBatch(node, headerBytes))
          return `${whose}: not signed by it`;
      const isOnePlace = a.header.epoch === b.header.epoch && a.header.seq === b.header.seq;
      return isOnePlace && toHex(a.headerBytes) !== toHex(b.headerBytes) ? null : `${whose}: both may be signed`;
    }
    case 'checkpoints': {
      for (const signature of [proof.first, proof.second]) {
        const { message } = checkpointSignatureCheck(signature, validators[accused]!);
        if (signature.signer !== accused || !statements.hasSignedCheckpoint(node, message))
          return `${whose}: not signed by it`;
      }
      const [a, b] = [proof.first.statement, proof.second.statement];
      const isOnePlace = a.height === b.height && a.round === b.round;
      const areEqual =
        a.historySize === b.historySize &&
        toHex(a.historyRoot) === toHex(b.historyRoot) &&
        toHex(a.stateRoot) === toHex(b.stateRoot) &&
        toHex(a.validatorSet) === toHex(b.validatorSet) &&
        a.epoch === b.epoch;
      return isOnePlace && !areEqual ? null : `${whose}: both may be signed`;
    }
    default:
      return `${String(proof)}: of no known kind`;
  }
}

/** Whether nobody may sign both of these. */
function exclude(a: Vote, b: Vote): boolean {
  const [placeA, placeB] = [a, b].map((vote) => {
    const { epoch, view } = vote.type === 'nullify' ? vote : vote.proposal;
    return `${epoch}/${view}`;
  });
  if (placeA !== placeB) return false;
  const kinds = new Set([a.type, b.type]);
  if (kinds.has('nullify')) return kinds.has('finalize');
  if (a.type === 'nullify' || b.type === 'nullify') return false;
  return a.proposal.parentView !== b.proposal.parentView || toHex(a.proposal.digest) !== toHex(b.proposal.digest);
}
