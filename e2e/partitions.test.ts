/**
 * Links that lose everything, in both directions or in one, between nodes in network namespaces, under load. A side without
 * a quorum commits nothing and takes transactions all the same; one with a quorum goes on; and when the links are back, all
 * that was acknowledged anywhere becomes final everywhere.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { createChecks } from './kills-check.ts';
import { loadDevices, startLoad } from './kills-load.ts';
import { makeNamespaces } from './namespaces.ts';
import { type E2eNode, networkTest, orFail, sleep, statusOf, until } from './network.ts';

const made = makeNamespaces(4);
const namespaces = 'reason' in made ? null : made;
const skip = 'reason' in made ? made.reason : false;
/** Long enough for views to time out several times over, and for whoever would commit to do so. */
const watchedMs = 2_500;
/** Links that are cut are noticed, given up, and made anew after it. */
const goOnTimeoutMs = 60_000;

networkTest(
  'partitions',
  {
    skip,
    devices: loadDevices,
    timeoutMs: 400_000,
    ...(namespaces !== null && {
      linkHostOf: namespaces.hostOf,
      wrapOf: (i: number) => ({ command: namespaces.commandOf(i) }),
      onFounded: namespaces.openDoors,
      onEnd: namespaces.remove,
    }),
  },
  async (network, step) => {
    assert.ok(namespaces !== null);
    const { nodes } = network;
    const [one, , , four] = nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    const load = startLoad(network);
    const checks = createChecks(network, load, (count) => Math.floor(Math.random() * count));

    async function assertGoOn(some: readonly E2eNode[]): Promise<void> {
      const { executedHeight } = await statusOf(some[0]!);
      await until(`${some.map((node) => node.id).join(', ')} go on`, goOnTimeoutMs, async () => {
        const statuses = await Promise.all(some.map(statusOf));
        return statuses.every((status) => status.certifiedHeight > executedHeight + 5);
      });
    }

    /** What was under way when the links were cut may still become final; nothing else does. */
    async function assertHalted(some: readonly E2eNode[]): Promise<void> {
      let before: readonly number[] = [];
      await until('what was under way has ended', goOnTimeoutMs, async () => {
        before = await finalizedOf(some);
        await sleep(1_000);
        return isDeepStrictEqual(await finalizedOf(some), before);
      });
      const acknowledged = load.acknowledged.length;
      await sleep(watchedMs);
      await until('transactions are taken in', goOnTimeoutMs, async () => load.acknowledged.length > acknowledged);
      assert.deepEqual(await finalizedOf(some), before, 'nothing is final without a quorum');
    }

    try {
      await step('two and two: neither side commits anything; together again they go on', async () => {
        namespaces.divide([2, 3]);
        await assertHalted(nodes);
        namespaces.heal();
        await assertGoOn(nodes);
      });

      await step('three and one: the three go on, the one commits nothing, and catches up afterwards', async () => {
        namespaces.divide([3]);
        await Promise.all([assertGoOn(nodes.slice(0, 3)), assertHalted([four])]);
        await until('the one has noticed', goOnTimeoutMs, async () => !(await statusOf(four)).inSync);
        assert.ok((await statusOf(one)).inSync);
        namespaces.heal();
        await assertGoOn(nodes);
      });

      await step('one cannot reach another, the way back works: all four go on', async () => {
        namespaces.lose(0, 1);
        await assertGoOn(nodes);
        await sleep(watchedMs);
        await assertGoOn(nodes);
        namespaces.heal();
        await assertGoOn(nodes);
      });

      await step('one hears everybody and is heard by nobody: the three go on, and so does it afterwards', async () => {
        for (const to of [0, 1, 2]) namespaces.lose(3, to);
        await assertGoOn(nodes.slice(0, 3));
        await sleep(watchedMs);
        await assertGoOn(nodes.slice(0, 3));
        namespaces.heal();
        await assertGoOn(nodes);
      });

      await step('links that come and go, each time between others: they go on when it is over', async () => {
        for (const some of [[0, 1], [0], [0, 2], [1], [0, 3], [2]]) {
          namespaces.divide(some);
          await sleep(400);
          namespaces.heal();
          await sleep(200);
        }
        await assertGoOn(nodes);
      });
    } finally {
      await load.stop();
      namespaces.heal();
    }

    await step('nothing that was acknowledged on any side is lost, and all agree', async () => {
      const totals = await checks.all();
      assert.equal(totals.lost + totals.duplicated, 0);
      console.log(`${totals.acknowledged} acknowledged, ${totals.committed} in the history`);
    });
  },
);

async function finalizedOf(nodes: readonly E2eNode[]): Promise<number[]> {
  return Promise.all(nodes.map(async ({ client }) => orFail(await client.status()).finalizedHeight));
}
