/**
 * How long a validator waits in a view, and a leader before it proposes (protocol.md section 3, "Timers"). Pure: agreement asks anew whenever something
 * changed, so nothing is armed twice or forgotten.
 */
import { type ProtocolConstants, proposalSpacingMs } from '../constants.ts';
import type { Instant } from '../effects.ts';

export type TimerState = {
  readonly constants: ProtocolConstants;
  readonly enteredAtMs: number;
  /** When the oldest pending batch became pending here; null when none is. */
  readonly pendingSinceMs: number | null;
  readonly isTailFinalized: boolean;
  readonly isBoundaryPending: boolean;
  readonly proposalAtMs: number | null;
  /** Own nullifies sent since the last finalization, without views skipped at entry. */
  readonly nullifiesCount: number;
  readonly faultsMax: number;
};

/** Delta grows twofold with each failed view beyond f, 64-fold at most, until something is finalized. */
export function effectiveDeltaMs(state: Pick<TimerState, 'constants' | 'nullifiesCount' | 'faultsMax'>): number {
  const doublings = Math.min(Math.max(0, state.nullifiesCount - state.faultsMax), 6);
  return state.constants.deltaMs * 2 ** doublings;
}

export function isIdle(state: TimerState): boolean {
  return state.pendingSinceMs === null && state.isTailFinalized && !state.isBoundaryPending;
}

/** When to nullify if no proposal has come. */
export function leaderDeadlineMs(state: TimerState): number {
  const deltaMs = effectiveDeltaMs(state);
  const { enteredAtMs, pendingSinceMs } = state;
  if (isIdle(state)) return enteredAtMs + state.constants.heartbeatMs + 2 * deltaMs;
  if (state.isBoundaryPending) return enteredAtMs + 2 * deltaMs;
  if (pendingSinceMs === null) return enteredAtMs + 4 * deltaMs;
  return Math.max(enteredAtMs + 2 * deltaMs, pendingSinceMs + 5 * deltaMs);
}

/** When to nullify if the proposal that came has not been certified. */
export function advanceDeadlineMs(state: TimerState): number {
  const deltaMs = effectiveDeltaMs(state);
  const arrivedAtMs = Math.max(state.enteredAtMs, state.proposalAtMs ?? state.enteredAtMs);
  return Math.min(arrivedAtMs + 3 * deltaMs, leaderDeadlineMs(state) + deltaMs);
}

/**
 * When a leader proposes what it can list: at once, but not closer to the parent's time than `proposalSpacingMs`. Under
 * load that makes fewer and fuller blocks; a block after a quiet moment does not wait.
 */
export function fullProposalAtMs(now: Instant, enteredAtMs: number, parentTimeMs: number): number {
  const sinceParentMs = now.wallMs - parentTimeMs;
  const restMs = Math.min(Math.max(0, proposalSpacingMs - sinceParentMs), proposalSpacingMs);
  return Math.min(now.ms + restMs, enteredAtMs + proposalSpacingMs);
}

/** When a leader proposes although it has nothing to list. */
export function emptyProposalAtMs(
  { deltaMs, heartbeatMs }: ProtocolConstants,
  enteredAtMs: number,
  isParentFinalized: boolean,
): number {
  return enteredAtMs + (isParentFinalized ? heartbeatMs : 2 * deltaMs);
}
