/**
 * The target set: the validators that the ledger wants, and with them the rules it wants. The engine knows the set of the present epoch, and follows with an
 * epoch boundary (protocol.md section 5); the ledger never deals with epochs.
 *
 * It stands in one record for each validator, and one that lists their ids, since execution reads by path alone.
 */
import { equalBytes } from '../bytes/hex.ts';
import { createEpochTarget, type EpochTarget } from '../model/epoch-target.ts';
import { sortValidators, type Validator, validatorSetDigest } from '../model/validator-set.ts';
import { assert } from '../result.ts';
import { paths, targetRulesKind, validatorIdsKind, validatorKind } from './records.ts';
import type { Store } from './store.ts';
import { createWorkingState, type WorkingState } from './working-state.ts';

/** Ascending by id. */
export function targetSetOf(state: WorkingState): Validator[] {
  const ids = state.get(validatorIdsKind, paths.validatorSet) ?? [];
  return ids.map((id) => {
    const validator = state.get(validatorKind, paths.validator(id));
    assert(validator !== null, 'every validator of the target set has a record');
    return validator;
  });
}

/** Number of the rules that the ledger wants. */
export function targetRulesOf(state: WorkingState): number {
  const rules = state.get(targetRulesKind, paths.targetRules);
  assert(rules !== null, 'the genesis names the first rules');
  return rules;
}

/** Puts `validators` in place of the target set. */
export function writeTargetSet(state: WorkingState, validators: readonly Validator[]): void {
  const sorted = sortValidators(validators);
  const before = targetSetOf(state);
  for (const { id } of before) {
    if (!sorted.some((validator) => validator.id === id)) state.set(validatorKind, paths.validator(id), null);
  }
  for (const validator of sorted) {
    if (before.includes(validator)) continue;
    state.set(validatorKind, paths.validator(validator.id), validator);
  }
  state.set(
    validatorIdsKind,
    paths.validatorSet,
    sorted.map(({ id }) => id),
  );
}

/** The target set that a block leaves behind in `state`; null when it is the one that was in `store` before. */
export function targetSetAfter(store: Store, state: WorkingState): readonly Validator[] | null {
  if (!state.isChanged(paths.validatorSet)) return null;
  const after = targetSetOf(state);
  const before = targetSetOf(createWorkingState(store));
  return equalBytes(validatorSetDigest(before), validatorSetDigest(after)) ? null : after;
}

/** The set and the rules that the ledger wants after the height of a state. */
export function readTarget(store: Store): EpochTarget {
  const state = createWorkingState(store);
  return createEpochTarget(targetSetOf(state), targetRulesOf(state));
}
