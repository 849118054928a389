import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeCbor } from '@cairn-ledger/core';
import fc from 'fast-check';
import { splitSequence } from './sequence.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

test('a sequence is cut where its items end', () => {
  const items = ['d28440a0f640', '00', '1903e8', 'a2016161024102', '9a00000001f5', '5803010203'].map(hex);
  const cut = splitSequence(Buffer.concat(items), 10);
  assert.ok(cut.ok);
  assert.deepEqual(
    cut.value.map((item) => Buffer.from(item)),
    items,
  );
});

test('what is cut off, indefinite, too deep or too many is refused', () => {
  for (const text of [
    '',
    '58',
    '5803 0102',
    '5f',
    '9f00ff',
    '82 00',
    'd2',
    '1c',
    'ff',
    '5bffffffffffffffff00',
    '9bffffffffffffffff',
  ]) {
    const cut = splitSequence(hex(text.replaceAll(' ', '')), 10);
    assert.equal(cut.ok ? 'taken' : cut.error.code, 'http.bad-sequence', text);
  }
  assert.equal(splitSequence(Buffer.alloc(100_000, 0x81), 10).ok, false);
  const many = splitSequence(Buffer.alloc(11), 10);
  assert.equal(many.ok ? '' : many.error.code, 'http.too-many-transactions');
});

test('any sequence of encoded values comes apart into them; random bytes never throw', () => {
  const value = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer(), fc.string(), fc.array(fc.boolean()));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
      const items = values.map((one) => Buffer.from(encodeCbor(one)));
      const cut = splitSequence(Buffer.concat(items), 20);
      assert.ok(cut.ok);
      assert.deepEqual(
        cut.value.map((item) => Buffer.from(item)),
        items,
      );
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void splitSequence(bytes, 5)));
});
