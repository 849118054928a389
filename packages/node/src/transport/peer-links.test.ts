import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkIdentity } from '../crypto/certificate.ts';
import { ADMISSION_LIMITS } from './admission.ts';
import { LINK_LIMITS } from './link.ts';
import { DIAL_LIMITS } from './peer-links.ts';
import { greet, type HostilePeer, knock } from './testing/hostile-peer.ts';
import { createNode, introduce, peerOf, startNetwork, type TestNode, until } from './testing/test-network.ts';

const FRAME = Uint8Array.of(1, 2, 3);

const statusOf = (node: TestNode, peer: TestNode) => node.transport.peers().find(({ id }) => id === peer.id)!;
const isConnected = (node: TestNode, peer: TestNode) => statusOf(node, peer).isConnected;
const eventsOf = (node: TestNode) => node.log.map(({ event }) => event);

/** A started node and the key of a peer it knows, which only the test uses. */
async function startWithKnownPeer(options = {}) {
  const node = createNode('node', options);
  const peer = createNode('peer');
  await node.transport.start();
  node.transport.updatePeers([peerOf(peer)]);
  return { node, identity: peer.identity };
}

test('a peer that was stopped and started again gets in at once, and its owner is told of both', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  const [a, b] = nodes as [TestNode, TestNode];
  const port = b.transport.address()!.port;
  await b.transport.stop();
  await until(() => !isConnected(a, b));
  const again = createNode(b.id, { listen: { host: '127.0.0.1', port } }, b.secretKey);
  await again.transport.start();
  t.after(() => Promise.all([stop(), again.transport.stop()]));
  again.transport.updatePeers([peerOf(a)]);
  await until(() => isConnected(a, again) && isConnected(again, a));
  assert.deepEqual(eventsOf(a), ['connected', 'disconnected', 'connected']);
  assert.equal(statusOf(a, again).channels.control.reconnects, 1);
});

test('nodes get connected when only the one with the larger id can be reached', async (t) => {
  const [a, b] = [createNode('a'), createNode('b')];
  await Promise.all([a.transport.start(), b.transport.start()]);
  t.after(() => Promise.all([a.transport.stop(), b.transport.stop()]));
  a.transport.updatePeers([peerOf(b)]);
  b.transport.updatePeers([peerOf(a, false)]);
  await until(() => isConnected(a, b) && isConnected(b, a));
});

test('nodes get connected when only the one with the smaller id can be reached', async (t) => {
  const [a, b] = [createNode('a'), createNode('b')];
  await Promise.all([a.transport.start(), b.transport.start()]);
  t.after(() => Promise.all([a.transport.stop(), b.transport.stop()]));
  a.transport.updatePeers([peerOf(b, false)]);
  b.transport.updatePeers([peerOf(a)]);
  await until(() => isConnected(a, b) && isConnected(b, a));
});

test('nodes that dial each other at the same moment, again and again, agree on one link each time', async (t) => {
  const limits = { dial: { ...DIAL_LIMITS, reverseDialMs: 0 } };
  const { nodes, stop } = await startNetwork(3, { limits });
  t.after(stop);
  for (let round = 0; round < 5; round++) {
    for (const node of nodes) for (const other of nodes) node.transport.disconnect(other.id, 'test', 0);
    await until(() => nodes.every(({ transport }) => transport.peers().every((peer) => peer.isConnected)));
    await sleep(100);
    for (const node of nodes) {
      for (const peer of node.transport.peers())
        assert.ok(peer.isConnected, `${node.id} lost ${peer.id}: ${peer.lastClose?.reason}`);
    }
  }
  const [a, b] = nodes as [TestNode, TestNode];
  assert.ok(a.transport.send(b.id, 'control', FRAME));
  await until(() => b.frames.length === 1);
});

test('a second instance with the key of a peer that is present gets no link, on either channel, and is told of', async (t) => {
  const { node, identity } = await startWithKnownPeer();
  t.after(() => node.transport.stop());
  const instance = new Uint8Array(randomBytes(8));
  const before = [
    await greet(node, identity, { instance, sequence: 8 }),
    await greet(node, identity, { instance, sequence: 9, channel: 'bulk' }),
  ];
  await until(() => eventsOf(node).length === 1);
  for (const channel of ['control', 'bulk'] as const) {
    const second = await greet(node, identity, { sequence: 1, channel });
    await until(second.isClosed);
    assert.equal(byeOf(second), 'link.second-instance');
  }
  assert.ok(before.every(({ isClosed }) => !isClosed()));
  assert.deepEqual(eventsOf(node), ['connected', 'second-instance', 'second-instance']);
});

