/** Whether a quorum of an epoch signed a checkpoint, and whether a finalization holds: what everything else stands on. */
import {
  admitMessage,
  type Block,
  type Certificate,
  type CheckpointSignature,
  type CheckpointStatement,
  checkpointDigest,
  checkpointSignatureCheck,
  equalBytes,
  type Hash,
  quorum,
  toValidatorIndex,
  type Verifier,
} from '@cairn-ledger/core';
import { epochToSet, type KnownEpoch } from './known-epochs.ts';

/**
 * Those of the signatures that are of this statement and hold, ascending, one for each signer; null when they are fewer than a
 * quorum.
 */
export function quorumOf(
  statement: CheckpointStatement,
  signatures: readonly CheckpointSignature[],
  { epoch, validators }: KnownEpoch,
  verifier: Verifier,
): CheckpointSignature[] | null {
  if (statement.epoch !== epoch) return null;
  const digest = checkpointDigest(statement);
  const bySigner = new Map<number, CheckpointSignature>();
  for (const signature of signatures) {
    const signer = validators[signature.signer];
    if (signer === undefined || bySigner.has(signature.signer)) continue;
    if (!equalBytes(checkpointDigest(signature.statement), digest)) continue;
    const { publicKey, message, signature: bytes } = checkpointSignatureCheck(signature, signer);
    if (verifier.verify('ed25519', publicKey, message, bytes)) bySigner.set(signature.signer, signature);
  }
  if (bySigner.size < quorum(validators.length)) return null;
  return [...bySigner.values()].sort((a, b) => a.signer - b.signer);
}

/** Whether a quorum of the block's epoch finalized exactly this block. */
export function isFinalization(
  certificate: Certificate,
  block: Block,
  epoch: KnownEpoch,
  ledgerHash: Hash,
  verifier: Verifier,
): boolean {
  const { vote } = certificate;
  if (vote.type !== 'finalize' || !equalBytes(vote.proposal.digest, block.digest)) return false;
  const message = { type: 'certificate' as const, certificate };
  return admitMessage(message, toValidatorIndex(0), epochToSet(epoch), ledgerHash, verifier).ok;
}
