/** Mutants of the timers: protocol.md section 3, "Timers", and the Delta_eff of section 1. */
import type { Mutant } from './mutant.ts';

const timers = 'packages/core/src/protocol/agreement/timers.ts';
const agreement = 'packages/core/src/protocol/agreement/agreement.ts';

export const timerMutants: readonly Mutant[] = [
  {
    name: 'tail-rule-removed',
    rule: 'a tail that is not finalized is not idle',
    edits: [
      {
        file: timers,
        find: 'return state.pendingSinceMs === null && state.isTailFinalized && !state.isBoundaryPending;',
        replace: 'return state.pendingSinceMs === null && !state.isBoundaryPending;',
      },
    ],
    profile: 'quiet',
    nodes: [4],
  },
  {
    name: 'leader-leaves-the-tail',
    rule: 'the leader proposes at entry + 2 Delta if only the tail is not finalized',
    edits: [
      {
        file: timers,
        find: '(isParentFinalized ? heartbeatMs : 2 * deltaMs)',
        replace: '(isParentFinalized ? heartbeatMs : heartbeatMs + deltaMs)',
      },
    ],
    profile: 'quiet',
    nodes: [4],
  },
  {
    name: 'neither-tail-timer-nor-tail-proposal',
    rule: 'tail rule of the timers, for voters and leaders',
    edits: [
      {
        file: timers,
        find: 'return state.pendingSinceMs === null && state.isTailFinalized && !state.isBoundaryPending;',
        replace: 'return state.pendingSinceMs === null && !state.isBoundaryPending;',
      },
      {
        file: timers,
        find: '(isParentFinalized ? heartbeatMs : 2 * deltaMs)',
        replace: '(isParentFinalized ? heartbeatMs : heartbeatMs + deltaMs)',
      },
    ],
    profile: 'quiet',
    nodes: [4],
  },
  {
    name: 'pending-does-not-shorten-timers',
    rule: 'a validator with something pending is not idle',
    edits: [
      {
        file: timers,
        find: 'return state.pendingSinceMs === null && state.isTailFinalized && !state.isBoundaryPending;',
        replace: 'return state.isTailFinalized && !state.isBoundaryPending;',
      },
    ],
    profile: 'quiet',
    nodes: [4],
  },
  {
    name: 'delta-never-doubles',
    rule: 'Delta_eff doubles with each failed view',
    edits: [
      {
        file: timers,
        find: 'return state.constants.deltaMs * 2 ** doublings;',
        replace: 'return state.constants.deltaMs * (doublings < 0 ? 2 : 1);',
      },
    ],
    profile: 'slow',
    nodes: [4],
  },
  {
    name: 'delta-resets-on-any-view',
    rule: 'Delta_eff resets on finalization only',
    edits: [
      {
        file: agreement,
        find: 'this.#enteredAtMs = this.#context.now.ms;',
        replace: 'this.#enteredAtMs = this.#context.now.ms;\n    this.#nullifiesSinceFinalized = 0;',
      },
    ],
    profile: 'slow',
    nodes: [4],
  },
  {
    name: 'delta-doubles-from-the-first',
    rule: 'Delta_eff: k = max(0, j - f)',
    edits: [
      {
        file: timers,
        find: 'Math.max(0, state.nullifiesCount - state.faultsMax)',
        replace: 'Math.max(0, state.nullifiesCount)',
      },
    ],
    profile: 'neighbours',
    nodes: [13],
  },
  {
    name: 'no-leader-timer',
    rule: 'R5: nullify on tLeader without a proposal',
    edits: [
      {
        file: agreement,
        find: "return ms >= leaderDeadlineMs(timers) ? 'leader-late' : null;",
        replace: "return ms < 0 ? 'leader-late' : null;",
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'no-advance-timer',
    rule: 'R5: nullify on tAdvance without certification',
    edits: [
      {
        file: agreement,
        find: "return ms >= advanceDeadlineMs(timers) ? 'certification-late' : null;",
        replace: "return ms < 0 ? 'certification-late' : null;",
      },
    ],
    profile: 'listers',
    nodes: [4],
  },
];
