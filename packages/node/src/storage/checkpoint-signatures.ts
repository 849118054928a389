/** A quorum's signatures of a checkpoint, as chain.db keeps them: CBOR `[* CheckpointSignature]`. */
import {
  type CheckpointSignature,
  checkpointSignatureToCbor,
  decodeShape,
  encodeCbor,
  listOf,
  readCheckpointSignature,
} from '@cairn-ledger/core';

const signaturesMax = 256;

export function encodeSignatures(signatures: readonly CheckpointSignature[]): Uint8Array {
  return encodeCbor(signatures.map(checkpointSignatureToCbor));
}

/** Null where there are none, or they cannot be read. */
export function decodeSignatures(bytes: Uint8Array | null): CheckpointSignature[] | null {
  if (bytes === null) return null;
  const decoded = decodeShape('storage.damaged', bytes, (value) =>
    listOf(value, signaturesMax, 'signatures', readCheckpointSignature),
  );
  return decoded.ok ? decoded.value : null;
}
