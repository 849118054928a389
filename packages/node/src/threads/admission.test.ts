import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Ledger, nobleSigner, nobleVerifier, ok, sha256, type Transaction } from '@cairn-ledger/core';
import { signTransaction, transactionIdOf } from '@cairn-ledger/sdk';
import { createAdmission } from './admission.ts';
import type { HandedOver } from './messages.ts';

const device = nobleSigner('ed25519', new Uint8Array(32).fill(7));
let counter = 0n;

function transaction(signer = device): Uint8Array {
  counter++;
  const readings = [{ name: 't', time: '1700000000', value: { type: 'number' as const, text: '1' } }];
  const signed = signTransaction({ ledgerHash: sha256(Uint8Array.of(1)), counter, readings }, signer);
  assert.ok(signed.ok);
  return signed.value;
}

/** An admission over a ledger that knows one device; what is handed over waits for `answer`. */
function createWatched(countMax?: number) {
  const handedOver: (readonly Uint8Array[])[] = [];
  const answers: ((outcome: HandedOver) => void)[] = [];
  const executed = new Set<string>();
  let heldFrom = 0;
  let refusal: { code: string; message: string } | null = null;
  const openChecks = () => (_: Transaction) =>
    refusal === null
      ? ok({ algorithm: 'ed25519' as const, publicKey: device.publicKey })
      : { ok: false as const, error: refusal };
  const admission = createAdmission(
    {
      ledger: { openChecks } as unknown as Ledger,
      store: { get: () => null },
      verifier: nobleVerifier,
      moment: () => ({ height: 1, timeMs: 0 }),
      heldFrom: () => heldFrom,
      isExecuted: (id) => executed.has(Buffer.from(id).toString('hex')),
      handOver(transactions) {
        handedOver.push(transactions);
        return new Promise((resolve) => answers.push(resolve));
      },
    },
    countMax,
  );
  return {
    admission,
    handedOver,
    executed,
    holdFrom: (height: number) => {
      heldFrom = height;
    },
    refuse: (error: typeof refusal) => {
      refusal = error;
    },
    async answer(outcome: HandedOver): Promise<void> {
      await new Promise((resolve) => setImmediate(resolve));
      for (const resolve of answers.splice(0)) resolve(outcome);
    },
  };
}

test('what comes in one turn leaves as one group, and is accepted once it is safe', async () => {
  const { admission, handedOver, answer } = createWatched();
  const submissions = Promise.all([
    admission.submit([transaction(), transaction()]),
    admission.submit([transaction()]),
  ]);
  await answer('safe');
  const outcomes = (await submissions).flat();
  assert.deepEqual(
    outcomes.map(({ type }) => type),
    ['accepted', 'accepted', 'accepted'],
  );
  assert.deepEqual(
    handedOver.map((group) => group.length),
    [3],
  );
});

test('the same transaction again is known, waits for the same batch, and is handed over once', async () => {
  const { admission, handedOver, answer } = createWatched();
  const bytes = transaction();
  const twice = Promise.all([admission.submit([bytes, bytes]), admission.submit([bytes])]);
  await answer('safe');
  assert.deepEqual(
    (await twice).flat().map(({ type }) => type),
    ['accepted', 'known', 'known'],
  );
  assert.equal(handedOver.flat().length, 1);
});

test('a signature under another key is refused, with what to do', async () => {
  const { admission, handedOver } = createWatched();
  const [outcome] = await admission.submit([transaction(nobleSigner('ed25519', new Uint8Array(32).fill(8)))]);
  assert.ok(outcome?.type === 'rejected' && outcome.error.code === 'tx.bad-signature');
  assert.equal(handedOver.length, 0);
});

test('bytes that are no transaction are refused without an id', async () => {
  const { admission } = createWatched();
  const [outcome] = await admission.submit([Uint8Array.of(1, 2, 3)]);
  assert.ok(outcome?.type === 'rejected' && outcome.error.code === 'tx.malformed' && outcome.id === undefined);
});

test('a counter that this very transaction has used up makes it known, not refused', async () => {
  const { admission, executed, answer, refuse } = createWatched();
  const bytes = transaction();
  const submission = admission.submit([bytes]);
  await answer('safe');
  const [first] = await submission;
  assert.ok(first?.type === 'accepted');
  admission.onExecuted(first.id);
  refuse({ code: 'tx.replayed', message: 'used' });
  const [unknown] = await admission.submit([bytes]);
  assert.equal(unknown?.type, 'rejected');
  executed.add(Buffer.from(first.id).toString('hex'));
  const [again] = await admission.submit([bytes]);
  assert.equal(again?.type, 'known');
});

test('what is not sealed is forgotten, so that it may be sent again; the reason is told', async () => {
  const { admission, answer } = createWatched();
  const bytes = transaction();
  for (const [outcome, code] of [
    ['busy', 'node.busy'],
    [{ code: 'node.fenced', message: 'signs nothing' }, 'node.fenced'],
  ] as const) {
    const submission = admission.submit([bytes]);
    await answer(outcome);
    const [refused] = await submission;
    assert.ok(refused?.type === 'busy' && refused.error.code === code);
  }
  const submission = admission.submit([bytes]);
  await answer('safe');
  assert.equal((await submission)[0]?.type, 'accepted');
});

test('a transaction is pending from being let in until it is executed', async () => {
  const { admission, answer } = createWatched();
  const submission = admission.submit([transaction()]);
  await answer('safe');
  const [outcome] = await submission;
  assert.ok(outcome?.type === 'accepted');
  assert.ok(admission.isPending(outcome.id));
  admission.onExecuted(outcome.id);
  assert.ok(!admission.isPending(outcome.id));
});

test('one transaction more than may be under way is told to come again', async () => {
  const { admission, answer } = createWatched(2);
  const submission = admission.submit([transaction(), transaction(), transaction()]);
  await answer('safe');
  const outcomes = await submission;
  assert.deepEqual(
    outcomes.map(({ type }) => type),
    ['accepted', 'accepted', 'busy'],
  );
  assert.ok(outcomes[0]?.type === 'accepted');
  admission.onExecuted(outcomes[0].id);
  const later = admission.submit([transaction()]);
  await answer('safe');
  assert.equal((await later)[0]?.type, 'accepted');
});

test('a node that lacks a part of the history does not refuse what may have been accepted there', async () => {
  const { admission, executed, refuse, holdFrom } = createWatched();
  const bytes = transaction();
  const codes = ['tx.replayed', 'tx.counter-too-old', 'tx.expired', 'tx.revoked-key'];
  const codesOf = async (): Promise<string[]> => {
    const told: string[] = [];
    for (const code of [...codes, 'tx.unknown-key']) {
      refuse({ code, message: 'no' });
      const [outcome] = await admission.submit([bytes]);
      told.push(outcome!.type === 'rejected' ? outcome!.error.code : outcome!.type);
    }
    return told;
  };
  assert.deepEqual(await codesOf(), [...codes, 'tx.unknown-key']);
  holdFrom(41);
  assert.deepEqual(await codesOf(), [...codes.map(() => 'history.not-held'), 'tx.unknown-key']);
  const id = transactionIdOf(bytes);
  assert.ok(id.ok);
  executed.add(id.value);
  assert.deepEqual(await codesOf(), ['known', 'known', 'known', 'known', 'known'], 'what it has, it knows');
});
