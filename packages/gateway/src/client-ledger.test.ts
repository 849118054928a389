import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, ok, toHex } from '@cairn-ledger/core';
import type { Client, OutcomeAnswer } from '@cairn-ledger/sdk';
import { createClientLedger } from './client-ledger.ts';

const never = new AbortController().signal;
const idOf = (byte: number) => new Uint8Array(32).fill(byte);
const transactionOf = (byte: number) => Uint8Array.from([byte]);

/** A client whose nodes answer as `answer` says; the id of a transaction is its only byte, 32 times. */
function clientOf(answer: (byte: number, waitMs: number) => Partial<OutcomeAnswer>) {
  const requests: number[][] = [];
  const client = {
    submitMany: async (transactions: readonly Uint8Array[], waitMs = 0) => {
      requests.push(transactions.map((transaction) => transaction[0]!));
      return ok(
        transactions.map((transaction): OutcomeAnswer => {
          const byte = transaction[0]!;
          return { id: toHex(idOf(byte)), status: 'pending', ...answer(byte, waitMs) };
        }),
      );
    },
    receipt: async () => fail({ code: 'client.no-anchor', message: 'no anchor' }),
  } as unknown as Client;
  return { client, requests };
}

test('outcomes keep their order and say what to do', async () => {
  const { client } = clientOf((byte) => {
    if (byte === 2) return { status: 'rejected', code: 'tx.replayed', message: 'used before' };
    if (byte === 3) return { status: 'busy', code: 'node.busy', message: 'full' };
    return {};
  });
  const outcomes = await createClientLedger(client).submit([1, 2, 3].map(transactionOf));
  assert.deepEqual(
    outcomes.map((outcome) => [outcome.type, 'error' in outcome ? outcome.error.code : 'none']),
    [
      ['accepted', 'none'],
      ['rejected', 'tx.replayed'],
      ['busy', 'node.busy'],
    ],
  );
});

test('verdicts that are awaited together are asked for together, and come as they are decided', async () => {
  let decided = 1;
  const { client, requests } = clientOf((byte, waitMs) => {
    if (waitMs === 0 || byte > decided) return {};
    return byte === 2
      ? { status: 'rejected', code: 'asset.insufficient' }
      : { status: 'accepted', certified: true, height: 4 };
  });
  const ledger = createClientLedger(client);
  await ledger.submit([1, 2].map(transactionOf));
  const both = [1, 2].map((byte) => ledger.waitFor(idOf(byte), 5000, never));
  const first = await both[0];
  assert(first?.status === 'accepted' && first.height === 4);
  decided = 2;
  const second = await both[1];
  assert(second?.status === 'rejected' && second.code === 'asset.insufficient');
  assert.deepEqual(requests.slice(0, 3), [[1, 2], [1, 2], [2]]);
});

test('accepted is not enough: the verdict waits for the certificate, and the time-out ends it', async () => {
  const { client } = clientOf(() => ({ status: 'accepted', certified: false }));
  const ledger = createClientLedger(client);
  await ledger.submit([transactionOf(1)]);
  assert.equal(await ledger.waitFor(idOf(1), 120, never), null);
});

test('unreachable nodes make handing in fail, with their reason', async () => {
  const client = {
    submitMany: async () => fail({ code: 'client.unreachable', message: 'no node can be reached' }),
  } as unknown as Client;
  await assert.rejects(createClientLedger(client).submit([transactionOf(1)]), /no node can be reached/);
});
