import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryNetwork, type MemoryNetwork } from './memory-transport.ts';
import { until } from './testing/test-network.ts';
import type { PeerId } from './transport.ts';

const IDS = ['a', 'b', 'c'];
const PEERS = IDS.map((id) => ({ id, linkKey: new Uint8Array(32), addresses: [] }));

function createNode(network: MemoryNetwork, id: PeerId) {
  const log: string[] = [];
  const frames: Uint8Array[] = [];
  const transport = network.createTransport({
    id,
    peers: PEERS,
    events: {
      onFrame: (_, __, frame) => frames.push(frame),
      onConnected: (peer) => log.push(`+${peer}`),
      onDisconnected: (peer, reason) => log.push(`-${peer} ${reason}`),
    },
  });
  return { transport, log, frames };
}

async function startNetwork() {
  const network = createMemoryNetwork();
  const nodes = IDS.map((id) => createNode(network, id));
  for (const { transport } of nodes) await transport.start();
  await until(() => nodes.every(({ log }) => log.length === 2));
  const [a, b, c] = nodes;
  return { network, a: a!, b: b!, c: c! };
}

test('a frame arrives later, as a copy', async () => {
  const { a, b } = await startNetwork();
  const frame = Uint8Array.of(1, 2);
  assert.equal(a.transport.send('b', 'control', frame), true);
  assert.equal(b.frames.length, 0);
  frame[0] = 9;
  await until(() => b.frames.length === 1);
  assert.deepEqual(b.frames, [Uint8Array.of(1, 2)]);
});

test('a cut link drops and tells both sides; healed, it connects again', async () => {
  const { network, a, b, c } = await startNetwork();
  network.setCut('a', 'b', true);
  assert.equal(a.transport.send('b', 'control', Uint8Array.of(1)), false);
  assert.equal(a.transport.peers()[0]?.channels.control.drops, 1);
  await until(() => a.log.length === 3 && b.log.length === 3);
  assert.equal(a.log[2], '-b link.closed');
  network.setCut('a', 'b', false);
  await until(() => a.log.at(-1) === '+b' && b.log.at(-1) === '+a');
  assert.equal(c.log.length, 2);
  assert.equal(a.transport.peers()[0]?.channels.bulk.reconnects, 1);
});

test('a full queue drops', async () => {
  const { a, b } = await startNetwork();
  const frame = new Uint8Array(1 << 20);
  const sent = Array.from({ length: 6 }, () => a.transport.send('b', 'control', frame));
  assert.deepEqual(sent, [true, true, true, true, false, false]);
  await until(() => b.frames.length === 4);
  assert.equal(a.transport.peers()[0]?.channels.control.queuedBytes, 0);
});

test('a held channel waits, the other one does not', async () => {
  const { a, b } = await startNetwork();
  b.transport.holdReading('a', 'bulk', true);
  a.transport.send('b', 'bulk', Uint8Array.of(1));
  a.transport.send('b', 'control', Uint8Array.of(2));
  await until(() => b.frames.length === 1);
  assert.deepEqual(b.frames[0], Uint8Array.of(2));
  b.transport.holdReading('a', 'bulk', false);
  await until(() => b.frames.length === 2);
});

test('a disconnected peer comes back after its time; a stopped one when another takes its place', async () => {
  const { network, a, b } = await startNetwork();
  a.transport.disconnect('b', 'flood', 30);
  await until(() => a.log.at(-1) === '-b link.disconnected');
  await until(() => a.log.at(-1) === '+b' && b.log.at(-1) === '+a');
  await b.transport.stop();
  assert.equal(a.transport.send('b', 'bulk', Uint8Array.of(1)), false);
  const again = createNode(network, 'b');
  await again.transport.start();
  await until(() => again.log.length === 2 && a.log.at(-1) === '+b');
});
