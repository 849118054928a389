/** Nodes are killed with -9 one after the other, sometimes two at once, under load: nothing acknowledged is lost. */
import assert from 'node:assert/strict';
import { type ReadingsPage, signTransaction } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { assertAgreement, type E2eNode, networkTest, orFail, sleep, statusOf, until, untilInSync } from './network.ts';

const roundsCount = Number(process.env.CAIRN_E2E_ROUNDS ?? 5);

networkTest('kill -9 under load', { timeoutMs: 60_000 + 20_000 * roundsCount }, async (network, step) => {
  const signer = signerOf(network.keyPath('alder/desk'));
  const acknowledged: string[] = [];
  let counter = 0n;
  let isOver = false;
  /** Hands in at one node, never repeated anywhere else: only that node's acknowledgement counts. */
  const load = async (node: E2eNode): Promise<void> => {
    while (!isOver) {
      await sleep(20);
      if (!node.isRunning()) continue;
      const transactions = Array.from({ length: 5 }, () => {
        counter++;
        const readings = [{ name: 'n', time: '1700000000', value: { type: 'number' as const, text: String(counter) } }];
        return orFail(signTransaction({ ledgerHash: network.ledgerHash, counter, readings }, signer));
      });
      const outcomes = await node.client.submitMany(transactions, 0, { timeoutMs: 1_000 }).catch(() => null);
      if (outcomes?.ok !== true) continue;
      for (const { status, id } of outcomes.value)
        if (status === 'pending' || status === 'accepted') acknowledged.push(id!);
    }
  };
  const loads = Promise.all(network.nodes.map(load));

  await step('killed and started again in turn, the network goes on', async () => {
    try {
      for (let round = 0; round < roundsCount; round++) {
        const victims = round % 3 === 2 ? [round % 4, (round + 1) % 4] : [round % 4];
        const height = (await statusOf(network.nodes[(round + 2) % 4]!)).executedHeight;
        await Promise.all(victims.map((v) => network.nodes[v]!.kill()));
        await sleep(300 * (round % 4));
        const startedMs = performance.now();
        await Promise.all(victims.map((v) => network.nodes[v]!.start()));
        await untilInSync(network.nodes);
        await until('heights grow', 20_000, async () => (await statusOf(network.nodes[0]!)).executedHeight > height);
        console.log(
          `round ${round}: ${victims.length} killed, in sync ${Math.round(performance.now() - startedMs)} ms after the start, ${acknowledged.length} acknowledged`,
        );
        await sleep(300);
      }
    } finally {
      isOver = true;
      await loads;
    }
  });

  await step('everything acknowledged stands in the history of every node, once', async () => {
    await until('all is decided', 20_000, async () => {
      const last = await network.nodes[1]!.client.transaction(acknowledged.at(-1)!);
      return last.ok && last.value.certified;
    });
    await sleep(1_000);
    await assertAgreement(network.nodes);
    for (const node of network.nodes) {
      const seen = new Map<string, number>();
      let cursor: string | null = null;
      do {
        const page: ReadingsPage = orFail(
          await node.client.readings('alder/desk', { limit: 10_000, ...(cursor !== null && { cursor }) }),
        );
        for (const { transaction } of page.readings) seen.set(transaction, (seen.get(transaction) ?? 0) + 1);
        cursor = page.next;
      } while (cursor !== null);
      const lost = acknowledged.filter((id) => !seen.has(id));
      assert.deepEqual(lost, [], `${node.id} has all ${acknowledged.length}`);
      assert.ok([...seen.values()].every((count) => count === 1));
    }
  });
});
