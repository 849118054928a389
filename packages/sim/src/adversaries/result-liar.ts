/**
 * Result liar: signs a result that nobody has, the same as every other liar does, and is honest in all else.
 *
 * Wants honest nodes to take a false result for certified (section 4): up to Q - 1 of them must not get that far, however
 * well they agree with each other.
 */
import { type CheckpointSignature, type Hash, signCheckpoint, toValidatorIndex } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createResultLiar({ self, validator, checkpointSigner }: AdversaryParts): Adversary {
  const index = toValidatorIndex(self);
  const falsified = ({ statement, signer, issuedSeconds, signature }: CheckpointSignature): CheckpointSignature => {
    if (signer !== index) return { statement, signer, issuedSeconds, signature };
    const stateRoot = statement.stateRoot.map((byte) => byte ^ 0xff) as Hash;
    return signCheckpoint({ ...statement, stateRoot }, index, validator, issuedSeconds, checkpointSigner);
  };
  return {
    name: 'result-liar',
    rewrite: (message) =>
      message.type === 'checkpoint-signatures'
        ? [{ ...message, signatures: message.signatures.map(falsified) }]
        : [message],
  };
}
