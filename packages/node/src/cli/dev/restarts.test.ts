import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createRestartPauses, isEndedByPeople } from './restarts.ts';

test('a node that fails is started again; one that somebody has ended stays down', () => {
  for (const signal of ['SIGSEGV', 'SIGABRT', 'SIGBUS'] as const)
    assert.equal(isEndedByPeople({ code: null, signal }), false);
  for (const code of [1, 134]) assert.equal(isEndedByPeople({ code, signal: null }), false);
  assert.equal(isEndedByPeople({ code: null, signal: null }), false, 'it could not be started at all');
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const)
    assert.equal(isEndedByPeople({ code: null, signal }), true);
  assert.equal(isEndedByPeople({ code: 0, signal: null }), true);
});

test('pauses grow with each short run, up to a minute, and begin anew after a long one', () => {
  const pauses = createRestartPauses();
  const runs = [10, 10, 10, 10, 10, 10, 10, 10, 120_000, 10];
  assert.deepEqual(
    runs.map((ranMs) => pauses.next(ranMs)),
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 1_000, 2_000],
  );
});
