/** protocol.md R1: whose views are skipped at entry. Self is 0 of four, a quorum is three. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toValidatorIndex } from '../../model/brands.ts';
import { PeerActivity } from './peer-activity.ts';

const timeoutMs = 1_000;
const windowMs = 500;
const peer = toValidatorIndex;

function create(connected: readonly number[] = [1, 2, 3]): PeerActivity {
  const activity = new PeerActivity(4, peer(0), 3, windowMs, 0);
  activity.onMoment(0);
  for (const each of connected) activity.onConnected(peer(each));
  return activity;
}

/** Some peers are heard of every 100 ms, from one moment to another. */
function hear(activity: PeerActivity, peers: readonly number[], fromMs: number, toMs: number): void {
  for (let ms = fromMs; ms <= toMs; ms += 100) {
    activity.onMoment(ms);
    for (const each of peers) activity.onHeard(peer(each));
  }
}

test('a leader is silent when nothing came from it for the time-out while a quorum was active', () => {
  const activity = create();
  hear(activity, [1, 2], 0, 1_000);
  assert.equal(activity.isSilent(peer(3), timeoutMs), false, 'exactly the time-out');
  hear(activity, [1, 2], 1_001, 1_001);
  assert.equal(activity.isSilent(peer(3), timeoutMs), true);
  assert.equal(activity.isSilent(peer(1), timeoutMs), false);
  activity.onHeard(peer(3));
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
});

test('nobody is silent while less than a quorum, this node included, is active', () => {
  const activity = create();
  hear(activity, [1], 0, 5_000);
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
  assert.equal(activity.isSilent(peer(2), timeoutMs), false);
});

test('a quorum that pauses is active anew from when it is heard again', () => {
  const activity = create();
  hear(activity, [1, 2], 0, 900);
  activity.onMoment(900 + windowMs + 1);
  hear(activity, [1, 2], 1_500, 2_500);
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
  hear(activity, [1, 2], 2_501, 2_501);
  assert.equal(activity.isSilent(peer(3), timeoutMs), true);
});

test('a peer counts as active as long as the window, and no longer', () => {
  const activity = create();
  hear(activity, [1, 2], 0, 0);
  activity.onMoment(windowMs);
  hear(activity, [1, 2], windowMs, 1_000);
  activity.onMoment(1_001);
  assert.equal(activity.isSilent(peer(3), timeoutMs), true, 'without a break since 0');
});

test('a leader without a link for the time-out is silent while links to a quorum are up', () => {
  const activity = create();
  activity.onMoment(100);
  activity.onDisconnected(peer(3));
  assert.deepEqual([activity.isConnected(peer(3)), activity.isConnected(peer(1))], [false, true]);
  activity.onMoment(1_100);
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
  activity.onMoment(1_101);
  assert.equal(activity.isSilent(peer(3), timeoutMs), true);
  activity.onDisconnected(peer(2));
  assert.equal(activity.isSilent(peer(3), timeoutMs), false, 'two links of four, with its own, are no quorum');
  activity.onConnected(peer(2));
  activity.onConnected(peer(3));
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
});

test('a link that never was counts as down since the start', () => {
  const activity = create([1, 2]);
  activity.onMoment(1_000);
  assert.equal(activity.isSilent(peer(3), timeoutMs), false);
  activity.onMoment(1_001);
  assert.equal(activity.isSilent(peer(3), timeoutMs), true);
});
