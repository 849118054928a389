/**
 * An epoch: a fixed validator set, its arithmetic and the block it begins with (protocol.md sections 1, 3 and 5).
 */
import type { Epoch, Hash, Height, ValidatorIndex, View } from '../../model/brands.ts';
import { toValidatorIndex } from '../../model/brands.ts';
import { quorum, type Validator } from '../../model/validator-set.ts';
import { assert } from '../../result.ts';

export type EpochSet = {
  readonly epoch: Epoch;
  /** Sorted by id, bytewise. */
  readonly validators: readonly Validator[];
  /** Digest of the set, as checkpoints carry it. */
  readonly digest: Hash;
  /** f: how many may be Byzantine. */
  readonly faultsMax: number;
  /** Q = n - f. */
  readonly quorum: number;
  /** The block this epoch starts from: the chain's genesis, or the boundary block of the epoch before. */
  readonly genesis: { readonly digest: Hash; readonly height: Height; readonly timeMs: number };
};

export function createEpochSet(
  epoch: Epoch,
  validators: readonly Validator[],
  digest: Hash,
  genesis: EpochSet['genesis'],
): EpochSet {
  assert(validators.length >= 1, 'an epoch has validators');
  const needed = quorum(validators.length);
  return { epoch, validators, digest, faultsMax: validators.length - needed, quorum: needed, genesis };
}

/** The leader of a view: a pure function of epoch and view. */
export function leaderOf(set: EpochSet, view: View): ValidatorIndex {
  return toValidatorIndex((set.epoch + view) % set.validators.length);
}

/** What an attacker needs against a set of this size (protocol.md section 1). */
export function resilienceOf(validatorsCount: number): {
  harmless: number;
  halt: number;
  fork: number;
  certifyFalse: number;
} {
  const needed = quorum(validatorsCount);
  const faultsMax = validatorsCount - needed;
  return { harmless: faultsMax, halt: faultsMax + 1, fork: 2 * needed - validatorsCount, certifyFalse: needed };
}
