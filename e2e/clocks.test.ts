/**
 * Clocks that are wrong by an hour, under load (protocol.md, "Block time"): the others go on, ledger time grows with every
 * block and stays beside the clocks of the honest majority, and nobody is worse off when the clocks are right again.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeClock, findFakeTime } from './fake-clock.ts';
import { createChecks } from './kills-check.ts';
import { loadDevices, startLoad } from './kills-load.ts';
import { type E2eNode, networkTest, orFail, statusOf, until } from './network.ts';

const found = findFakeTime();
const dir = 'library' in found ? mkdtempSync(join(tmpdir(), 'cairn-clock-')) : null;
const clocks =
  'library' in found ? [1, 2, 3, 4].map((node) => createFakeClock(found.library, dir!, String(node))) : null;
const hourMs = 3_600_000;
/** A block may be ahead of the clocks of its voters by 5 s. */
const driftMs = 5_000;
/** Far from any effect of a slow machine, far below an hour. */
const toleranceMs = 15 * 60_000;
const goOnTimeoutMs = 60_000;
const blocksWatched = 20;

networkTest(
  'clocks that are wrong by an hour',
  {
    skip: 'reason' in found ? found.reason : false,
    devices: loadDevices,
    timeoutMs: 300_000,
    wrapOf: (i) => ({ env: clocks![i]!.env }),
    onEnd: async () => rmSync(dir!, { recursive: true, force: true }),
  },
  async (network, step) => {
    assert.ok(clocks !== null);
    const { nodes } = network;
    const [one, , , four] = nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    const load = startLoad(network);
    const checks = createChecks(network, load, (count) => Math.floor(Math.random() * count));
    let last = { height: 0, timeMs: 0 };

    async function move(at: readonly number[], hours: number): Promise<void> {
      for (const i of at) clocks![i]!.move(hours);
      await until('the nodes tell another time', 20_000, async () => {
        const ahead = await Promise.all(at.map((i) => aheadMs(nodes[i]!)));
        return ahead.every((ms) => Math.abs(ms - hours * hourMs) < toleranceMs);
      });
    }

    /** Every node executes more blocks and has what it is handed ordered; the time of each block is above that of its parent. */
    async function assertGoOn(limitMs: () => number): Promise<void> {
      const { executedHeight } = await statusOf(one);
      const to = executedHeight + blocksWatched;
      await until('all nodes go on', goOnTimeoutMs, async () => {
        const statuses = await Promise.all(nodes.map(statusOf));
        return statuses.every((status) => status.certifiedHeight >= to);
      });
      for (let height = last.height + 1; height <= to; height++) {
        const { time } = orFail(await four.client.get<{ time: string }>(`/v1/blocks/${height}`));
        const timeMs = Date.parse(time);
        assert.ok(timeMs > last.timeMs, `block ${height} is later than its parent`);
        assert.ok(timeMs <= limitMs(), `block ${height} is not ahead of honest clocks: ${time}`);
        last = { height, timeMs };
      }
    }
    const honestLimitMs = (): number => Date.now() + driftMs;

    try {
      await step('one clock an hour fast: its blocks wait in vain, those of others are made', async () => {
        await move([3], 1);
        await assertGoOn(honestLimitMs);
      });

      await step('and another one an hour slow: it follows', async () => {
        await move([2], -1);
        await assertGoOn(honestLimitMs);
      });

      await step('all right again: all go on', async () => {
        await move([2, 3], 0);
        await assertGoOn(honestLimitMs);
        assert.ok(honestLimitMs() - last.timeMs < toleranceMs, 'ledger time is the time of day');
      });

      await step('all an hour slow, so that ledger time is ahead of everybody: they go on', async () => {
        await move([0, 1, 2, 3], -1);
        await assertGoOn(honestLimitMs);
        await move([0, 1, 2, 3], 0);
        await assertGoOn(honestLimitMs);
      });
    } finally {
      await load.stop();
    }

    await step('nothing that was acknowledged is lost, and all agree', async () => {
      const totals = await checks.all();
      assert.equal(totals.lost + totals.duplicated, 0);
      console.log(`${totals.acknowledged} acknowledged, ${totals.committed} in the history`);
    });
  },
);

/** How far the clock of a node is ahead of ours, as its HTTP tells it. */
async function aheadMs(node: E2eNode): Promise<number> {
  const answer = await fetch(`${node.http}/healthz`);
  await answer.arrayBuffer();
  return Date.parse(answer.headers.get('date') ?? '') - Date.now();
}