test('a new link of a restarted peer replaces the ones that have fallen silent, on both channels', async (t) => {
  const { node, identity } = await startWithKnownPeer({ limits: { dial: { ...DIAL_LIMITS, presentMs: 100 } } });
  t.after(() => node.transport.stop());
  const instance = new Uint8Array(randomBytes(8));
  const before = [
    await greet(node, identity, { instance, sequence: 8 }),
    await greet(node, identity, { instance, sequence: 9, channel: 'bulk' }),
  ];
  await until(() => eventsOf(node).length === 1);
  await sleep(200);
  await greet(node, identity, { sequence: 1 });
  await until(() => before.every(({ isClosed }) => isClosed()));
  assert.ok(before.every((link) => byeOf(link) === 'link.replaced'));
  assert.deepEqual(node.log[1], { event: 'disconnected', peer: 'peer', reason: 'link.replaced' });
});

test('of two links of one instance the one begun later stays, whichever arrives first', async (t) => {
  const { node, identity } = await startWithKnownPeer();
  t.after(() => node.transport.stop());
  const instance = new Uint8Array(randomBytes(8));
  const second = await greet(node, identity, { instance, sequence: 2 });
  await until(() => second.heard.length > 0);
  const first = await greet(node, identity, { instance, sequence: 1 });
  await until(first.isClosed);
  assert.equal(byeOf(first), 'link.duplicate');
  const third = await greet(node, identity, { instance, sequence: 3 });
  await until(second.isClosed);
  assert.equal(byeOf(second), 'link.replaced');
  assert.equal(third.isClosed(), false);
});

test('a peer that was disconnected stays out for as long as was said', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  t.after(stop);
  const [a, b] = nodes as [TestNode, TestNode];
  const start = performance.now();
  b.transport.disconnect(a.id, 'flood', 600);
  assert.deepEqual(eventsOf(b), ['connected'], 'nothing is told from within the call');
  await until(() => !isConnected(a, b));
  assert.equal(statusOf(b, a).lastClose?.reason, 'link.disconnected');
  await until(() => isConnected(a, b) && isConnected(b, a));
  assert.ok(performance.now() - start > 550);
});

test('a peer that left the list, or got another key, is disconnected', async (t) => {
  const { nodes, stop } = await startNetwork(3);
  t.after(stop);
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  a.transport.updatePeers([{ ...peerOf(b), linkKey: new Uint8Array(randomBytes(32)) }]);
  await until(() => !isConnected(b, a) && !isConnected(c, a));
  assert.equal(a.transport.send(c.id, 'control', FRAME), false);
  introduce(nodes);
  await until(() => nodes.every(({ transport }) => transport.peers().every((peer) => peer.isConnected)));
});

test('frames for a peer that is down, unknown, or reads too slowly are dropped and counted', async (t) => {
  const { node, identity } = await startWithKnownPeer();
  t.after(() => node.transport.stop());
  assert.equal(node.transport.send('peer', 'control', FRAME), false);
  assert.equal(node.transport.send('nobody', 'control', FRAME), false);
  const peer = await greet(node, identity, {});
  await until(() => node.transport.peers()[0]!.channels.control.isUp);
  peer.socket.pause();
  const frame = new Uint8Array(1 << 20);
  let sent = 0;
  for (let count = 0; count < 64; count++) {
    if (node.transport.send('peer', 'control', frame)) sent += 1;
    await sleep(1);
  }
  const { drops, queuedBytes } = node.transport.peers()[0]!.channels.control;
  assert.equal(drops, 1 + 64 - sent);
  assert.ok(drops > 1 && queuedBytes <= 4 << 20);
});

test('a peer that does not read is given up after a while', async (t) => {
  const { node, identity } = await startWithKnownPeer({ limits: { link: { ...LINK_LIMITS, stallMs: 300 } } });
  t.after(() => node.transport.stop());
  const peer = await greet(node, identity, {});
  await until(() => node.transport.peers()[0]!.channels.control.isUp);
  peer.socket.pause();
  while (node.transport.send('peer', 'control', new Uint8Array(1 << 20))) await sleep(1);
  await until(() => node.transport.counters().closes['link.stalled'] === 1);
});

