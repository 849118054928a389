/**
 * What hostile connections do to a node: each ends with a counted reason, memory stays bounded, and the links between
 * honest nodes go on. Bytes are random but made from a seed, which a failing test prints.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { createLinkIdentity } from '../crypto/certificate.ts';
import { ADMISSION_LIMITS } from './admission.ts';
import { LINK_LIMITS } from './link.ts';
import type { LinkReason } from './link-reason.ts';
import { DIAL_LIMITS } from './peer-links.ts';
import { framed, greet, type HostilePeer, handshake, helloOf, knock, linkMessage } from './testing/hostile-peer.ts';
import { createNode, introduce, peerOf, until } from './testing/test-network.ts';

const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));
const TLS_1_2 = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
} as const;
const FRAME = new Uint8Array(100);

const limits = {
  link: { ...LINK_LIMITS, helloMs: 400, frameMs: 300, frameBytesPerSecond: 64 << 20 },
  dial: { ...DIAL_LIMITS, keepOutMinMs: 0, keepOutMaxMs: 0 },
  listener: {
    pendingMax: 20,
    handshakeMs: 400,
    admission: { ...ADMISSION_LIMITS, burstPerAddress: 100_000, burstTotal: 100_000 },
  },
};

const victim = createNode('victim', { limits });
const friend = createNode('friend');
/** Knows the ledger, and its key is on it: a validator gone bad. */
const traitor = createNode('peer');
const stranger = createLinkIdentity(randomBytes(32));
const escaped: unknown[] = [];
process.on('uncaughtException', (error) => escaped.push(error));

before(async () => {
  await Promise.all([victim.transport.start(), friend.transport.start()]);
  introduce([victim, friend]);
  victim.transport.updatePeers([peerOf(friend), peerOf(traitor)]);
  await until(() => victim.log.length === 1);
});

after(async () => {
  await Promise.all([victim.transport.stop(), friend.transport.stop()]);
  assert.deepEqual(escaped, []);
});

const countOf = (reason: LinkReason) => victim.transport.counters().closes[reason];

/** Runs an attack, waits until the victim has closed it, and tells which reasons were counted. */
async function reasonsOf(attack: () => Promise<HostilePeer>): Promise<LinkReason[]> {
  const start = victim.transport.counters().closes;
  const peer = await attack();
  await until(peer.isClosed);
  const counted = () =>
    Object.entries(victim.transport.counters().closes).filter(([reason, count]) => count > start[reason as LinkReason]);
  await until(() => counted().length > 0);
  await sleep(3);
  return counted().map(([reason]) => reason as LinkReason);
}

async function assertFriendsTalk(): Promise<void> {
  const [sent, received] = [friend.frames.length, victim.frames.length];
  assert.ok(victim.transport.send('friend', 'control', FRAME) && friend.transport.send('victim', 'bulk', FRAME));
  await until(() => friend.frames.length > sent && victim.frames.length > received);
  assert.equal(victim.log.filter(({ peer }) => peer === 'friend').length, 1, 'the link between friends never broke');
}

