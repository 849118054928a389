import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AttackFigures, brokenPromises } from './drill-report.ts';

const kept: Omit<AttackFigures, 'broken'> = {
  name: 'tamper',
  node: 'node-1',
  noticedMs: 2_000,
  noticedBy: 'node-1',
  excludedMs: 2_000,
  throughputShare: 0.8,
  backMs: 30_000,
  bytesFetched: null,
  historyMs: null,
  heldFrom: 0,
  honestNodesAccused: 0,
  acknowledgedLost: 0,
  wrongAnswersServed: 0,
};

test('at their very limits all promises are kept', () => {
  assert.deepEqual(brokenPromises(kept, { isWindowed: false }, 100), []);
});

test('each promise can be broken alone', () => {
  const changes: Partial<AttackFigures>[] = [
    { noticedMs: 2_001 },
    { noticedMs: null },
    { excludedMs: 2_001 },
    { excludedMs: null },
    { throughputShare: 0.79 },
    { backMs: 30_001 },
    { backMs: null },
    { heldFrom: 1 },
    { honestNodesAccused: 1 },
    { acknowledgedLost: 1 },
    { wrongAnswersServed: 1 },
  ];
  for (const change of changes)
    assert.equal(brokenPromises({ ...kept, ...change }, { isWindowed: false }, 100).length, 1, JSON.stringify(change));
});

test('what only a whole window shows has that window besides', () => {
  const late = { ...kept, noticedMs: 6_000, excludedMs: 6_000 };
  assert.deepEqual(brokenPromises(late, { isWindowed: true }, 100), []);
  assert.equal(brokenPromises({ ...late, excludedMs: 6_001 }, { isWindowed: true }, 100).length, 1);
});
