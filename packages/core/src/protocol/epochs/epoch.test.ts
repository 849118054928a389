/** protocol.md sections 1, 3 and 5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toView } from '../../model/brands.ts';
import { ledgerHash, setOf, validatorsOf } from '../testing/hand.ts';
import { createEpochSet, leaderOf, resilienceOf } from './epoch.ts';

test('Q = n - f with f = floor((n - 1) / 3), also where n is not 3f + 1', () => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 10, 13, 20].map((count) => {
    const { faultsMax, quorum } = setOf(count);
    return [count, faultsMax, quorum];
  });
  assert.deepEqual(sizes, [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 5],
    [7, 2, 5],
    [10, 3, 7],
    [13, 4, 9],
    [20, 6, 14],
  ]);
});

test('leaders take turns, one view after the other, and each epoch begins with another one', () => {
  const set = setOf(4);
  const leaders = [1, 2, 3, 4, 5].map((view) => leaderOf(set, toView(view)));
  assert.deepEqual(leaders, [2, 3, 0, 1, 2]);
  assert.equal(leaderOf({ ...set, epoch: toEpoch(2) }, toView(1)), 3);
});

test('what an attacker needs is told as in protocol.md section 1', () => {
  assert.deepEqual(resilienceOf(20), { harmless: 6, halt: 7, fork: 8, certifyFalse: 14 });
  assert.deepEqual(resilienceOf(4), { harmless: 1, halt: 2, fork: 2, certifyFalse: 3 });
  assert.deepEqual(resilienceOf(1), { harmless: 0, halt: 1, fork: 1, certifyFalse: 1 });
});

test('an epoch keeps what it begins with, and has validators', () => {
  const genesis = { digest: ledgerHash, height: toHeight(7), timeMs: 9 };
  const set = createEpochSet(toEpoch(3), validatorsOf(4), ledgerHash, genesis, 1);
  assert.deepEqual([set.epoch, set.validators.length, set.digest, set.genesis], [3, 4, ledgerHash, genesis]);
  assert.throws(() => createEpochSet(toEpoch(1), [], ledgerHash, genesis, 1), /has validators/);
});
