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

test('27: a disk that is put back to between two votes of one view is noticed by how far the mark says it voted', () => {
  const world = new ScenarioWorld({
    name: '27-disk-put-back-within-a-view',
    tells: `Node 3 notarizes the payment in view 1. Nothing of what the others say then reaches it, so it gives the view up. Its disk
is put back to between the two votes: of its nullify nothing is left. When it hears of the notarization it could finalize the view
that it has nullified. The mark beside its keys is of the same view, but says that more was voted in it: so it fences itself.`,
  });
  world.start();
  const hasNotarized = () => world.nodes[3]!.disk.records().some(({ type }) => type === 'own-vote');
  const end = world.lose('all votes and certificates on the way to node 3', (message, _from, to) => {
    return to === 3 && (message.type === 'vote' || message.type === 'certificate');
  });
  world.submit(0, 'pay');
  world.until('node 3 notarizes', hasNotarized);
  world.nodes[3]!.disk.takeSnapshot();
  const hasNullified = () => world.facts(3, 'nullified').length > 0;
  world.until('node 3 nullifies', hasNullified);
  world.settle();
  world.crash(3);
  world.nodes[3]!.disk.rollBack();
  world.note('the disk of node 3 is put back');
  world.forgetExecuted(3);
  end();
  const startedMs = world.nowMs;
  world.start(3);
  assert.equal(world.nodes[3]!.fencedFor, 'rolled-back');
  world.untilExecuted('pay');
  assert.equal(world.signedSince(3, startedMs), 0);
  world.finish();
});
