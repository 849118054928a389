import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ok } from '@cairn-ledger/core';
import { type Delivery, type DeliveryEvent, startDelivery, type Verdict } from './delivery.ts';
import type { LedgerPort, SubmitOutcome, TransactionVerdict } from './ledger-port.ts';
import { type Outbox, type OutboxTransaction, openOutbox } from './outbox.ts';

const UNDECIDED: TransactionVerdict = {
  status: 'pending',
  certified: false,
  code: null,
  message: null,
  height: null,
  position: null,
  leafIndex: null,
  provenance: null,
};
const ACCEPTED: TransactionVerdict = { ...UNDECIDED, status: 'accepted', certified: true, height: 7, leafIndex: 9 };

type Cleanup = { after(cleanup: () => unknown): void };
type Published = { number: number; verdict: Verdict };

async function outboxOf(t: Cleanup, count: number): Promise<Outbox> {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-delivery-'));
  const opened = await openOutbox({ directory, ledger: 'AAAAAAAAAAA', transactionsMax: 1e6, bytesMax: 1e9 });
  assert(opened.ok);
  t.after(async () => {
    await opened.value.close();
    rmSync(directory, { recursive: true, force: true });
  });
  for (let number = 0; number < count; number += 1) void opened.value.add([numbered(number)], []);
  await opened.value.add([], []);
  return opened.value;
}

function numbered(number: number) {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, number);
  return { id: bytes, bytes, source: null };
}

const numberOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** A ledger that accepts everything, unless told otherwise. */
function ledgerOf(more: Partial<LedgerPort>): LedgerPort {
  return {
    submit: async (transactions) => transactions.map((bytes) => ({ type: 'accepted', id: bytes.slice(0, 32) })),
    waitFor: async () => ACCEPTED,
    receipt: async (id) => ok(id.slice(0, 4)),
    ...more,
  };
}

function deliver(t: Cleanup, outbox: Outbox, ledger: LedgerPort, publishes: () => boolean = () => true) {
  const published: Published[] = [];
  const events: DeliveryEvent[] = [];
  const delivery = startDelivery({
    outbox,
    ledger,
    wantsReceipts: true,
    publishVerdict: async (transaction: OutboxTransaction, verdict) => {
      if (!publishes()) return false;
      published.push({ number: numberOf(transaction.bytes), verdict });
      return true;
    },
    onEvent: (event) => events.push(event),
    random: () => 0,
  });
  t.after(() => delivery.stop());
  return { delivery, published, events };
}

async function until(claim: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!claim()) {
    assert(Date.now() < end, `never true: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('every transaction gets its verdict with a receipt, in order, and leaves the outbox', async (t) => {
  const outbox = await outboxOf(t, 1200);
  const { published } = deliver(t, outbox, ledgerOf({}));
  await until(() => outbox.count === 0);
  assert.deepEqual(
    published.map(({ number }) => number),
    Array.from({ length: 1200 }, (_, number) => number),
  );
  const first = published[0]?.verdict;
  assert(first?.type === 'accepted' && first.receipt?.length === 4);
});

test('an unreachable or busy node is tried again until it takes everything, with growing pauses', async (t) => {
  const outbox = await outboxOf(t, 3);
  let calls = 0;
  const { published, events } = deliver(
    t,
    outbox,
    ledgerOf({
      submit: async (transactions): Promise<SubmitOutcome[]> => {
        calls += 1;
        if (calls <= 2) throw new Error('connection refused');
        const busy = { type: 'busy', error: { code: 'node.busy', message: 'full' }, retryAfterMs: 150 } as const;
        return transactions.map((id, index) => (calls === 3 && index > 0 ? busy : { type: 'accepted', id }));
      },
    }),
  );
  await until(() => published.length === 3);
  const waits = events.filter((event) => event.type === 'waiting').map((event) => event.waitMs);
  assert.deepEqual(waits, [50, 100, 200]);
  assert.equal(outbox.count, 0);
});

for (const passing of ['quota.exceeded', 'history.not-held']) {
  test(`a rejection is a verdict; ${passing} is waited for first`, async (t) => {
    const outbox = await outboxOf(t, 2);
    let tries = 0;
    const { published } = deliver(
      t,
      outbox,
      ledgerOf({
        submit: async (transactions) =>
          transactions.map((id): SubmitOutcome => {
            if (numberOf(id) === 0) return { type: 'rejected', error: { code: 'tx.bad-signature', message: 'no' } };
            tries += 1;
            if (tries > 2) return { type: 'accepted', id };
            return { type: 'rejected', error: { code: passing, message: 'later' } };
          }),
      }),
    );
    await until(() => published.length === 2);
    const [first, second] = published;
    assert(first?.verdict.type === 'rejected' && first.verdict.error.code === 'tx.bad-signature');
    assert(second?.verdict.type === 'accepted');
    assert.equal(tries, 3);
  });
}

test('an undecided transaction is handed in again, and so is one whose verdict could not be published', async (t) => {
  const outbox = await outboxOf(t, 1);
  const handedIn: number[] = [];
  let publishes = 0;
  const { published } = deliver(
    t,
    outbox,
    ledgerOf({
      submit: async (transactions) => {
        handedIn.push(transactions.length);
        return transactions.map((id) => ({ type: handedIn.length > 1 ? 'known' : 'accepted', id }));
      },
      waitFor: async () => (handedIn.length < 2 ? UNDECIDED : ACCEPTED),
    }),
    () => {
      publishes += 1;
      return publishes > 1;
    },
  );
  await until(() => outbox.count === 0);
  assert.equal(published.length, 1);
  assert.deepEqual(handedIn, [1, 1, 1]);
});

test('only so much is under way at once, however full the outbox is', async (t) => {
  const outbox = await outboxOf(t, 5000);
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { delivery, published } = deliver(t, outbox, ledgerOf({ waitFor: () => held.then(() => ACCEPTED) }));
  await until(() => delivery.underWayCount === 2000);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(delivery.underWayCount, 2000);
  release();
  await until(() => published.length === 5000);
});

test('stopping does not wait for a ledger that is silent, and loses nothing', async (t) => {
  const outbox = await outboxOf(t, 3);
  let calls = 0;
  const silent: LedgerPort = ledgerOf({
    submit: () => {
      calls += 1;
      return new Promise(() => {});
    },
  });
  const { delivery, published }: { delivery: Delivery; published: Published[] } = deliver(t, outbox, silent);
  await until(() => calls === 1);
  await delivery.stop();
  assert.equal(published.length, 0);
  assert.equal(outbox.count, 3);
});
