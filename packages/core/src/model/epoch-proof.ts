/**
 * An epoch proof: that an epoch ended, and which validators come next (protocol.md section 5, wire-format.md section 4).
 *
 *     EpochProof = [ [+ CheckpointSignature], ValidatorSet ]     ; signatures ascend by signer, none twice
 *
 * The signatures are of validators of the epoch that ended, all over the checkpoint of its boundary block; that statement
 * holds the digest of the set beside it. Whoever knows the old set needs nothing else to know the new one.
 *
 * Decoding checks the form only; `proof/epochs.ts` checks whether it is true.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { decodeShape, listOf, requireShape, tupleOf } from '../bytes/shape.ts';
import { type CairnError, fail, type Result } from '../result.ts';
import {
  type CheckpointSignature,
  checkpointSignatureToCbor,
  readCheckpointSignature,
} from './checkpoint-signature.ts';
import { readValidatorSet, sortValidators, type Validator, validatorSetMax, validatorToCbor } from './validator-set.ts';

/** More than the largest set with the longest texts takes (2.1 MB); one of 20 validators takes 8 KB. */
export const epochProofBytesMax = 1 << 22;

export type EpochProof = {
  /** Q or more of the epoch that ended, all of the checkpoint of its boundary. */
  readonly signatures: readonly CheckpointSignature[];
  /** The set of the next epoch, ascending by id. */
  readonly validators: readonly Validator[];
};

/** Encodes a proof; signatures and validators may come in any order. */
export function encodeEpochProof(proof: EpochProof): Uint8Array {
  return encodeCbor(epochProofToCbor(proof));
}

/** Error: `anchor.malformed`. */
export function decodeEpochProof(bytes: Uint8Array): Result<EpochProof, CairnError> {
  const proof: Result<EpochProof, CairnError> =
    bytes.length > epochProofBytesMax
      ? fail({ code: 'anchor.malformed', message: `it has more than ${epochProofBytesMax} bytes` })
      : decodeShape('anchor.malformed', bytes, readEpochProof);
  if (proof.ok) return proof;
  return fail({ ...proof.error, message: `This is not an epoch proof of Cairn: ${proof.error.message}.` });
}

export function epochProofToCbor({ signatures, validators }: EpochProof): Cbor {
  return [
    [...signatures].sort((a, b) => a.signer - b.signer).map(checkpointSignatureToCbor),
    sortValidators(validators).map(validatorToCbor),
  ];
}

/** For use inside `readShape` or `decodeShape`. */
export function readEpochProof(value: Cbor): EpochProof {
  const [signatureValues, validators] = tupleOf(value, 2, 'epoch proof');
  const signatures = listOf(signatureValues!, validatorSetMax, 'signatures', readCheckpointSignature);
  requireShape(signatures.length >= 1, 'an epoch proof has signatures');
  signatures.forEach(({ signer }, i) => {
    requireShape(i === 0 || signatures[i - 1]!.signer < signer, 'signatures must ascend by signer, none twice');
  });
  return { signatures, validators: readValidatorSet(validators!) };
}
