/** Scenarios 26 and on: what the simulator has found, as stories (style: "a bug found by the simulator becomes a named scenario"). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deltaMs, ScenarioWorld } from './scenario-world.ts';

test('26: a finalization that got lost on its way to one node is sent again, though everybody else is idle', () => {
  const world = new ScenarioWorld({
    name: '26-lost-finalization',
    tells: `Nodes 0, 1 and 2 finalize the payment and are idle. Every vote to finalize and every certificate of it that went to
node 3 got lost, so node 3 waits alone, and gives its view up. It says where it stands, and gets what it lacks.`,
    constants: { heartbeatMs: 60_000 },
  });
  world.start();
  const end = world.lose('votes to finalize, and finalizations, on the way to node 3', (message, _from, to) => {
    if (to !== 3) return false;
    if (message.type === 'vote') return message.vote.vote.type === 'finalize';
    return message.type === 'certificate' && message.certificate.vote.type === 'finalize';
  });
  world.commit(0, 'pay', [0, 1, 2]);
  world.pass(2 * deltaMs);
  end();
  assert.deepEqual(world.executed(3), []);
  // The heartbeat would help as well, a minute later.
  world.untilExecuted('pay', [3], 20 * deltaMs);
  world.finish();
});
