/**
 * An epoch: a fixed validator set, its arithmetic and the block it begins with (protocol.md sections 1, 3 and 5).
 */
import { equalBytes } from '../../bytes/hex.ts';
import type { Epoch, Hash, Height, ValidatorIndex, View } from '../../model/brands.ts';
import { toEpoch, toValidatorIndex } from '../../model/brands.ts';
import type { EpochTarget } from '../../model/epoch-target.ts';
import { quorum, type Validator } from '../../model/validator-set.ts';
import { assert } from '../../result.ts';

/** The block an epoch starts from. */
export type EpochGenesis = { readonly digest: Hash; readonly height: Height; readonly timeMs: number };

export type EpochSet = {
  readonly epoch: Epoch;
  /** Sorted by id, bytewise. */
  readonly validators: readonly Validator[];
  /** Digest of the set, as checkpoints carry it. */
  readonly digest: Hash;
  /** Number of the rules that the blocks of this epoch are executed under. */
  readonly rules: number;
  /** f: how many may be Byzantine. */
  readonly faultsMax: number;
  /** Q = n - f. */
  readonly quorum: number;
  /** The block this epoch starts from: the chain's genesis, or the boundary block of the epoch before. */
  readonly genesis: EpochGenesis;
};

/** The epoch before the present one, as far as it still matters: its validators sign the checkpoints of its heights. */
export type PreviousEpoch = {
  readonly set: EpochSet;
  /** Highest number of an own batch that a block of it lists; 0 for none. What lies above is sealed again. */
  readonly ownFloor: number;
  /** Whether a quorum's signatures of its boundary's checkpoint are held: they prove to anybody who came next. */
  readonly isCertified: boolean;
};

export function createEpochSet(
  epoch: Epoch,
  validators: readonly Validator[],
  digest: Hash,
  genesis: EpochGenesis,
  rules: number,
): EpochSet {
  assert(validators.length >= 1, 'an epoch has validators');
  const needed = quorum(validators.length);
  return { epoch, validators, digest, rules, faultsMax: validators.length - needed, quorum: needed, genesis };
}

/** The epoch that follows: the set that the ledger wants, from the boundary block on. */
export function nextEpochSet({ epoch }: EpochSet, target: EpochTarget, boundary: EpochGenesis): EpochSet {
  return createEpochSet(toEpoch(epoch + 1), target.validators, target.digest, boundary, target.rules);
}

/** Whether the ledger wants another set, or other rules, than an epoch has: then a boundary block is due. */
export function isChange({ digest, rules }: EpochSet, target: EpochTarget): boolean {
  return rules !== target.rules || !equalBytes(digest, target.digest);
}

/** The place of a validator in a set; null where it is none of it. */
export function indexIn({ validators }: EpochSet, id: string): ValidatorIndex | null {
  const index = validators.findIndex((validator) => validator.id === id);
  return index < 0 ? null : toValidatorIndex(index);
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
