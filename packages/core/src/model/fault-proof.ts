/**
 * A proof of fault: two signed things of one validator that no honest node makes (protocol.md section 6). Nothing in it
 * depends on who found it, or when.
 *
 *     FaultProof = [ 0, accused, SignedVote, SignedVote ]
 *                / [ 1, accused, [header: bstr, signature], [header: bstr, signature] ]
 *                / [ 2, accused, CheckpointSignature, CheckpointSignature ]
 */
import type { Cbor } from '../bytes/cbor.ts';
import { encodeCbor } from '../bytes/cbor.ts';
import { bytesOf, decodeShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { type CairnError, type Result, unreachable } from '../result.ts';
import { type BatchHeader, readBatchHeader } from './batch.ts';
import { toValidatorIndex, type ValidatorIndex } from './brands.ts';
import {
  type CheckpointSignature,
  checkpointSignatureToCbor,
  readCheckpointSignature,
} from './checkpoint-signature.ts';
import { readSignedVote, type SignedVote, signedVoteToCbor } from './vote.ts';

export type SignedBatchHeader = {
  readonly header: BatchHeader;
  readonly headerBytes: Uint8Array;
  readonly signature: Uint8Array;
};

export type FaultProof =
  | {
      readonly type: 'votes';
      readonly accused: ValidatorIndex;
      readonly first: SignedVote;
      readonly second: SignedVote;
    }
  | {
      readonly type: 'batches';
      readonly accused: ValidatorIndex;
      readonly first: SignedBatchHeader;
      readonly second: SignedBatchHeader;
    }
  | {
      readonly type: 'checkpoints';
      readonly accused: ValidatorIndex;
      readonly first: CheckpointSignature;
      readonly second: CheckpointSignature;
    };

export function faultProofToCbor(proof: FaultProof): Cbor {
  switch (proof.type) {
    case 'votes':
      return [0, proof.accused, signedVoteToCbor(proof.first), signedVoteToCbor(proof.second)];
    case 'batches':
      return [1, proof.accused, signedBatchHeaderToCbor(proof.first), signedBatchHeaderToCbor(proof.second)];
    case 'checkpoints':
      return [2, proof.accused, checkpointSignatureToCbor(proof.first), checkpointSignatureToCbor(proof.second)];
    default:
      return unreachable(proof);
  }
}

/** As it stands in a block body. */
export function encodeFaultProof(proof: FaultProof): Uint8Array {
  return encodeCbor(faultProofToCbor(proof));
}

export function decodeFaultProof(bytes: Uint8Array): Result<FaultProof, CairnError> {
  return decodeShape('message.malformed', bytes, readFaultProof);
}

/** Reads a proof; whether its signatures hold and contradict each other is not checked here. */
export function readFaultProof(value: Cbor): FaultProof {
  const [type, accusedValue, first, second] = tupleOf(value, 4, 'proof of fault');
  const accused = toValidatorIndex(uintOf(accusedValue!, 'accused', 65_535));
  switch (uintOf(type!, 'type of proof', 2)) {
    case 0:
      return { type: 'votes', accused, first: readSignedVote(first!), second: readSignedVote(second!) };
    case 1:
      return { type: 'batches', accused, first: readSignedBatchHeader(first!), second: readSignedBatchHeader(second!) };
    default:
      return {
        type: 'checkpoints',
        accused,
        first: readCheckpointSignature(first!),
        second: readCheckpointSignature(second!),
      };
  }
}

export function signedBatchHeaderToCbor(signed: SignedBatchHeader): Cbor {
  return [signed.headerBytes, signed.signature];
}

export function readSignedBatchHeader(value: Cbor): SignedBatchHeader {
  const [headerValue, signature] = tupleOf(value, 2, 'signed batch header');
  const headerBytes = bytesOf(headerValue!, 'batch header');
  return { header: readBatchHeader(headerBytes), headerBytes, signature: bytesOf(signature!, 'signature', 64) };
}
