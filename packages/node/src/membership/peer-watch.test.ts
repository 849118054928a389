import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createPeerWatch, type Glance, type PeerWatch } from './peer-watch.ts';

const windowMs = 2_000;
type Peer = Glance['peers'][number];
const peer = (id: string, more: Partial<Peer> = {}): Peer => ({ id, isLinked: true, signedHeight: 0, ...more });

/** Looks every quarter of a window, from `fromMs` on, for that many looks. */
function looks(
  watch: PeerWatch,
  fromMs: number,
  count: number,
  seen: (i: number) => Partial<Glance> & { peers: Peer[] },
): number {
  for (let i = 0; i < count; i++)
    watch.look({ nowMs: fromMs + (i * windowMs) / 4, windowMs, certifiedHeight: 0, quorum: 3, ...seen(i) });
  return fromMs + ((count - 1) * windowMs) / 4;
}

test('who is out of reach for a window is silent, and who was for a moment is not', () => {
  const watch = createPeerWatch();
  const others = [peer('b'), peer('c')];
  let now = looks(watch, 0, 4, () => ({ peers: [...others, peer('d', { isLinked: false })] }));
  assert.equal(watch.conductOf('d', now, windowMs), 'unclear');
  now = looks(watch, now + 500, 1, () => ({ peers: [...others, peer('d')] }));
  now = looks(watch, now + 500, 4, () => ({ peers: [...others, peer('d', { isLinked: false })] }));
  assert.equal(watch.conductOf('d', now, windowMs), 'unclear', 'the window begins anew');
  now = looks(watch, now + 500, 1, () => ({ peers: [...others, peer('d', { isLinked: false })] }));
  assert.equal(watch.conductOf('d', now, windowMs), 'silent');
});

test('who is itself cut off accuses nobody', () => {
  const watch = createPeerWatch();
  const down = ['b', 'c', 'd'].map((id) => peer(id, { isLinked: id === 'b' }));
  const now = looks(watch, 0, 12, () => ({ peers: down }));
  assert.equal(watch.conductOf('c', now, windowMs), 'unclear');
});

test('who does not sign what a quorum signed a window ago is silent; who signs again is working', () => {
  const watch = createPeerWatch();
  const signing = (i: number, height: number) => ({
    certifiedHeight: i + 1,
    peers: [
      peer('b', { signedHeight: i + 1 }),
      peer('c', { signedHeight: i + 1 }),
      peer('d', { signedHeight: height }),
    ],
  });
  let now = looks(watch, 0, 12, (i) => signing(i, 0));
  assert.equal(watch.conductOf('d', now, windowMs), 'silent');
  assert.equal(watch.conductOf('b', now, windowMs), 'working');
  now = looks(watch, now + 500, 3, (i) => signing(12 + i, 12 + i));
  assert.equal(watch.conductOf('d', now, windowMs), 'unclear', 'a moment is not enough');
  now = looks(watch, now + 500, 4, (i) => signing(15 + i, 15 + i));
  assert.equal(watch.conductOf('d', now, windowMs), 'working');
});

test('in a network where nothing happens nobody is silent for not signing', () => {
  const watch = createPeerWatch();
  const now = looks(watch, 0, 20, () => ({ certifiedHeight: 7, peers: ['b', 'c', 'd'].map((id) => peer(id)) }));
  assert.equal(watch.conductOf('d', now, windowMs), 'unclear');
});

test('who lets its views go by is silent although it signs, until it leads one to a block', () => {
  const watch = createPeerWatch();
  const peers = ['b', 'c', 'd'].map((id) => peer(id, { signedHeight: 1 }));
  looks(watch, 0, 1, () => ({ peers }));
  for (let i = 0; i < 3; i++) watch.onLostView('d');
  let now = looks(watch, 500, 6, () => ({ peers }));
  assert.equal(watch.conductOf('d', now, windowMs), 'silent');
  watch.onLedView('d');
  now = looks(watch, now + 500, 6, () => ({ peers }));
  assert.equal(watch.conductOf('d', now, windowMs), 'working');
});

test('one whose views are skipped since it is suspended cannot lead: it works again when it signs', () => {
  const watch = createPeerWatch();
  const signing = (i: number, height: number) => ({
    certifiedHeight: i + 1,
    peers: [
      peer('b', { signedHeight: i + 1 }),
      peer('c', { signedHeight: i + 1 }),
      peer('d', { signedHeight: height }),
    ],
  });
  for (let i = 0; i < 3; i++) watch.onLostView('d');
  let now = looks(watch, 0, 12, (i) => signing(i, 0));
  watch.onSkippedView('d');
  now = looks(watch, now + 500, 1, () => signing(12, 0));
  assert.equal(watch.conductOf('d', now, windowMs), 'silent', 'to be skipped is no work');
  now = looks(watch, now + 500, 8, (i) => signing(13 + i, 13 + i));
  assert.equal(watch.conductOf('d', now, windowMs), 'working');
});

test('an epoch begins with a clean slate', () => {
  const watch = createPeerWatch();
  const peers = [peer('b'), peer('c'), peer('d', { isLinked: false })];
  const now = looks(watch, 0, 6, () => ({ peers }));
  assert.equal(watch.conductOf('d', now, windowMs), 'silent');
  watch.onEpoch();
  assert.equal(watch.conductOf('d', now, windowMs), 'unclear');
});
