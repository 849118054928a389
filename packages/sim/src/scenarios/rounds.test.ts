/** Scenario 32: a bug makes results differ, and what could not be certified is executed again, in another round. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointDigest, toHex } from '@cairn-ledger/core';
import { ScenarioWorld } from './scenario-world.ts';

/** Four blocks above the last certified one is as far as a network goes that cannot certify. */
const lag = 4;

const certifiedHeights = (world: ScenarioWorld): number[] =>
  world.nodes.map(({ driver }) => driver!.replica.status().certifiedHeight);
const heights = (world: ScenarioWorld): number[] => world.nodes.map(({ disk }) => disk.executed.length);
const fences = (world: ScenarioWorld): (string | null)[] => world.nodes.map(({ fencedFor }) => fencedFor);
const proofs = (world: ScenarioWorld): number[] => world.nodes.flatMap(({ place }) => world.proven(place));

/** Two of four compute something else from here on; nodes 0 and 1 are right. Returns the highest certified height. */
function standStill(world: ScenarioWorld): number {
  world.start();
  world.commit(0, 'one');
  world.until('all that is executed is certified', () =>
    world.nodes.every(({ driver, disk }) => driver!.replica.status().certifiedHeight === disk.executed.length),
  );
  const above = certifiedHeights(world)[0]!;
  world.makeWrong(2, 3);
  world.untold(
    () => `the network stands still at height ${above + lag}, of which ${above} is certified`,
    () => {
      for (let i = 0; i < 2 * lag; i++) {
        world.submit(i % 4, `wait ${i}`);
        world.pass(1_000);
      }
    },
  );
  assert.deepEqual(certifiedHeights(world), [above, above, above, above]);
  assert.deepEqual(heights(world), new Array(4).fill(above + lag));
  return above;
}

function assertSameResults(world: ScenarioWorld, above: number): void {
  const results = world.nodes.map(({ disk }) =>
    disk.executed
      .slice(above - 1, above + lag + 1)
      .map(({ outcome }) => `${outcome.statement.round} ${toHex(checkpointDigest(outcome.statement))}`),
  );
  for (const each of results) assert.deepEqual(each, results[0]);
}

test('32: two of four have other results: the network stands still, and goes on when all have executed again', () => {
  const world = new ScenarioWorld({
    name: '32-results-executed-again',
    tells: `A bug makes nodes 2 and 3 compute another result than nodes 0 and 1. No result is certified any more, and agreement stops L
heights later. The mended software executes these heights again at every node; they are signed in round 1. Nobody has signed two
results in one round, nobody is fenced, and everything goes on, in round 0 again.`,
  });
  const above = standStill(world);
  world.crash(0, 1, 2, 3);
  world.mend(2, 3);
  world.recertify(above, 1, 0, 1, 2, 3);
  world.start();
  for (let i = 0; i < 2 * lag; i++) world.submit(i % 4, `on ${i}`);
  world.untold(
    () => 'the network goes on',
    () => world.untilExecuted('on 0'),
  );
  for (let i = 0; i < 2 * lag; i++)
    world.untold(
      () => `block ${i} more`,
      () => world.commit(i % 4, `more ${i}`),
    );
  assert.ok(Math.min(...certifiedHeights(world)) > above + lag);
  assert.deepEqual(
    world.nodes[0]!.disk.executed.slice(above - 1, above + lag + 1).map(({ outcome }) => outcome.statement.round),
    [0, 1, 1, 1, 1, 0],
  );
  assertSameResults(world, above);
  assert.deepEqual([fences(world), proofs(world)], [[null, null, null, null], []]);
  world.finish();
});

test('32: a second command takes a later round, and who has the right result goes on without any', () => {
  const world = new ScenarioWorld({
    name: '32-commands-one-after-the-other',
    tells: `As before, but at first only nodes 1 and 2 execute again, and node 2 still has the bug: nothing is certified. A
second command, in round 2, is given to nodes 1, 2 and 3. Node 0, whose result was right from the beginning, hears no command. It takes
over the later round, since the result is the same.`,
  });
  const above = standStill(world);
  world.crash(1, 2);
  world.recertify(above, 1, 1, 2);
  world.start(1, 2);
  world.untold(
    () => 'nothing is certified yet',
    () => world.pass(3_000),
  );
  assert.deepEqual(certifiedHeights(world), [above, above, above, above]);
  world.crash(1, 2, 3);
  world.mend(2, 3);
  world.recertify(above, 2, 1, 2, 3);
  world.start(1, 2, 3);
  for (let i = 0; i < 2 * lag; i++)
    world.untold(
      () => `block ${i} more`,
      () => world.commit(i % 4, `more ${i}`),
    );
  assertSameResults(world, above);
  assert.deepEqual(world.nodes[0]!.disk.rounds, []);
  assert.deepEqual([fences(world), proofs(world)], [[null, null, null, null], []]);
  world.finish();
});

test('32: who is left with the wrong result is diverged, as it is without rounds', () => {
  const world = new ScenarioWorld({
    name: '32-left-with-the-wrong-result',
    tells: `As before, and node 3 is not told: it goes on with the software that has the bug. What the others certify in round 1 is not its own
result, so it signs nothing any more. The other three go on.`,
  });
  const above = standStill(world);
  world.crash(0, 1, 2);
  world.mend(2);
  world.recertify(above, 1, 0, 1, 2);
  world.start(0, 1, 2);
  for (let i = 0; i < lag; i++)
    world.untold(
      () => `block ${i} more`,
      () => world.commit(i % 3, `more ${i}`, [0, 1, 2]),
    );
  assert.deepEqual([fences(world), proofs(world)], [[null, null, null, 'diverged'], []]);
  world.finish();
});
