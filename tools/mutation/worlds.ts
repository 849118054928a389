/**
 * A few short simulated worlds, which count as tests of the protocol in the mutation run: nodes that differ, stall, fence
 * themselves or accuse an honest one are what the protocol must never let happen.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultWorld, runWorld } from '../../packages/sim/src/world.ts';

for (const [seed, nodesCount] of [
  [1, 4],
  [2, 4],
  [3, 4],
  [4, 7],
] as const) {
  test(`the promises hold in the world of seed ${seed} and ${nodesCount} nodes`, () => {
    const { violations, stalls } = runWorld({ seed, nodesCount, ...defaultWorld });
    assert.deepEqual([...violations, ...stalls], []);
  });
}