const attacks: readonly (readonly [title: string, reason: LinkReason, attack: () => Promise<HostilePeer>])[] = [
  ['plain HTTP', 'link.not-tls', async () => say(knock(victim), 'GET / HTTP/1.1\r\n\r\n')],
  ['bytes that are no TLS', 'link.not-tls', async () => say(knock(victim), new Uint8Array(500).fill(0xff))],
  ['a TLS record of nonsense', 'link.tls-failed', async () => say(knock(victim), tlsRecord(new Uint8Array(200)))],
  ['a connection that says nothing', 'link.handshake-timeout', async () => knock(victim)],
  [
    'a handshake byte by byte',
    'link.handshake-timeout',
    async () => drip(knock(victim), tlsRecord(new Uint8Array(200))),
  ],
  ['half a handshake, then nothing', 'link.handshake-ended', async () => hangUp(knock(victim))],
  ['TLS 1.2', 'link.tls-version', () => handshake(victim, traitor.identity, TLS_1_2)],
  ['TLS without a certificate', 'link.no-certificate', () => handshake(victim, null)],
  ['an unknown key', 'link.unknown-key', () => handshake(victim, stranger)],
  ['the victim pretending to be itself', 'link.unknown-key', () => handshake(victim, victim.identity)],
  ['no hello', 'link.hello-timeout', () => handshake(victim, traitor.identity)],
  [
    'random bytes for a hello',
    'link.hello-malformed',
    () => greetWith(framed(new Uint8Array(50), { isLinkMessage: true })),
  ],
  ['a frame before the hello', 'link.hello-malformed', () => greetWith(framed(FRAME))],
  ['a ping before the hello', 'link.hello-malformed', () => greetWith(linkMessage({ type: 'ping', number: 1 }))],
  ['another ledger', 'link.wrong-ledger', () => greet(victim, traitor.identity, { ledgerHash: new Uint8Array(32) })],
  ['another version', 'link.wrong-version', () => greet(victim, traitor.identity, { version: 2 })],
  ["somebody else's id", 'link.wrong-id', () => greet(victim, traitor.identity, { id: 'friend' })],
  ['a frame over the limit', 'link.frame-too-large', () => greetAnd(framed(FRAME, { declared: (1 << 20) + 1 }))],
  ['an empty frame', 'link.frame-empty', () => greetAnd(framed(new Uint8Array(0)))],
  ['a second hello', 'link.message-malformed', () => greetAnd(linkMessage(helloOf({})))],
  ['a link message of nonsense', 'link.message-malformed', () => greetAnd(framed(FRAME, { isLinkMessage: true }))],
  ['a frame byte by byte', 'link.frame-slow', async () => drip(await greetAnd(new Uint8Array(0)), framed(FRAME))],
  ['a frame that breaks off', 'link.truncated', async () => hangUp(await greetAnd(framed(FRAME, { declared: 200 })))],
  ['a polite end', 'link.closed-by-peer', () => greetAnd(linkMessage({ type: 'bye', text: 'x'.repeat(200) }))],
];

for (const [title, reason, attack] of attacks) {
  test(`${title} ends in ${reason}`, async () => {
    assert.deepEqual(await reasonsOf(attack), [reason]);
    await assertFriendsTalk();
  });
}

test(`random streams, with and without a handshake, all end counted (SEED=${SEED})`, async () => {
  const total = () => Object.values(victim.transport.counters().closes).reduce((sum, count) => sum + count, 0);
  const [start, streams] = [total(), 150];
  for (let index = 0; index < streams; index++) {
    const bytes = randomStream(index);
    const peer =
      index % 3 === 0
        ? knock(victim)
        : index % 3 === 1
          ? await handshake(victim, traitor.identity)
          : await greetAnd(new Uint8Array(0));
    say(peer, index % 2 === 0 ? bytes : tlsRecord(bytes));
    peer.socket.end();
    if (index % 10 === 9) await until(peer.isClosed);
  }
  await until(() => total() >= start + streams);
  await until(() => victim.transport.counters().pending === 0);
  await assertFriendsTalk();
});

test('a flood of half-open connections pushes out itself, and a peer still gets in', async () => {
  const start = countOf('link.too-many-pending');
  const peers = Array.from({ length: 200 }, () => knock(victim));
  await until(() => countOf('link.too-many-pending') >= start + 180);
  assert.ok(victim.transport.counters().pending <= 20);
  const honest = await greet(victim, traitor.identity, {});
  await until(() => honest.heard.length > 0);
  assert.equal(honest.heard[0]?.type, 'hello');
  await until(() => peers.every(({ isClosed }) => isClosed()));
  honest.socket.destroy();
  await assertFriendsTalk();
});

test('one key cannot keep many connections without a hello', async () => {
  const start = countOf('link.too-many-pending');
  const peers = await Promise.all(Array.from({ length: 10 }, () => handshake(victim, traitor.identity)));
  await until(() => countOf('link.too-many-pending') >= start + 6);
  await until(() => peers.every(({ isClosed }) => isClosed()));
});

