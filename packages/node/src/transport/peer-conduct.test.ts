import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONDUCT_LIMITS, createPeerConduct } from './peer-conduct.ts';

const error = { code: 'message.malformed', message: 'not a message' };

function watch() {
  const backoffs: number[] = [];
  const logged: number[] = [];
  const conduct = createPeerConduct({
    disconnect: (_peer, _reason, backoffMs) => void backoffs.push(backoffMs),
    onLogged: (_peer, _error, unlogged) => void logged.push(unlogged),
    onDisconnected: () => undefined,
  });
  const refuse = (count: number, nowMs: number, peer = 'node-4'): void => {
    for (let i = 0; i < count; i++) conduct.onRefused(peer, error, nowMs);
  };
  return { backoffs, logged, refuse };
}

test('a peer that is refused now and then stays connected for ever', () => {
  const { backoffs, refuse } = watch();
  for (let second = 0; second < 3_600; second++) refuse(CONDUCT_LIMITS.refusalsPerSecond, second * 1000);
  assert.deepEqual(backoffs, []);
});

test('a peer that is refused again and again is disconnected, twice as long each time, up to a minute', () => {
  const { backoffs, refuse } = watch();
  refuse(CONDUCT_LIMITS.refusalsBurst, 0);
  assert.deepEqual(backoffs, []);
  for (let i = 0; i < 8; i++) refuse(1, 0);
  assert.deepEqual(backoffs, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

test('after ten minutes of good conduct a peer begins anew', () => {
  const { backoffs, refuse } = watch();
  refuse(CONDUCT_LIMITS.refusalsBurst + 2, 0);
  refuse(CONDUCT_LIMITS.refusalsBurst + 1, CONDUCT_LIMITS.forgottenAfterMs);
  assert.deepEqual(backoffs, [1_000, 2_000, 1_000]);
});

test('each peer answers for itself', () => {
  const { backoffs, refuse } = watch();
  refuse(CONDUCT_LIMITS.refusalsBurst, 0, 'node-2');
  refuse(CONDUCT_LIMITS.refusalsBurst, 0, 'node-3');
  assert.deepEqual(backoffs, []);
});

test('a flood of refused messages leaves few lines in the log, and says how many it left out', () => {
  const { logged, refuse } = watch();
  refuse(10_000, 0);
  assert.equal(logged.length, CONDUCT_LIMITS.linesBurst);
  refuse(1, 60_000);
  assert.equal(logged.at(-1), 10_000 - CONDUCT_LIMITS.linesBurst);
});
