/**
 * What somebody who verifies starts from: one ledger, one epoch and the validators that sign in it. It must come from a source
 * the verifier trusts; the genesis document of the network is the first one, and epoch proofs lead on from it (epochs.ts).
 */
import { compareBytes } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import { type Epoch, type Hash, toEpoch } from '../model/brands.ts';
import { decodeGenesis } from '../model/genesis.ts';
import { quorum, type Validator, validatorSetDigest } from '../model/validator-set.ts';
import { assert, type CairnError, ok, type Result } from '../result.ts';

export type AnchorValidator = {
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly checkpointKey: Uint8Array;
};

export type TrustAnchor = {
  readonly ledgerHash: Hash;
  readonly epoch: Epoch;
  /** Ascending by id, so that an index names the same validator as in the epoch's set. */
  readonly validators: readonly AnchorValidator[];
  /** Digest of the whole set, as checkpoints carry it. */
  readonly setDigest: Hash;
  /** Q: how many of them must have signed. */
  readonly quorum: number;
  /** When the set was certified, in whole seconds since 1970: the time of the genesis, or of the block that the epoch begins from. */
  readonly certifiedSeconds: number;
};

/** The validators that genesis lists sign from this epoch on. */
export const firstEpoch: Epoch = toEpoch(1);

const encoder = new TextEncoder();

/** An anchor for a set that is trusted already. */
export function createTrustAnchor(anchor: Omit<TrustAnchor, 'quorum'>): TrustAnchor {
  const { ledgerHash, epoch, setDigest, certifiedSeconds } = anchor;
  const validators = anchor.validators
    .map(({ id, checkpointKey }) => ({ id, checkpointKey }))
    .sort((a, b) => compareBytes(encoder.encode(a.id), encoder.encode(b.id)));
  assert(new Set(validators.map(({ id }) => id)).size === validators.length, 'validators have different ids');
  const keys = new Set(validators.map(({ checkpointKey }) => checkpointKey.join()));
  assert(keys.size === validators.length, 'validators have different keys');
  return { ledgerHash, epoch, validators, setDigest, quorum: quorum(validators.length), certifiedSeconds };
}

/** An anchor for the whole set of an epoch. */
export function setToTrustAnchor(
  ledgerHash: Hash,
  epoch: Epoch,
  validators: readonly Validator[],
  certifiedSeconds: number,
): TrustAnchor {
  return createTrustAnchor({
    ledgerHash,
    epoch,
    validators,
    setDigest: validatorSetDigest(validators),
    certifiedSeconds,
  });
}

/** The anchor that a genesis document is; error `genesis.malformed`. */
export function genesisToTrustAnchor(genesisBytes: Uint8Array): Result<TrustAnchor, CairnError> {
  const genesis = decodeGenesis(genesisBytes);
  if (!genesis.ok) return genesis;
  const { validators, timeMs } = genesis.value;
  return ok(setToTrustAnchor(sha256(genesisBytes), firstEpoch, validators, (timeMs - (timeMs % 1000)) / 1000));
}
