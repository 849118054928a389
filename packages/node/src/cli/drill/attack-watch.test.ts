import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attackByName } from './attack-list.ts';
import { createAttackWatch, type Noticed } from './attack-watch.ts';
import type { LogLine } from './node-log.ts';

const beganMs = 1_000_000;

function watched(name: keyof typeof attackByName) {
  const told: string[] = [];
  const note = (what: string) => (noticed: Noticed) =>
    void told.push(`${what} ${noticed.atMs - beganMs} ${noticed.by}`);
  const watch = createAttackWatch({
    attack: attackByName[name],
    targetId: 'node-1',
    restIds: ['node-2', 'node-3'],
    onNoticed: note('noticed'),
    onShutOut: note('shut out'),
  });
  return { watch, told };
}

function line(owner: string, afterMs: number, event: string, fields: Record<string, unknown> = {}): LogLine {
  return { owner, timeMs: beganMs + afterMs, event, fields };
}

test('a node is shut out by others once all of them keep it out', () => {
  const { watch, told } = watched('silence');
  watch.begin(beganMs);
  watch.onLine(line('node-2', 2_100, 'validator.suspended', { validator: 'node-1' }));
  watch.onLine(line('node-3', 2_200, 'validator.suspended', { validator: 'node-2' }));
  assert.deepEqual(told, ['noticed 2100 node-2']);
  watch.onLine(line('node-3', 2_300, 'link.down', { peer: 'node-1', reason: 'link.idle' }));
  assert.deepEqual(told, ['noticed 2100 node-2', 'shut out 2300 node-3']);
});

test('who is let in again is not kept out', () => {
  const { watch } = watched('silence');
  watch.begin(beganMs);
  watch.onLine(line('node-2', 100, 'link.down', { peer: 'node-1' }));
  watch.onLine(line('node-2', 200, 'link.up', { peer: 'node-1' }));
  watch.onLine(line('node-3', 300, 'link.down', { peer: 'node-1' }));
  assert.equal(watch.shutOut, null);
});

test('what was logged before the attack began, or is no sign of it, notices nothing', () => {
  const { watch, told } = watched('tamper');
  watch.onLine(line('node-1', 5, 'node.fenced', { reason: 'damaged' }));
  watch.begin(beganMs);
  watch.onLine(line('node-1', -1, 'node.fenced', { reason: 'damaged' }));
  watch.onLine(line('node-2', 10, 'link.down', { peer: 'node-1' }));
  watch.onLine(line('node-2', 10, 'node.fenced', { reason: 'damaged' }));
  assert.deepEqual(told, []);
  watch.onLine(line('node-1', 20, 'node.fenced', { reason: 'damaged' }));
  assert.deepEqual(told, ['noticed 20 node-1', 'shut out 20 node-1']);
});

test('a proof of fault is remembered, also against a node that was not to be proven faulty', () => {
  const { watch } = watched('twin');
  watch.begin(beganMs);
  watch.onLine(line('node-2', 30, 'fault.proven', { accused: 'node-3', kind: 'votes' }));
  assert.equal(watch.isProven, false);
  watch.onLine(line('node-2', 30, 'fault.proven', { accused: 'node-1', kind: 'votes' }));
  assert.equal(watch.isProven, true);
});

test('bytes are those of reports, not of what is told on the way', () => {
  const { watch } = watched('wipe');
  watch.begin(beganMs);
  watch.onLine(line('node-1', 30, 'repair.found', { bytesFetched: 10 }));
  assert.equal(watch.bytesFetched, null);
  watch.onLine(line('node-1', 40, 'repair.done', { bytesFetched: 100 }));
  watch.onLine(line('node-1', 50, 'repair.done', { bytesFetched: 20 }));
  assert.equal(watch.bytesFetched, 120);
});
