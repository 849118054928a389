/**
 * What the ledger wants the next blocks to be agreed on by: a validator set, and the number of the rules they are executed
 * under (protocol.md section 5). As long as it is what the present epoch has, the epoch goes on.
 */
import type { Hash } from './brands.ts';
import { sortValidators, type Validator, validatorSetDigest } from './validator-set.ts';

export type EpochTarget = {
  /** Ascending by id. */
  readonly validators: readonly Validator[];
  /** Digest of the set. */
  readonly digest: Hash;
  readonly rules: number;
};

export function createEpochTarget(validators: readonly Validator[], rules: number): EpochTarget {
  return { validators: sortValidators(validators), digest: validatorSetDigest(validators), rules };
}
