/** Scenarios 3, 15 and 24: nodes that come back, with less than they had. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScenarioWorld } from './scenario-world.ts';

test("03: a node with yesterday's disk signs nothing any more, and follows", () => {
  const world = new ScenarioWorld({
    name: '03-yesterdays-disk',
    tells: `The disk of node 3 is put back to what it was one block ago. The mark beside its keys remembers that more was signed:
so it fences itself, follows the chain, and votes for nothing. It cannot contradict what it has forgotten.`,
  });
  world.start();
  world.commit(0, 'one');
  world.nodes[3]!.disk.takeSnapshot();
  for (const text of ['two', 'three']) world.commit(3, text);
  world.crash(3);
  world.nodes[3]!.disk.rollBack();
  world.note('the disk of node 3 is put back');
  world.forgetExecuted(3);
  const startedMs = world.nowMs;
  world.start(3);
  assert.equal(world.nodes[3]!.fencedFor, 'rolled-back');
  world.commit(1, 'four');
  assert.deepEqual(world.executed(3), ['one', 'two', 'three', 'four']);
  assert.equal(world.signedSince(3, startedMs), 0);
  world.finish();
});

test('15: two of four come back with empty disks: nothing forks, and they fetch what they have lost', () => {
  const world = new ScenarioWorld({
    name: '15-empty-disks',
    tells: `Nodes 2 and 3, more than n - Q, lose everything: journal, chain, and the mark beside the keys. The two that are left
are no quorum, but they hold the chain and its certificates; so the others begin where the chain ends, not at the genesis.`,
  });
  world.start();
  for (const text of ['one', 'two']) world.commit(0, text);
  world.crash(2, 3);
  for (const node of [2, 3]) {
    world.nodes[node]!.disk.wipe();
    world.forgetExecuted(node);
  }
  world.note('the disks of nodes 2 and 3 are empty');
  world.submit(1, 'three');
  world.pass(1_000);
  assert.deepEqual(world.executed(0), ['one', 'two'], 'two of four order nothing');
  world.start(2, 3);
  world.untilExecuted('three');
  for (const node of [0, 1, 2, 3]) assert.deepEqual(world.executed(node), ['one', 'two', 'three']);
  world.finish();
});

test('15: a whole quorum with empty disks begins anew where nobody remembers; who does tells the fork, and keeps its chain', () => {
  const world = new ScenarioWorld({
    name: '15-empty-disks-of-a-quorum',
    tells: `Nodes 1, 2 and 3 lose everything while node 0 is away: more than f, so nothing is promised. They know of no chain and
begin one. When node 0 comes back its finalizations contradict theirs: it says that the chain is forked, proves that they
signed both, and takes nothing back.`,
    byzantine: [1, 2, 3],
  });
  world.start();
  world.commit(0, 'one');
  world.crash(0, 1, 2, 3);
  for (const node of [1, 2, 3]) {
    world.nodes[node]!.disk.wipe();
    world.forgetExecuted(node);
  }
  world.note('the disks of nodes 1, 2 and 3 are empty, and node 0 is away');
  world.start(1, 2, 3);
  world.commit(1, 'another one', [1, 2, 3]);
  world.start(0);
  world.until('node 0 tells the fork', () => world.facts(0, 'fork').length > 0);
  world.settle();
  assert.deepEqual(world.executed(0), ['one']);
  assert.ok(world.proven(0).length >= 2, 'at least f + 1 are named');
  world.finish();
});

test('24: a crash in the middle of beginning the journal anew leaves the old records, the new ones or both', () => {
  const world = new ScenarioWorld({
    name: '24-crash-while-compacting',
    tells: `Node 3 begins its journal anew: what still matters is written behind everything else, then the old part is deleted.
It crashes when half of that is written, and again when all of it is and nothing was deleted.`,
  });
  world.start();
  world.commit(0, 'one');
  const { disk } = world.nodes[3]!;
  const end = world.lose(
    'votes to finalize',
    (message) => message.type === 'vote' && message.vote.vote.type === 'finalize',
  );
  world.submit(1, 'two');
  world.until('node 3 has voted to finalize', () => world.view(3) >= 3);
  const live = [...world.nodes[3]!.driver!.liveRecords()];
  assert.ok(live.length >= 4, `${live.length} records matter`);
  for (const [what, kept] of [
    ['half of them', live.slice(0, live.length >> 1)],
    ['all of them', live],
  ] as const) {
    world.note(`node 3 writes ${what} once more, and crashes before the old ones are deleted`);
    disk.append(kept);
    world.crash(3);
    world.start(3);
  }
  world.note('node 3 has deleted the old ones, and crashes');
  disk.compact(live);
  world.crash(3);
  world.start(3);
  end();
  world.untilExecuted('two');
  world.commit(3, 'three');
  for (const node of [0, 3]) assert.deepEqual(world.executed(node), ['one', 'two', 'three']);
  world.finish();
});