test('a silent peer is given up after a while, one that only answers pings is not', async (t) => {
  const link = { ...LINK_LIMITS, pingMs: 50, idleMs: 300 };
  const { nodes, stop } = await startNetwork(2, { limits: { link } });
  const { node, identity } = await startWithKnownPeer({ limits: { link } });
  t.after(() => Promise.all([stop(), node.transport.stop()]));
  await greet(node, identity, {});
  await until(() => node.transport.counters().closes['link.idle'] === 1);
  assert.ok(nodes.every((each) => eventsOf(each).length === 1));
});

test('a held channel reads no more until it is released, and loses nothing', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  t.after(stop);
  const [a, b] = nodes as [TestNode, TestNode];
  b.transport.holdReading(a.id, 'bulk', true);
  for (let count = 0; count < 12; count++)
    assert.ok(a.transport.send(b.id, 'bulk', new Uint8Array(1 << 20).fill(count)));
  a.transport.send(b.id, 'control', FRAME);
  await until(() => b.frames.some(({ channel }) => channel === 'control'));
  await sleep(100);
  const early = b.frames.filter(({ channel }) => channel === 'bulk').length;
  assert.ok(early < 12);
  b.transport.holdReading(a.id, 'bulk', false);
  await until(() => b.frames.length === 13);
});

test('a stopped transport tells nothing more, and its peers see it leave', async (t) => {
  const { nodes, stop } = await startNetwork(2);
  t.after(stop);
  const [a, b] = nodes as [TestNode, TestNode];
  await a.transport.stop();
  const told = a.log.length;
  await until(() => !isConnected(b, a));
  await until(() => b.log.length === 2);
  assert.deepEqual(b.log[1], { event: 'disconnected', peer: a.id, reason: 'link.closed-by-peer' });
  await sleep(50);
  assert.equal(a.log.length, told);
});

test('an address that cannot be read is reported, and the others are used', async (t) => {
  const [a, b] = [createNode('a'), createNode('b')];
  await Promise.all([a.transport.start(), b.transport.start()]);
  t.after(() => Promise.all([a.transport.stop(), b.transport.stop()]));
  const { addresses, ...peer } = peerOf(b);
  a.transport.updatePeers([{ ...peer, addresses: ['nowhere', '127.0.0.1:99999', '[nowhere]:1', ...addresses] }]);
  b.transport.updatePeers([peerOf(a, false)]);
  await until(() => isConnected(a, b));
  assert.equal(a.transport.counters().closes['link.bad-address'], 3);
});

function byeOf({ heard }: HostilePeer): string | undefined {
  return heard.flatMap((message) => (message.type === 'bye' ? [message.text] : [])).at(-1);
}

test('a peer that breaks the rules is kept out, each time for longer', async (t) => {
  const dial = { ...DIAL_LIMITS, keepOutMinMs: 150, keepOutMaxMs: 600 };
  const { node, identity } = await startWithKnownPeer({ limits: { dial } });
  t.after(() => node.transport.stop());
  const waits: number[] = [];
  for (let round = 0; round < 4; round++) {
    const bad = await greetUntilAdmitted(node, identity);
    bad.socket.write(new Uint8Array(4));
    await until(bad.isClosed);
    const start = performance.now();
    (await greetUntilAdmitted(node, identity)).socket.destroy();
    waits.push(performance.now() - start);
  }
  assert.equal(node.transport.counters().closes['link.frame-empty'], 4);
  const [first, second, third, fourth] = waits as [number, number, number, number];
  assert.ok(first >= 100 && second >= 250 && third >= 550 && fourth >= 550, `kept out for ${waits} ms`);
});

test('connections that come too fast are refused before a handshake is spent on them', async (t) => {
  const admission = { ...ADMISSION_LIMITS, burstPerAddress: 5, perSecondPerAddress: 1 };
  const listener = { pendingMax: 100, handshakeMs: 5_000, admission };
  const { node } = await startWithKnownPeer({ limits: { listener } });
  t.after(() => node.transport.stop());
  const strangers = Array.from({ length: 20 }, () => knock(node));
  await until(() => strangers.filter(({ isClosed }) => isClosed()).length >= 14);
  const { closes, accepted } = node.transport.counters();
  assert.ok(closes['link.rate-limited'] >= 14 && accepted <= 6);
  assert.equal(closes['link.rate-limited'] + accepted, 20);
});

/** Tries until the node greets back. */
async function greetUntilAdmitted(node: TestNode, identity: LinkIdentity): Promise<HostilePeer> {
  for (;;) {
    const peer = await greet(node, identity, {});
    await until(() => peer.heard.some(({ type }) => type === 'hello') || peer.isClosed());
    if (!peer.isClosed()) return peer;
    await sleep(5);
  }
}