test('a flood of pings makes the victim send little', async () => {
  const peer = await greetAnd(new Uint8Array(0));
  const status = () => victim.transport.peers().find(({ id }) => id === 'peer')!.channels.control;
  const before = status();
  const ping = linkMessage({ type: 'ping', number: 1 });
  peer.socket.write(Buffer.concat(Array.from({ length: 50_000 }, () => ping)));
  await until(() => status().bytesIn - before.bytesIn >= 50_000 * ping.length);
  assert.ok(status().bytesOut - before.bytesOut < 50_000, `${status().bytesOut - before.bytesOut} bytes`);
  peer.socket.destroy();
});

test('a server with another key than the pinned one is told nothing', async (t) => {
  const impostor = createNode('impostor');
  await impostor.transport.start();
  impostor.transport.updatePeers([peerOf(victim, false)]);
  const caller = createNode('a-caller');
  await caller.transport.start();
  t.after(() => Promise.all([caller.transport.stop(), impostor.transport.stop()]));
  caller.transport.updatePeers([{ ...peerOf(impostor), id: 'honest', linkKey: stranger.publicKey }]);
  await until(() => caller.transport.counters().closes['link.wrong-key'] > 0);
  assert.equal(caller.transport.peers()[0]?.channels.control.bytesOut, 0);
});

test('a resumed session does not pass for a proof of the key', async () => {
  let session: Buffer | undefined;
  const { host, port } = victim.transport.address()!;
  const options = { host, port, cert: traitor.identity.certificatePem, key: traitor.identity.privateKeyPem };
  const first = connect({ ...options, rejectUnauthorized: false });
  first.on('error', () => {}).on('data', () => {});
  first.on('session', (bytes) => {
    session = bytes;
  });
  await until(() => session !== undefined, 2_000);
  const start = countOf('link.closed');
  first.destroy();
  await until(() => countOf('link.closed') > start);
  assert.deepEqual(await reasonsOf(() => handshake(victim, traitor.identity, { session: session! })), [
    'link.session-reused',
  ]);
});

function say(peer: HostilePeer, bytes: Uint8Array | string): HostilePeer {
  peer.socket.write(bytes);
  return peer;
}

function hangUp(peer: HostilePeer): HostilePeer {
  peer.socket.end();
  return peer;
}

async function greetWith(bytes: Uint8Array): Promise<HostilePeer> {
  return say(await handshake(victim, traitor.identity), bytes);
}

async function greetAnd(bytes: Uint8Array): Promise<HostilePeer> {
  const peer = await greet(victim, traitor.identity, {});
  await until(() => peer.heard.length > 0 || peer.isClosed());
  return say(peer, bytes);
}

/** One byte every few milliseconds, for as long as it is let. */
function drip(peer: HostilePeer, bytes: Uint8Array): HostilePeer {
  let at = 0;
  const timer = setInterval(() => {
    if (peer.isClosed() || at >= bytes.length) clearInterval(timer);
    else peer.socket.write(bytes.subarray(at, ++at));
  }, 20);
  return peer;
}

function tlsRecord(bytes: Uint8Array): Uint8Array {
  const length = bytes.length & 0x3fff;
  return Buffer.concat([Uint8Array.of(0x16, 3, 1, length >> 8, length & 0xff), bytes.subarray(0, length)]);
}

/** Up to 4,000 bytes that depend on the seed and the index only; some look like frames. */
function randomStream(index: number): Uint8Array {
  const block = (part: number) => createHash('sha512').update(`${SEED} ${index} ${part}`).digest();
  const bytes = Buffer.concat(Array.from({ length: 1 + (block(-1)[0]! % 62) }, (_, part) => block(part)));
  return index % 4 === 0 ? bytes : framed(bytes, { isLinkMessage: index % 4 === 1 });
}
