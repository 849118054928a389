/**
 * What somebody who verifies starts from: one ledger, one epoch and the validators that sign in it. It must come from a source
 * the verifier trusts; the genesis document of the network is the first one.
 */
import { sha256 } from '../crypto/hash.ts';
import { type Epoch, type Hash, toEpoch } from '../model/brands.ts';
import { decodeGenesis } from '../model/genesis.ts';
import { quorum } from '../model/validator-set.ts';
import { assert, type CairnError, ok, type Result } from '../result.ts';

export type AnchorValidator = {
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly checkpointKey: Uint8Array;
};

export type TrustAnchor = {
  readonly ledgerHash: Hash;
  readonly epoch: Epoch;
  readonly validators: readonly AnchorValidator[];
  /** Q: how many of them must have signed. */
  readonly quorum: number;
};

/** The validators that genesis lists sign from this epoch on. */
export const firstEpoch: Epoch = toEpoch(1);

/** An anchor for a set that is trusted already. */
export function createTrustAnchor(ledgerHash: Hash, epoch: Epoch, validators: readonly AnchorValidator[]): TrustAnchor {
  assert(new Set(validators.map(({ id }) => id)).size === validators.length, 'validators have different ids');
  const keys = new Set(validators.map(({ checkpointKey }) => checkpointKey.join()));
  assert(keys.size === validators.length, 'validators have different keys');
  return {
    ledgerHash,
    epoch,
    validators: validators.map(({ id, checkpointKey }) => ({ id, checkpointKey })),
    quorum: quorum(validators.length),
  };
}

/** The anchor that a genesis document is; error `genesis.malformed`. */
export function genesisToTrustAnchor(genesisBytes: Uint8Array): Result<TrustAnchor, CairnError> {
  const genesis = decodeGenesis(genesisBytes);
  if (!genesis.ok) return genesis;
  return ok(createTrustAnchor(sha256(genesisBytes), firstEpoch, genesis.value.validators));
}
