/** Twenty validators on one machine: slow, and in agreement. */
import assert from 'node:assert/strict';
import { signTransaction } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { assertAgreement, networkTest, orFail, statusOf, until } from './network.ts';

networkTest('twenty validators', { nodes: 20, deltaMs: 500, timeoutMs: 150_000 }, async (network, step) => {
  const signer = signerOf(network.keyPath('alder/desk'));
  let counter = 0n;
  const transaction = (): Uint8Array => {
    counter++;
    const transaction = orFail(
      signTransaction(
        {
          ledgerHash: network.ledgerHash,
          counter,
          readings: [{ name: 'count', time: '1700000000', value: { type: 'number', text: String(counter) } }],
        },
        signer,
      ),
    );
    return transaction;
  };

  await step('a receipt carries the signatures of fourteen of them, and verifies', async () => {
    const delivered = orFail(await network.client.deliver(transaction()));
    assert.ok(delivered.verified.signers.length >= 14);
  });

  await step('transactions handed in at each of them stand on all of them, under equal roots', async () => {
    const outcomes = await Promise.all(
      network.nodes.map((node) => node.client.submitMany([transaction(), transaction(), transaction()], 30_000)),
    );
    for (const outcome of outcomes) assert.ok(orFail(outcome).every(({ status }) => status === 'accepted'));
    await until('all nodes have all of them', 30_000, async () => {
      const statuses = await Promise.all(network.nodes.map(statusOf));
      return statuses.every(({ transactions }) => transactions === 61);
    });
    await assertAgreement(network.nodes);
  });

  await step('six of them may stop, and the others go on', async () => {
    await Promise.all(network.nodes.slice(14).map((node) => node.kill()));
    const outcomes = orFail(await network.nodes[0]!.client.submitMany([transaction()], 30_000));
    assert.equal(outcomes[0]!.status, 'accepted');
    await assertAgreement(network.nodes.slice(0, 14));
  });
});
