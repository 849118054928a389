/** protocol.md section 3, "Timers". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants } from '../testing/hand.ts';
import { advanceDeadlineMs, effectiveDeltaMs, isIdle, leaderDeadlineMs, type TimerState } from './timers.ts';

const delta = constants.deltaMs;
const idle: TimerState = {
  constants,
  enteredAtMs: 1_000,
  pendingSinceMs: null,
  isTailFinalized: true,
  isBoundaryPending: false,
  proposalAtMs: null,
  nullifiesCount: 0,
  faultsMax: 1,
};

test('idle: nothing pending, the tail finalized, no boundary pending', () => {
  assert.equal(isIdle(idle), true);
  assert.equal(isIdle({ ...idle, pendingSinceMs: 5 }), false);
  assert.equal(isIdle({ ...idle, isTailFinalized: false }), false);
  assert.equal(isIdle({ ...idle, isTailFinalized: false, isBoundaryPending: true }), false);
});

test('Delta_eff is Delta x 2^min(k, 6), k the own nullifies beyond f', () => {
  const deltas = [0, 1, 2, 3, 7, 8, 50].map((nullifiesCount) => effectiveDeltaMs({ ...idle, nullifiesCount }));
  assert.deepEqual(
    deltas.map((ms) => ms / delta),
    [1, 1, 2, 4, 64, 64, 64],
  );
});

test('tLeader, idle: entry + heartbeat + 2 Delta_eff', () => {
  assert.equal(leaderDeadlineMs(idle), 1_000 + constants.heartbeatMs + 2 * delta);
  assert.equal(leaderDeadlineMs({ ...idle, nullifiesCount: 3 }), 1_000 + constants.heartbeatMs + 8 * delta);
});

test('tLeader, pending: entry + 2 Delta or pendingSince + 5 Delta, whichever is later', () => {
  assert.equal(leaderDeadlineMs({ ...idle, pendingSinceMs: 0 }), 1_000 + 2 * delta);
  assert.equal(leaderDeadlineMs({ ...idle, pendingSinceMs: 900 }), 900 + 5 * delta);
  assert.equal(leaderDeadlineMs({ ...idle, pendingSinceMs: 900, isTailFinalized: false }), 900 + 5 * delta);
});

test('tLeader, only the tail not finalized: entry + 4 Delta; a boundary pending: entry + 2 Delta', () => {
  assert.equal(leaderDeadlineMs({ ...idle, isTailFinalized: false }), 1_000 + 4 * delta);
  assert.equal(leaderDeadlineMs({ ...idle, isTailFinalized: false, isBoundaryPending: true }), 1_000 + 2 * delta);
});

test('tAdvance: 3 Delta after entry or arrival, whichever is later, and at latest tLeader + Delta', () => {
  assert.equal(advanceDeadlineMs({ ...idle, proposalAtMs: 500 }), 1_000 + 3 * delta);
  assert.equal(advanceDeadlineMs({ ...idle, proposalAtMs: 5_000 }), 5_000 + 3 * delta);
  assert.equal(advanceDeadlineMs({ ...idle, proposalAtMs: 1_190, pendingSinceMs: 0 }), 1_000 + 3 * delta);
});
