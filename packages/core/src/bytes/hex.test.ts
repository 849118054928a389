import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes, equalBytes, fromHex, toHex } from './hex.ts';

test('every byte has two digits, and comes back', () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const text = toHex(all);
  assert.equal(text.length, 512);
  assert.ok(text.startsWith('000102') && text.endsWith('fdfeff'));
  assert.deepEqual(fromHex(text), all);
  assert.deepEqual(fromHex('aBCd'), Uint8Array.of(0xab, 0xcd), 'either case');
  assert.deepEqual(fromHex(''), new Uint8Array(0));
});

test('what is no hexadecimal text gives no bytes', () => {
  for (const text of ['a', 'abc', 'zz', '0x12', ' 12 ', '12\n0', '-1', 'a.']) assert.equal(fromHex(text), null, text);
});

test('byte strings are equal when all of their bytes are', () => {
  const abc = Uint8Array.of(1, 2, 3);
  assert.ok(equalBytes(abc, abc.slice()));
  assert.ok(equalBytes(new Uint8Array(0), new Uint8Array(0)));
  for (const other of [[1, 2], [1, 2, 3, 4], [0, 2, 3], [1, 2, 4], []])
    assert.ok(!equalBytes(abc, Uint8Array.from(other)), other.join());
});

test('byte strings are ordered bytewise, a beginning before the whole', () => {
  const ordered = [[], [0], [0, 9], [1], [1, 2], [1, 2, 3], [1, 3], [255]].map((each) => Uint8Array.from(each));
  for (const [i, a] of ordered.entries())
    for (const [j, b] of ordered.entries())
      assert.equal(Math.sign(compareBytes(a, b)), Math.sign(i - j), `${toHex(a)} and ${toHex(b)}`);
});
