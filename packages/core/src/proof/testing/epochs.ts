/** A ledger whose validators change, with real signatures: for tests of what leads from one epoch to the next. */
import { sha256 } from '../../crypto/hash.ts';
import { nobleSigner } from '../../crypto/noble-signer.ts';
import type { Signer } from '../../crypto/verifier.ts';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import type { CheckpointStatement } from '../../model/checkpoint.ts';
import { type CheckpointSignature, signCheckpoint } from '../../model/checkpoint-signature.ts';
import type { EpochProof } from '../../model/epoch-proof.ts';
import { quorum, sortValidators, type Validator, validatorSetDigest } from '../../model/validator-set.ts';
import { setToTrustAnchor, type TrustAnchor } from '../trust-anchor.ts';

export const ledgerHash = sha256(Uint8Array.of(0));

const secretOf = (id: string): Uint8Array => sha256(new TextEncoder().encode(id));

/** The checkpoint key of a validator; `life` tells keys of one validator apart. */
export function signerOf(id: string, life = ''): Signer {
  return nobleSigner('ed25519', secretOf(id + life));
}

export function validatorOf(id: string, life = ''): Validator {
  return {
    id,
    member: `member-${id}`,
    linkKey: secretOf(`link ${id}`),
    votingKey: secretOf(`voting ${id}`),
    checkpointKey: signerOf(id, life).publicKey,
    addresses: [`${id}.example:7700`],
    life: null,
  };
}

export const setOf = (...ids: readonly string[]): Validator[] => sortValidators(ids.map((id) => validatorOf(id)));

/** The anchor of an epoch whose set is known. */
export function anchorOf(epoch: number, set: readonly Validator[], certifiedSeconds = 1_700_000_000): TrustAnchor {
  return setToTrustAnchor(ledgerHash, toEpoch(epoch), set, certifiedSeconds);
}

export type ProofFields = Partial<CheckpointStatement> & {
  /** Positions in the old set; a quorum of the first ones unless told. */
  readonly signers?: readonly number[];
  readonly issuedSeconds?: number;
};

export function statementOf(epoch: number, next: readonly Validator[]): CheckpointStatement {
  return {
    ledgerHash,
    epoch: toEpoch(epoch),
    height: toHeight(100 * epoch),
    round: 0,
    historySize: 1000 * epoch,
    historyRoot: sha256(Uint8Array.of(1, epoch)),
    stateRoot: sha256(Uint8Array.of(2, epoch)),
    validatorSet: validatorSetDigest(next),
  };
}

export function signatureOf(
  set: readonly Validator[],
  index: number,
  statement: CheckpointStatement,
  issuedSeconds = 1_700_000_000,
): CheckpointSignature {
  const validator = set[index]!;
  return signCheckpoint(statement, toValidatorIndex(index), validator, issuedSeconds, signerOf(validator.id));
}

/** That `epoch` of `set` ended, at height 100 x epoch, and `next` comes after it. */
export function proofOf(
  epoch: number,
  set: readonly Validator[],
  next: readonly Validator[],
  { signers, issuedSeconds, ...change }: ProofFields = {},
): EpochProof {
  const statement = { ...statementOf(epoch, next), ...change };
  const indices = signers ?? Array.from({ length: quorum(set.length) }, (_, i) => i);
  return {
    signatures: indices.map((index) => signatureOf(set, index, statement, issuedSeconds)),
    validators: next,
  };
}
