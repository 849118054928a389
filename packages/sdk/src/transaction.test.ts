import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attest, decodeTransaction, type EncodedOperation, propose, sha256, vote } from '@cairn-ledger/core';
import { createKey, createSigner } from './key.ts';
import type { Reading } from './reading.ts';
import { describeTransaction, signTransaction, transactionIdOf } from './transaction.ts';
import { isSignedBy } from './verify.ts';

const key = createKey();
const signer = createSigner(key);
const ledgerHash = sha256(new Uint8Array([1]));
const readings: Reading[] = [
  { name: 'temperature', unit: 'Cel', time: '1386019200', value: { type: 'number', text: '74.93588199999998' } },
  { name: 'temperature', unit: 'Cel', time: '1386019500.25', value: { type: 'number', text: '76.50' } },
  { name: 'door', time: '1386019500', value: { type: 'boolean', value: true } },
];

function sign(input: Partial<Parameters<typeof signTransaction>[0]>): Uint8Array {
  const signed = signTransaction({ ledgerHash, counter: 7n, ...input }, signer);
  assert.ok(signed.ok, signed.ok ? '' : signed.error.message);
  return signed.value;
}

test('readings come out of a signed transaction exactly as they went in', () => {
  const content = describeTransaction(sign({ readings }));
  assert.ok(content.ok);
  assert.deepEqual(content.value.readings, readings);
  assert.equal(content.value.counter, '7');
});

test('readings and a payment stand in one transaction', () => {
  const bytes = sign({ readings, transfers: [{ to: 'birch', asset: 'eur', amount: 250n }] });
  const decoded = decodeTransaction(bytes);
  assert.ok(decoded.ok);
  assert.equal(decoded.value.summary?.readingsCount, 3);
  assert.equal(decoded.value.body.operations.length, 1);
  const content = describeTransaction(bytes);
  assert.match(content.ok ? content.value.lines.join('\n') : '', /250 base units of eur to birch/);
});

test('the id does not depend on the signature, and every content has its own', () => {
  const p256 = createSigner(createKey('p256'));
  const content = { ledgerHash, counter: 1n, readings };
  const [a, b] = [signTransaction(content, p256), signTransaction({ ...content, counter: 2n }, p256)];
  assert.ok(a.ok && b.ok);
  const resigned = a.value.slice();
  resigned[resigned.length - 1]! ^= 1;
  assert.deepEqual(transactionIdOf(resigned), transactionIdOf(a.value));
  assert.notDeepEqual(transactionIdOf(a.value), transactionIdOf(b.value));
});

test('a transaction is signed by its key and by no other; one changed bit shows', () => {
  const bytes = sign({ readings });
  assert.ok(isSignedBy(bytes, key));
  assert.equal(isSignedBy(bytes, createKey()), false);
  const forged = bytes.slice();
  forged[forged.indexOf(0x74)] = 0x54;
  assert.equal(isSignedBy(forged, key), false);
});

test('what cannot be signed says why', () => {
  const failures: [Partial<Parameters<typeof signTransaction>[0]>, string][] = [
    [{}, 'tx.malformed'],
    [{ readings: [{ name: 'a', time: 'yesterday', value: { type: 'number', text: '1' } }] }, 'senml.malformed'],
    [{ readings: [{ name: 'a', time: '1386019200', value: { type: 'number', text: 'warm' } }] }, 'senml.malformed'],
    [{ readings: [{ name: 'a b', time: '1386019200', value: { type: 'number', text: '1' } }] }, 'senml.malformed'],
    [
      { readings: [{ name: 'a', time: '1386019200', value: { type: 'string', text: 'x'.repeat(70_000) } }] },
      'tx.too-large',
    ],
  ];
  for (const [input, code] of failures) {
    const signed = signTransaction({ ledgerHash, counter: 1n, ...input }, signer);
    assert.equal(!signed.ok && signed.error.code, code, JSON.stringify(input).slice(0, 100));
  }
});

test('what members and validators say is told in words, whatever stands in it', () => {
  const proposal = new Uint8Array(32).fill(0xab);
  const validator = {
    ...{ id: 'yew-1', member: 'yew', linkKey: key.publicKey, votingKey: key.publicKey, checkpointKey: key.publicKey },
    ...{ addresses: [], life: null },
  };
  const operations: [EncodedOperation, RegExp][] = [
    [propose.toCbor({ change: { type: 'admit-validator', validator } }), /propose +validator yew-1 of yew/],
    [propose.toCbor({ change: { type: 'remove-validator', validator: 'yew-1' } }), /to remove validator yew-1/],
    [vote.toCbor({ proposal, isYes: false }), /vote +no on proposal abab/],
    [attest.toCbor({ validator: 'yew-1', verdict: 'fenced', reason: 'disk' }), /of yew-1: fenced \(disk\)/],
    [[7, 'x'], /not known here/],
    [[8], /vote +no on proposal \?/],
    [[9, 1, 99, null], /attest/],
  ];
  for (const [operation, line] of operations) {
    const content = describeTransaction(sign({ operations: [operation] }));
    assert.match(content.ok ? content.value.lines.join('\n') : '', line);
  }
});

test('operations that do not fit into a transaction are refused', () => {
  const signed = signTransaction({ ledgerHash, counter: 1n, operations: [[7, new Uint8Array(65_000)]] }, signer);
  assert.equal(!signed.ok && signed.error.code, 'tx.too-large');
});
