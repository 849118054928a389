/** Mutants of the timers: protocol.md section 3, "Timers", and the Delta_eff of section 1. */
import type { Mutant } from './mutant.ts';

const timers = 'packages/core/src/protocol/agreement/timers.ts';
const agreement = 'packages/core/src/protocol/agreement/agreement.ts';
const activity = 'packages/core/src/protocol/guard/peer-activity.ts';

const sizes = [4, 5] as const;

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
    nodes: sizes,
  },
  {
    name: 'leader-leaves-the-tail',
    rule: 'the leader proposes at entry + 2 Delta if only the tail is not finalized',
    edits: [
      {
        file: agreement,
        find: '(isParentFinalized ? heartbeatMs : 2 * deltaMs)',
        replace: '(isParentFinalized ? heartbeatMs : heartbeatMs + deltaMs)',
      },
    ],
    profile: 'quiet',
    nodes: sizes,
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
        file: agreement,
        find: '(isParentFinalized ? heartbeatMs : 2 * deltaMs)',
        replace: '(isParentFinalized ? heartbeatMs : heartbeatMs + deltaMs)',
      },
    ],
    profile: 'quiet',
    nodes: sizes,
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
    nodes: sizes,
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
    nodes: sizes,
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
    nodes: sizes,
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
    name: 'delta-grows-without-limit',
    rule: 'Delta_eff: at most 64-fold',
    edits: [
      {
        file: timers,
        find: 'Math.max(0, state.nullifiesCount - state.faultsMax), 6);',
        replace: 'Math.max(0, state.nullifiesCount - state.faultsMax), 600);',
      },
    ],
    profile: 'slow',
    nodes: sizes,
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
    profile: 'quiet',
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
  {
    name: 'silent-though-everybody-is',
    rule: 'skipTimeout: a leader is silent only while Q validators were active',
    edits: [
      {
        file: activity,
        find: 'Math.max(this.#heardAtMs[peer]!, this.#activeSinceMs) > timeoutMs',
        replace: 'this.#heardAtMs[peer]! > timeoutMs',
      },
    ],
    profile: 'idle',
    nodes: [4],
  },
  {
    name: 'skipped-though-it-proposes',
    rule: 'R5: a skipped leader that proposes is heard',
    edits: [
      {
        file: agreement,
        find: 'if (state.proposal === null && this.#skipReason !== null) return this.#skipReason;',
        replace: 'if (this.#skipReason !== null) return this.#skipReason;',
      },
    ],
    profile: 'idle',
    nodes: [4],
  },
];
