import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decimalToText, encodeCbor, jsonToPack } from '@cairn-ledger/core';
import fc from 'fast-check';
import { type DeviceReadings, decodeReadings } from './readings.ts';

const DEVICE = 'maker/pump-7';
const NOW_MS = 1_700_000_000_123;

function decoded(payload: string | Uint8Array, contentType: string | null = null): DeviceReadings {
  const result = decodeReadings(Buffer.from(payload), contentType, DEVICE, NOW_MS);
  assert(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function only(payload: string | Uint8Array) {
  const content = decoded(payload);
  assert(content.type === 'plain');
  return content.readings[0]!;
}

test('JSON and CBOR are told apart by their first byte', () => {
  const json = '[{"n":"temp","u":"Cel","v":21.50}]';
  const cbor = jsonToPack(json);
  assert(cbor.ok);
  for (const payload of [json, ` \n${json}`, cbor.value]) {
    const { name, unit, value } = only(payload);
    assert(value.type === 'number');
    assert.deepEqual([name, unit, decimalToText(value.decimal)], ['temp', 'Cel', '21.50']);
  }
});

test('the content type decides where there is one', () => {
  const json = '[{"n":"temp","v":1}]';
  assert.equal(decoded(json, 'application/senml+json; charset=utf-8').type, 'plain');
  assert(!decodeReadings(Buffer.from(json), 'application/senml+cbor', DEVICE, NOW_MS).ok);
  assert.equal(decoded(json, 'text/plain').type, 'plain');
});

test('a reading without a time gets the time of its arrival, a relative one counts back from it', () => {
  assert.equal(decimalToText(only('[{"n":"t","v":1}]').time!), '1700000000.123');
  assert.equal(decimalToText(only('[{"n":"t","t":-5,"v":1}]').time!), '1699999995.123');
  assert.equal(decimalToText(only('[{"n":"t","t":1385395200.5,"v":1}]').time!), '1385395200.5');
});

test('a pack that names things outside its device, or has extensions, goes on as it was sent', () => {
  assert.equal(decoded('[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","v":1}]').type, 'as-sent');
  assert.equal(decoded('[{"n":"temp","v":1,"lat":2}]').type, 'as-sent');
  assert.equal(decoded('[{"bn":"maker/pump-7/","n":"temp","v":1}]').type, 'plain');
  assert.equal(decoded('[{"bn":"maker/pump-70/","n":"temp","v":1}]').type, 'as-sent');
});

test('what is no pack is refused with an example of one', () => {
  const wrong: (string | Uint8Array)[] = [
    '',
    'hello',
    '{"v":1}',
    '[]',
    '[{"n":"t","v":NaN}]',
    '['.repeat(50_000),
    `[{"n":"t","v":${'1'.repeat(60_000)}}]`,
    `[{"n":"t","v":1e999999999}]`,
    encodeCbor(new Map()),
    Buffer.alloc(50_000, 0x81),
    Buffer.from([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  ];
  for (const payload of wrong) {
    const result = decodeReadings(Buffer.from(payload), null, DEVICE, NOW_MS);
    assert(!result.ok, String(payload).slice(0, 40));
    assert.equal(result.error.code, 'senml.malformed');
    assert.match(result.error.message, /for example \[/);
  }
});

test('no bytes whatever make it throw', () => {
  const valid = jsonToPack('[{"bn":"a:","bt":1700000000,"n":"t","v":1.5},{"n":"x","vs":"text"},{"n":"y","vd":"AQID"}]');
  assert(valid.ok);
  const mutated = fc
    .tuple(fc.nat(valid.value.length - 1), fc.nat(255), fc.nat(valid.value.length))
    .map(([at, byte, length]) => {
      const bytes = valid.value.slice(0, Math.max(1, length));
      bytes[at % bytes.length] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        mutated,
        fc.json().map((text) => Buffer.from(text)),
      ),
      (payload) => {
        decodeReadings(payload, null, DEVICE, NOW_MS);
      },
    ),
    { numRuns: 3000 },
  );
});
