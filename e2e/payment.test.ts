/** Readings and payments in one transaction, over the command line and HTTP, looked at on every node. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Signer } from '@cairn-ledger/core';
import { type AccountAnswer, createKey, createSigner, signTransaction, type TransactionInput } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { assertAgreement, type E2eNetwork, type E2eNode, networkTest, orFail, statusOf, until } from './network.ts';

const balances = [
  { account: 'alder', amount: '1000000' },
  { account: 'alder/desk', amount: '50000' },
  { account: 'birch', amount: '300000' },
];
const issued = balances.reduce((sum, { amount }) => sum + BigInt(amount), 0n);

const newDevice = { role: 'device' as const, ...createKey(), device: 'other' };

networkTest('payments', { devices: ['birch/meter'], balances }, async (network, step) => {
  const node = network.nodes[0]!;

  await step('a transaction with a reading and a payment applies both, on every node', async () => {
    const sent = await network.cairnJson<{ id: string }>(
      'send',
      'temperature=21.50:Cel',
      '--pay',
      'birch/meter=12.34:eur',
      '--save',
      join(network.dir, 'paid.receipt'),
    );
    await assertAgreement(network.nodes);
    for (const each of network.nodes) {
      assert.equal(await balanceOf(each, 'alder/desk'), 48_766n);
      assert.equal(await balanceOf(each, 'birch/meter'), 1_234n);
      const { readings } = orFail(await each.client.readings('alder/desk'));
      assert.deepEqual(
        readings.map(({ name, value, transaction }) => ({ name, value, transaction })),
        [{ name: 'alder/desk/temperature', value: { type: 'number', text: '21.50' }, transaction: sent.id }],
      );
    }
    const shown = await network.cairn('verify', join(network.dir, 'paid.receipt'));
    assert.match(shown.stdout, /1234 base units of eur to birch\/meter/);
  });

  await step('with a payment that cannot be made, its reading is not recorded either', async () => {
    const outcome = await network.cairn('send', 'temperature=99:Cel', '--pay', 'birch=1000.00:eur', '--wait');
    assert.equal(outcome.code, 3);
    assert.match(outcome.stderr, /\[asset\.insufficient\]/);
    await assertAgreement(network.nodes);
    for (const each of network.nodes) {
      assert.equal(await balanceOf(each, 'alder/desk'), 48_766n);
      assert.equal(orFail(await each.client.readings('alder/desk')).readings.length, 1);
    }
  });

  await step('one payment of several that cannot be made undoes the others', async () => {
    const before = await balanceOf(node, 'birch');
    const answer = await post(
      node,
      sign(network, 'alder/desk', 1_000n, {
        readings: [reading('1')],
        transfers: [
          { to: 'birch', asset: 'eur', amount: 48_000n },
          { to: 'cedar', asset: 'eur', amount: 1_000n },
        ],
      }),
    );
    assert.equal(answer.body.code, 'asset.insufficient');
    assert.equal(await balanceOf(node, 'birch'), before);
  });

  await step('two payments that together exceed the balance: exactly one is made, the same on every node', async () => {
    const ways = await Promise.all(
      [0, 1].map((i) =>
        post(
          network.nodes[i]!,
          sign(network, 'alder/desk', 2_000n + BigInt(i), {
            readings: [reading(String(i))],
            transfers: [{ to: 'elm', asset: 'eur', amount: 40_000n }],
          }),
        ),
      ),
    );
    assert.deepEqual(ways.map((way) => way.body.code ?? 'accepted').sort(), ['accepted', 'asset.insufficient']);
    await assertAgreement(network.nodes);
    for (const each of network.nodes) assert.equal(await balanceOf(each, 'elm'), 40_000n);
  });

  await step('many payments at once between all accounts conserve what was issued', async () => {
    const owners = ['alder/desk', 'birch/meter', 'alder', 'birch'];
    const accounts = [...owners, 'cedar', 'elm'];
    const transactions = owners.flatMap((owner, o) =>
      Array.from({ length: 100 }, (_, i) =>
        sign(network, owner, BigInt(10_000 + i), {
          transfers: [
            { to: accounts[(o + i + 1) % accounts.length]!, asset: 'eur', amount: BigInt(1 + ((i * 37) % 900)) },
          ],
        }),
      ),
    );
    const before = (await statusOf(node)).transactions;
    const shares = network.nodes.map((_, n) => transactions.filter((_, i) => i % network.nodes.length === n));
    const outcomes = await Promise.all(shares.map((share, n) => network.nodes[n]!.client.submitMany(share, 20_000)));
    const verdicts = outcomes.flatMap((outcome) => orFail(outcome));
    assert.ok(verdicts.every(({ status, code }) => status === 'accepted' || code === 'asset.insufficient'));
    assert.ok(verdicts.filter(({ status }) => status === 'accepted').length > 200);
    await until('all are executed', 20_000, async () => (await statusOf(node)).transactions > before);
    await assertAgreement(network.nodes);
    for (const each of network.nodes) assert.equal(await sumOf(each), issued);
  });

  await step('every refusal has its code, and says what to do', async () => {
    const refusals: [string, Uint8Array][] = [
      ['asset.insufficient', sign(network, 'birch/meter', 20_001n, pay('alder', 'eur', 10n ** 15n))],
      ['asset.unknown', sign(network, 'birch/meter', 20_002n, pay('alder', 'usd', 1n))],
      ['account.unknown', sign(network, 'birch/meter', 20_003n, pay('nobody', 'eur', 1n))],
      ['account.not-owned', sign(network, 'birch/meter', 20_004n, pay('birch/meter', 'eur', 1n, 'alder'))],
      ['tx.not-permitted', sign(network, 'birch/meter', 20_009n, { registrations: [newDevice] })],
      ['tx.unknown-key', signBy(network, createSigner(createKey()), 1n, { readings: [reading('1')] })],
      ['tx.expired', sign(network, 'birch/meter', 20_005n, { readings: [reading('1')], expiresSeconds: 1_000 })],
      ['tx.counter-too-old', sign(network, 'birch/meter', 10_000n, { readings: [reading('2')] })],
      ['tx.replayed', sign(network, 'birch/meter', 20_003n, { readings: [reading('2')] })],
      [
        'tx.wrong-ledger',
        sign(network, 'birch/meter', 20_006n, { readings: [reading('1')], ledgerHash: new Uint8Array(32) }),
      ],
      ['tx.bad-signature', tampered(sign(network, 'birch/meter', 20_007n, { readings: [reading('1')] }))],
      ['tx.malformed', sign(network, 'birch/meter', 20_008n, { readings: [reading('1')] }).slice(0, -3)],
    ];
    for (const [code, transaction] of refusals) {
      const { status, body } = await post(node, transaction);
      assert.equal(body.code, code, JSON.stringify(body));
      assert.ok(status >= 400 && status < 500, `${code} is answered with ${status}`);
      const advice = `${body.detail ?? ''} ${body.whatToDo ?? ''}`;
      assert.ok(advice.trim().length > 30, `${code} says what to do: "${advice}"`);
    }
    for (const each of network.nodes) assert.equal(await sumOf(each), issued);
  });

  await step('what the ledger refused once stays refused: its counter is used up', async () => {
    const poor = sign(network, 'birch/meter', 30_000n, pay('alder', 'eur', 9_000_000n));
    assert.equal((await post(node, poor)).body.code, 'asset.insufficient');
    const rich = await post(node, sign(network, 'birch', 30_000n, pay('birch/meter', 'eur', 1n)));
    assert.equal(rich.status, 200, JSON.stringify(rich.body));
    const again = await post(network.nodes[1]!, poor);
    assert.ok(['asset.insufficient', 'tx.replayed'].includes(again.body.code ?? ''), JSON.stringify(again.body));
  });
});

function reading(text: string) {
  return { name: 'level', time: '1700000000', value: { type: 'number' as const, text } };
}

function pay(to: string, asset: string, amount: bigint, from?: string): Partial<TransactionInput> {
  return { transfers: [{ to, asset, amount, ...(from !== undefined && { from }) }] };
}

function sign(network: E2eNetwork, owner: string, counter: bigint, input: Partial<TransactionInput>): Uint8Array {
  return signBy(network, signerOf(network.keyPath(owner)), counter, input);
}

function signBy(network: E2eNetwork, signer: Signer, counter: bigint, input: Partial<TransactionInput>): Uint8Array {
  const signed = signTransaction({ ledgerHash: network.ledgerHash, counter, ...input }, signer);
  return orFail(signed);
}

function tampered(transaction: Uint8Array): Uint8Array {
  const forged = transaction.slice();
  forged[forged.length - 1]! ^= 1;
  return forged;
}

type Answer = {
  readonly code?: string;
  readonly detail?: string;
  readonly whatToDo?: string;
  readonly status?: unknown;
};

async function post(node: E2eNode, transaction: Uint8Array): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${node.http}/v1/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/cose', accept: 'application/json', prefer: 'wait=20' },
    body: Buffer.from(transaction),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

async function balanceOf(node: E2eNode, account: string): Promise<bigint> {
  const answer = await node.client.account(account);
  if (!answer.ok) return 0n;
  return BigInt(answer.value.balances.find((balance) => balance.asset === 'eur')?.amount ?? '0');
}

async function sumOf(node: E2eNode): Promise<bigint> {
  const answer = await node.client.get<{ accounts: AccountAnswer[]; next: string | null }>('/v1/accounts?limit=1000');
  const { accounts, next } = orFail(answer);
  assert.equal(next, null);
  return accounts
    .flatMap((account) => account.balances)
    .reduce((sum, { asset, amount }) => (asset === 'eur' ? sum + BigInt(amount) : sum), 0n);
}
