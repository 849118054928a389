/** Scenarios 2, 4, 16 and 17: who hears whom, and for how long one waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deltaMs, ScenarioWorld } from './scenario-world.ts';

test('02: twins on both sides of a partition vote twice: one side goes on, and the proof comes with the healing', () => {
  const world = new ScenarioWorld({
    name: '02-twins-over-a-partition',
    tells: `Node 3 runs twice with one key. Its first instance is cut off together with node 0, its second one is with nodes 1 and
2, who form a quorum with it. When the partition heals, the two instances have voted against each other.`,
    twins: [3],
  });
  world.start();
  world.network.chooseTwin(0, 3);
  for (const node of [1, 2]) world.network.chooseTwin(node, 4);
  world.partition([0, 3], [1, 2, 4]);
  world.submit(0, 'left');
  world.commit(1, 'right', [1, 2]);
  world.until('the smaller side gives up view 1', () => world.facts(0, 'nullified').length > 0);
  assert.deepEqual(world.executed(0), []);
  world.heal();
  world.untilExecuted('left', [0, 1, 2]);
  assert.deepEqual(world.executed(0), world.executed(1));
  assert.ok([0, 1, 2].some((node) => world.proven(node).includes(3)));
  world.finish();
});

test('04: a certificate that only one node saw before the view change neither forks nor stops the chain', () => {
  const world = new ScenarioWorld({
    name: '04-certificate-seen-by-one',
    tells: `The votes to notarize block A of view 1 reach node 1 alone, and the certificate it makes of them gets lost. Node 1
votes to finalize A; the others nullify the view and order the payment in block B, on which node 1 votes as well.`,
  });
  world.start();
  const end = world.lose(
    'votes to notarize on the way to nodes 0, 2, 3, and certificates of node 1',
    (message, from, to) => {
      if (message.type === 'vote' && message.vote.vote.type === 'notarize') return to !== 1;
      return message.type === 'certificate' && from === 1;
    },
  );
  world.submit(0, 'pay');
  world.until('the others enter view 2', () => [0, 2, 3].every((node) => world.view(node) >= 2));
  end();
  world.untilExecuted('pay');
  assert.deepEqual(world.executed(1), ['pay']);
  world.commit(1, 'pay back');
  world.finish();
});

test('16: however long an outage, timers are at most 64 Delta, and fall back with the first finalization', () => {
  const world = new ScenarioWorld({
    name: '16-timers-after-an-outage',
    tells: `For ten minutes every proposal gets lost, and view after view fails. Delta doubles with each failure, 64-fold at
most; had it doubled on, a view would take five minutes by now, and soon an hour. So the chain goes on within seconds of
the repair, and the next view that fails costs as little as the first one.`,
  });
  world.start();
  world.commit(0, 'before');
  const end = world.lose('all proposals', (message) => message.type === 'proposal');
  world.submit(1, 'during');
  let view = world.view(0);
  let lastAtMs = world.nowMs;
  let longestMs = 0;
  world.untold(
    () => `ten minutes later: view ${world.view(0)}, and the longest one took ${Math.round(longestMs)} ms`,
    () => {
      const endMs = world.nowMs + 600_000;
      while (world.nowMs < endMs) {
        world.pass(20);
        if (world.view(0) === view) continue;
        longestMs = Math.max(longestMs, world.nowMs - lastAtMs);
        lastAtMs = world.nowMs;
        view = world.view(0);
      }
    },
  );
  // 2 Delta_eff for the leader, and what the view change itself takes.
  assert.ok(longestMs <= 2 * 64 * deltaMs + 3 * deltaMs, `${longestMs} ms in one view`);
  end();
  const repairedMs = world.nowMs;
  world.untilExecuted('during');
  assert.ok(world.nowMs - repairedMs <= 3 * 64 * deltaMs, `${world.nowMs - repairedMs} ms until the first block`);
  const next = (1 + world.view(0)) % 4;
  world.crash(next);
  world.note(`the next leader, node ${next}, is down`);
  const failedAtMs = world.nowMs;
  world.commit((next + 1) % 4, 'after');
  assert.ok(world.nowMs - failedAtMs <= 10 * deltaMs, `${world.nowMs - failedAtMs} ms for one failed view`);
  world.finish();
});

test('17: a node that can send but not receive costs the views it leads, and no more', () => {
  const world = new ScenarioWorld({
    name: '17-sends-but-cannot-receive',
    tells: `Nothing reaches node 3 any more; what it says still reaches everybody. The others go on without it, over the view it
leads; when its ears open it follows.`,
  });
  world.start();
  world.commit(0, 'one');
  const end = world.lose('all messages to node 3', (_message, _from, to) => to === 3);
  for (const text of ['two', 'three', 'four']) world.commit(1, text, [0, 1, 2]);
  assert.deepEqual(world.executed(3), ['one']);
  end();
  world.commit(2, 'five');
  assert.deepEqual(world.executed(3), ['one', 'two', 'three', 'four', 'five']);
  world.finish();
});
