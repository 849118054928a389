/**
 * One validator's signature of a checkpoint, as nodes send it to each other: what is needed to rebuild the COSE receipt
 * header it covers (`checkpoint.ts`).
 *
 *     CheckpointSignature = [ CheckpointStatement, signer, issuedSeconds, signature: bstr .size 64 ]
 */
import type { Cbor } from '../bytes/cbor.ts';
import { bytesOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { keyId } from '../crypto/keys.ts';
import type { SignatureCheck } from '../crypto/verified.ts';
import type { Signer } from '../crypto/verifier.ts';
import { toValidatorIndex, type ValidatorIndex } from './brands.ts';
import {
  type CheckpointStatement,
  checkpointSignedBytes,
  checkpointStatementToCbor,
  issuedSecondsMax,
  protectedHeaderOf,
  readCheckpointStatement,
} from './checkpoint.ts';
import type { Validator } from './validator-set.ts';

/** What a checkpoint signature is checked with. */
export type CheckpointSigner = Pick<Validator, 'id' | 'checkpointKey'>;

export type CheckpointSignature = {
  readonly statement: CheckpointStatement;
  readonly signer: ValidatorIndex;
  /** Block time in whole seconds. */
  readonly issuedSeconds: number;
  readonly signature: Uint8Array;
};

/** The receipt header that a signature covers. */
export function receiptHeaderOf(
  signature: Omit<CheckpointSignature, 'signature'>,
  validator: CheckpointSigner,
): Uint8Array {
  const { statement, issuedSeconds } = signature;
  return protectedHeaderOf({
    statement,
    kid: checkpointKidOf(validator),
    signer: validator.id,
    issuedSeconds,
  });
}

const kids = new WeakMap<CheckpointSigner, Uint8Array>();

function checkpointKidOf(validator: CheckpointSigner): Uint8Array {
  let kid = kids.get(validator);
  if (kid === undefined) {
    kid = keyId('ed25519', validator.checkpointKey);
    kids.set(validator, kid);
  }
  return kid;
}

export function signCheckpoint(
  statement: CheckpointStatement,
  signer: ValidatorIndex,
  validator: CheckpointSigner,
  issuedSeconds: number,
  key: Signer,
): CheckpointSignature {
  const header = receiptHeaderOf({ statement, signer, issuedSeconds }, validator);
  return {
    statement,
    signer,
    issuedSeconds,
    signature: key.sign(checkpointSignedBytes(header, statement.historyRoot)),
  };
}

/** What must hold for a signature to be believed. */
export function checkpointSignatureCheck(signature: CheckpointSignature, validator: CheckpointSigner): SignatureCheck {
  return {
    publicKey: validator.checkpointKey,
    message: checkpointSignedBytes(receiptHeaderOf(signature, validator), signature.statement.historyRoot),
    signature: signature.signature,
  };
}

export function checkpointSignatureToCbor(signature: CheckpointSignature): Cbor {
  return [
    checkpointStatementToCbor(signature.statement),
    signature.signer,
    signature.issuedSeconds,
    signature.signature,
  ];
}

export function readCheckpointSignature(value: Cbor): CheckpointSignature {
  const [statement, signer, issuedSeconds, signature] = tupleOf(value, 4, 'checkpoint signature');
  return {
    statement: readCheckpointStatement(statement!),
    signer: toValidatorIndex(uintOf(signer!, 'signer', 65_535)),
    issuedSeconds: uintOf(issuedSeconds!, 'time', issuedSecondsMax),
    signature: bytesOf(signature!, 'signature', 64),
  };
}
