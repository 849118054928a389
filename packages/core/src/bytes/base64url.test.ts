import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64urlToBytes, bytesToBase64url } from './base64url.ts';
import { fuzzSettings } from './testing/fuzz.ts';

test('bytes become the text that everybody else makes of them, and come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const text = bytesToBase64url(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64url'));
      assert.deepEqual(base64urlToBytes(text), bytes);
    }),
    fuzzSettings(300),
  );
});

test('one byte string has one text: padding, other alphabets and loose bits are refused', () => {
  assert.deepEqual(base64urlToBytes('AQ'), Uint8Array.of(1));
  for (const text of ['A', 'AQ==', 'AR', 'AQB', '+/8', 'AQ ', 'AQI\n', 'ÀQ'])
    assert.equal(base64urlToBytes(text), null, text);
});
