/** Faults end, whatever else strikes the same node meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from './event-queue.ts';
import { Faults } from './faults.ts';
import type { PlannedFault } from './plan.ts';
import { createRandom } from './random.ts';
import { VirtualDisk } from './virtual-disk.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

const usualDelays = { syncMs: 1, executeMs: 2, clockOffsetMs: 3 };

/** Two faults that slow one node down in different ways, the second of which outlasts the first. */
const overlapping: readonly PlannedFault[] = [
  { atMs: 10, lastsMs: 20, fault: { type: 'slow-disk', node: 0, byMs: 700 } },
  { atMs: 20, lastsMs: 20, fault: { type: 'clock', node: 0, offsetMs: 3_600_000 } },
  { atMs: 25, lastsMs: 90, fault: { type: 'slow-ledger', node: 0, byMs: 80 } },
];

function createBench() {
  const events = new EventQueue();
  const node = { place: 0, index: 0, usualDelays, delays: usualDelays, disk: new VirtualDisk() } as VirtualNode;
  const faults = new Faults({
    events,
    network: {} as VirtualNetwork,
    nodes: [node],
    random: createRandom(1),
    observer: null,
    twinPlaces: new Map(),
    onRolledBack: () => undefined,
  });
  faults.schedule(overlapping);
  const passUntil = (untilMs: number) => {
    while (events.step(untilMs));
    return node.delays;
  };
  return { node, faults, passUntil };
}

test('faults that overlap change one thing each, and leave nothing behind', () => {
  const { passUntil } = createBench();
  assert.deepEqual(passUntil(28), { syncMs: 700, executeMs: 80, clockOffsetMs: 3_600_000 });
  assert.deepEqual(passUntil(35), { syncMs: 1, executeMs: 80, clockOffsetMs: 3_600_000 });
  assert.deepEqual(passUntil(50), { syncMs: 1, executeMs: 80, clockOffsetMs: 3 });
  assert.deepEqual(passUntil(200), usualDelays);
});

test('when all of them end at once, everything is as usual again', () => {
  const { node, faults, passUntil } = createBench();
  passUntil(28);
  faults.endAll();
  assert.deepEqual(node.delays, usualDelays);
});
