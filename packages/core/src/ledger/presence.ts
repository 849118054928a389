/**
 * Signs of life of validators: a batch of theirs in a block, or their own word. Before a validator is taken in, a quorum of
 * the next set must have given one lately, by the ledger alone; otherwise it would be taken into a network that stands
 * still with it.
 *
 * The record of a validator that gives signs all the time is written once in 100 heights.
 */
import { quorum, type Validator } from '../model/validator-set.ts';
import { paths } from './records.ts';
import { heightKind } from './set-records.ts';
import { isSuspended } from './suspensions.ts';
import type { WorkingState } from './working-state.ts';

/** Heights for which a sign of life counts. Up to this height everybody counts as present. */
export const presenceHeights = 1_000;
/** Heights by which a record may be behind. */
const lateHeights = 100;

/** Notes the authors of a block's batches. */
export function noteAuthors(state: WorkingState, height: number, authors: readonly string[]): void {
  for (const id of authors) {
    const seen = state.get(heightKind, paths.presence(id));
    if (seen === null || height - seen > lateHeights) notePresence(state, height, id);
  }
}

export function notePresence(state: WorkingState, height: number, id: string): void {
  state.set(heightKind, paths.presence(id), height);
}

/** A batch may have waited long for its block, so only its own word takes back that a validator is fenced. */
export function isPresent(state: WorkingState, height: number, id: string): boolean {
  if (isSuspended(state, id, 'own-notice')) return false;
  if (height <= presenceHeights) return true;
  const seen = state.get(heightKind, paths.presence(id));
  return seen !== null && height - seen <= presenceHeights;
}

/** @param newcomer id of a validator whose `ready` is its sign of life; null when none is taken in */
export function hasPresentQuorum(
  state: WorkingState,
  height: number,
  validators: readonly Validator[],
  newcomer: string | null,
): boolean {
  const present = validators.filter(({ id }) => id === newcomer || isPresent(state, height, id));
  return present.length >= quorum(validators.length);
}
