import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startNetwork, until } from './testing/test-network.ts';

test('frames of both channels arrive whole and in order, whatever their size', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  t.after(stop);
  const [a, b] = nodes;
  for (const channel of ['control', 'bulk'] as const) {
    const sizes = [
      1,
      3,
      200,
      16_380,
      16_384,
      70_000,
      1,
      1_000_000,
      1 << 20,
      ...(channel === 'bulk' ? [8 << 20] : []),
      5,
    ];
    const frames = sizes.map((size) => new Uint8Array(randomBytes(size)));
    for (const frame of frames) assert.equal(a!.transport.send(b!.id, channel, frame), true);
    const arrived = () => b!.frames.filter((each) => each.channel === channel);
    await until(() => arrived().length === frames.length);
    for (const [index, { frame, peer }] of arrived().entries()) {
      assert.equal(peer, a!.id);
      assert.equal(Buffer.compare(frame, frames[index]!), 0, `frame ${index} of ${sizes[index]} bytes`);
      assert.equal(frame.constructor, Uint8Array, 'a frame is no Buffer');
    }
  }
});

test('all nodes of a network get connected, and measure their round trips', async (t) => {
  const { nodes, stop } = await startNetwork(4);
  t.after(stop);
  await until(() => nodes.every(({ transport }) => transport.peers().every(({ rttMs }) => rttMs !== null)));
  for (const node of nodes) {
    assert.equal(node.log.filter(({ event }) => event === 'connected').length, 3);
    for (const peer of node.transport.peers()) {
      assert.equal(peer.isConnected, true);
      assert.ok(peer.rttMs! > 0 && peer.rttMinMs! <= peer.rttMs!);
      assert.equal(peer.channels.control.reconnects, 0);
    }
  }
});

test('a frame sent in one turn of the event loop leaves together with the others of that turn', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  t.after(stop);
  const [a, b] = nodes;
  for (let count = 0; count < 1000; count++) a!.transport.send(b!.id, 'control', new Uint8Array(100).fill(count));
  await until(() => b!.frames.length === 1000);
  const chunks = new Set(b!.frames.map(({ frame }) => frame.buffer));
  assert.ok(chunks.size < 20, `1000 frames came in ${chunks.size} chunks`);
});
