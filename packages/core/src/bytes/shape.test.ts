import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../result.ts';
import { type Cbor, encodeCbor } from './cbor.ts';
import { bytesOf, decodeShape, listOf, readShape, requireShape, textOf, tupleOf, uintOf } from './shape.ts';

const refusal = (result: Result<unknown, { code: string; message: string }>): string =>
  result.ok ? 'read' : `${result.error.code}: ${result.error.message}`;
const read = (value: Cbor, reader: (value: Cbor) => unknown): string => refusal(readShape('x.bad', value, reader));

test('bytes are decoded and read; whatever is wrong with them has the code of the caller', () => {
  const pair = (value: Cbor): number => uintOf(tupleOf(value, 2, 'a pair')[1]!, 'its second');
  assert.deepEqual(decodeShape('x.bad', encodeCbor([1, 7]), pair), { ok: true, value: 7 });
  assert.equal(refusal(decodeShape('x.bad', encodeCbor([1]), pair)), 'x.bad: a pair must be an array of 2 items');
  assert.match(refusal(decodeShape('x.bad', Uint8Array.of(0x82, 1), pair)), /^x\.bad: .*\(at byte 0\)$/);
});

test('a bug in a reader is not taken for a malformed value', () => {
  const buggy = (): never => {
    throw new RangeError('a bug');
  };
  assert.throws(() => readShape('x.bad', 1, buggy), RangeError);
});

test('a tuple has exactly its items', () => {
  assert.deepEqual(tupleOf([1, 2], 2, 'it'), [1, 2]);
  for (const value of [[1], [1, 2, 3], 'ab', null, new Map(), new Uint8Array(2)] as Cbor[])
    assert.equal(
      read(value, (each) => tupleOf(each, 2, 'it')),
      'x.bad: it must be an array of 2 items',
    );
});

test('a list has at most its items, each of them read', () => {
  const list = (value: Cbor): number[] => listOf(value, 2, 'it', (item) => uintOf(item, 'an item'));
  assert.deepEqual(list([]), []);
  assert.deepEqual(list([1, 2]), [1, 2]);
  assert.equal(read([1, 2, 3], list), 'x.bad: it has 3 items, at most 2 are allowed');
  assert.equal(read('a', list), 'x.bad: it must be an array');
  assert.match(read([1, 'a'], list), /an item must be an integer/);
});

test('an integer lies from 0 to its maximum, or to 2^53 - 1', () => {
  const uint = (value: Cbor): number => uintOf(value, 'it', 5);
  for (const value of [0, 5]) assert.equal(uint(value), value);
  for (const value of [-1, 6, 0n, 2n ** 64n, '1', null] as Cbor[])
    assert.equal(read(value, uint), 'x.bad: it must be an integer from 0 to 5');
  assert.equal(uintOf(Number.MAX_SAFE_INTEGER, 'it'), Number.MAX_SAFE_INTEGER);
  assert.equal(
    read(2n ** 53n, (value) => uintOf(value, 'it')),
    `x.bad: it must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`,
  );
});

test('bytes have their size, where it is given', () => {
  const two = Uint8Array.of(1, 2);
  assert.equal(bytesOf(two, 'it'), two);
  assert.equal(bytesOf(two, 'it', 2), two);
  for (const size of [0, 1, 3])
    assert.equal(
      read(two, (value) => bytesOf(value, 'it', size)),
      `x.bad: it must have ${size} bytes`,
    );
  for (const value of ['ab', [1, 2], null] as Cbor[])
    assert.equal(
      read(value, (each) => bytesOf(each, 'it')),
      'x.bad: it must be a byte string',
    );
});

test('a text has at most its characters', () => {
  assert.equal(textOf('abc', 'it', 3), 'abc');
  for (const value of ['abcd', Uint8Array.of(1), ['a'], 1] as Cbor[])
    assert.equal(
      read(value, (each) => textOf(each, 'it', 3)),
      'x.bad: it must be a text of at most 3 characters',
    );
});

test('a rule of the caller refuses in the words of the caller', () => {
  assert.equal(
    read(1, (value) => requireShape(value === 1, 'it must be 1')),
    'read',
  );
  assert.equal(
    read(2, (value) => requireShape(value === 1, 'it must be 1')),
    'x.bad: it must be 1',
  );
});
