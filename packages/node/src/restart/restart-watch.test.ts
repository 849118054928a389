/** What a running node does about an epoch that the members have ended: it signs nothing in it, and goes no further than they said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRestart, sha256, toEpoch, toHeight, type Validator } from '@cairn-ledger/core';
import { createRestartWatch } from './restart-watch.ts';

const digest = sha256(Uint8Array.of(1));
const validator: Validator = {
  ...{ id: 'v0', member: 'm0', addresses: [], life: null },
  ...{ linkKey: digest, votingKey: digest, checkpointKey: digest },
};

/** Epoch 3 ends above block 20. */
function createScene() {
  const point = { epoch: toEpoch(3), height: toHeight(20), rules: 1, timeMs: 1_000 };
  const digests = { ledgerHash: digest, parent: digest, result: digest, checkpoint: digest };
  const said: string[] = [];
  const log = (event: string) => void said.push(event);
  const watch = createRestartWatch({
    restarts: new Map([[3, createRestart({ ...point, ...digests }, [validator])]]),
    log: { fatal: log, error: log, warn: log, info: log, debug: log, flush: () => undefined } as never,
    fence: () => said.push('fenced'),
    end: ({ code }) => said.push(code),
  });
  return { watch, said };
}

test('in the epochs before nothing is held back', () => {
  const { watch, said } = createScene();
  watch.onEpoch(2);
  assert.ok(watch.admits(21));
  watch.onExecuted(20, 30);
  assert.deepEqual(said, []);
});

test('in the epoch that ends nothing is signed, and at the height that was named the next life begins', () => {
  const { watch, said } = createScene();
  watch.onEpoch(3);
  assert.deepEqual(said, ['restart.waiting', 'fenced']);
  assert.ok(watch.admits(20));
  watch.onExecuted(19, 20);
  assert.equal(said.length, 2);
  watch.onExecuted(20, 20);
  assert.deepEqual(said.slice(2), ['restart.due']);
});

test('a finalized block above the height that was named stops the node: nothing final is taken back', () => {
  const first = createScene();
  first.watch.onEpoch(3);
  first.watch.onExecuted(20, 21);
  assert.deepEqual(first.said.slice(2), ['restart.finalized-above']);
  const second = createScene();
  second.watch.onEpoch(3);
  assert.equal(second.watch.admits(21), false);
  assert.deepEqual(second.said.slice(2), ['restart.finalized-above']);
});

test('a node whose peers stay in a later epoch says so, every half minute', () => {
  const { watch, said } = createScene();
  watch.onEpoch(1);
  for (let atMs = 0; atMs < 65_000; atMs += 1_000) watch.onLaterEpoch('v1', 2, atMs);
  assert.deepEqual(said, ['epoch.later', 'epoch.later']);
  watch.onEpoch(2);
  watch.onLaterEpoch('v1', 3, 70_000);
  assert.equal(said.length, 2, 'a new epoch begins a new wait');
});
