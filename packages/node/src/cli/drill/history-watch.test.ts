import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import type { Client, StatusAnswer } from '@cairn-ledger/sdk';
import { untilHistoryWhole } from './history-check.ts';
import { watchHistory } from './history-watch.ts';

/** A node that says these heights one after the other, and the last one for ever; null: it cannot be reached. */
function nodeOf(...heights: (number | null)[]) {
  const told: (number | null)[] = [];
  const status = async (): Promise<Result<StatusAnswer, CairnError>> => {
    const heldFrom = heights[Math.min(told.length, heights.length - 1)]!;
    told.push(heldFrom);
    if (heldFrom === null) return fail({ code: 'client.unreachable', message: 'away' });
    return ok({ heldFrom } as StatusAnswer);
  };
  return { id: `from-${heights[0]}`, client: { status } as unknown as Client, told };
}

test('histories are compared once all nodes hold them whole, or the time is over', async () => {
  const late = nodeOf(41, null, 0);
  assert.deepEqual(await untilHistoryWhole([nodeOf(0), late], 10_000), []);
  assert.deepEqual(late.told, [41, null, 0]);
  assert.deepEqual(await untilHistoryWhole([nodeOf(0), nodeOf(7), nodeOf(null)], 1), ['from-7', 'from-null']);
});

test('the time until the history is complete again is that of a node that lacked some', async () => {
  const times: number[] = [];
  for (const [heights, isWholeAgain, heldFrom] of [
    [[0], false, 0],
    [[0, null, 41, null, 0], true, 0],
    [[0, 41], false, 41],
    [[41, 0, 41], false, 41],
  ] as const) {
    const node = nodeOf(...heights);
    const watch = watchHistory(node, (atMs) => times.push(atMs));
    while (node.told.length < heights.length + 1) await sleep(20);
    await watch.stop();
    assert.equal(watch.wholeAtMs !== null, isWholeAgain, `after ${heights}`);
    assert.equal(watch.heldFrom, heldFrom, `after ${heights}`);
  }
  assert.equal(times.length, 2);
});

test('what the last look finds counts, too', async () => {
  const node = nodeOf(41, 0);
  const watch = watchHistory(node, () => undefined);
  while (node.told.length < 1) await sleep(5);
  await watch.stop();
  assert.notEqual(watch.wholeAtMs, null);
});
