import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { toHex } from './hex.ts';
import { readJson } from './json-text.ts';
import { decodePack, type Reading } from './senml.ts';
import { jsonToPack } from './senml-json.ts';
import { fuzzSettings } from './testing/fuzz.ts';

const record = (fields: string): string => `[{"bt":1700000000,${fields}}]`;

function packOf(json: string): Uint8Array {
  const converted = jsonToPack(json);
  assert.ok(converted.ok, converted.ok ? '' : converted.error.message);
  return converted.value;
}

function readingOf(json: string): Reading {
  const decoded = decodePack(packOf(json));
  assert.ok(decoded.ok);
  return decoded.value[0]!;
}

function refusal(json: string | Uint8Array): string {
  const converted = jsonToPack(json);
  return converted.ok ? 'accepted' : converted.error.message;
}

describe('numbers of a JSON pack', () => {
  test('come back with the text they had', () => {
    for (const text of [
      '73.96732207',
      '74.93588199999998',
      '1.0',
      '1.30',
      '0',
      '-0.50',
      '18446744073709551617',
      '1e3',
      '0.1',
      '100000000000000000000000.5',
    ]) {
      const { value } = readingOf(record(`"v":${text}`));
      assert.ok(value.type === 'number');
      assert.equal(value.text, text);
    }
  });

  test('are integers or decimal fractions in CBOR', () => {
    assert.equal(toHex(packOf(record('"v":23.5'))), '81a202c4822018eb221a6553f100');
    assert.equal(toHex(packOf(record('"v":-7'))), '81a20226221a6553f100');
    assert.equal(toHex(packOf(record('"v":1e3'))), '81a202c4820301221a6553f100');
  });

  test('beyond the limits are refused, and never rounded', () => {
    assert.match(refusal(record('"v":1e401')), /"v" of record 0/);
    assert.match(refusal(record(`"v":${'9'.repeat(160)}`)), /"v" of record 0/);
    assert.equal(refusal(record('"v":1e400')), 'accepted');
  });
});

describe('a JSON pack', () => {
  test('keeps extensions, data and texts', () => {
    const hex = toHex(packOf(record('"vd":"aGkgCg","n":"x","l":[{"a":1.5,"b":null}]')));
    assert.equal(hex, '81a40061780844686920 0a221a6553f100616c81a26161c482200f6162f6'.replace(' ', ''));
    assert.equal(readingOf(record('"vs":"\\u00fc\\n\\"ü\\""')).value.type, 'string');
  });

  test('may be bytes, of UTF-8 only', () => {
    assert.equal(refusal(new TextEncoder().encode(record('"vs":"ü"'))), 'accepted');
    assert.match(refusal(Uint8Array.of(0x5b, 0xff, 0x5d)), /not UTF-8/);
  });

  test('is refused where SenML refuses it', () => {
    assert.match(refusal('{}'), /array of records/);
    assert.match(refusal('[1]'), /record 0 is not an object/);
    assert.match(refusal('[]'), /at least one reading/);
    assert.match(refusal(record('"v":1,"vs":"x"')), /at most one/);
    assert.match(refusal(record('"v":"1"')), /expected/);
    assert.match(refusal(record('"v":1,"x_":1')), /must be understood/);
    assert.match(refusal(record('"vd":"a+b/"')), /"vd" of record 0/);
    assert.match(refusal(record('"v":1,"n":"ü"')), /letters, digits/);
    assert.equal(refusal('[{"v":1}]'), 'accepted');
  });
});

describe('JSON text', () => {
  const verdict = (text: string): string => {
    const read = readJson(text, 6);
    return read.ok ? 'accepted' : read.error.message;
  };

  test('that JSON.parse refuses is refused, and what it accepts is accepted', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"\\n"',
      '"',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'null',
      ' ',
      '\n',
      '\t',
      '\u00a0',
      'x',
    );
    const text = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc.array(token, { maxLength: 9 }).map((tokens) => tokens.join('')),
    );
    fc.assert(
      fc.property(text, (input) => {
        let isJson = true;
        try {
          JSON.parse(input);
        } catch {
          isJson = false;
        }
        const found = verdict(input);
        if (!isJson) assert.notEqual(found, 'accepted');
        else if (found !== 'accepted') assert.match(found, /occurs twice|half a character|levels/);
      }),
      fuzzSettings(5000),
    );
  });

  test('is refused with a name twice, half a character, or too many levels', () => {
    assert.match(verdict('{"a":1,"\\u0061":2}'), /occurs twice/);
    assert.match(verdict('"\\ud800"'), /half a character/);
    assert.equal(verdict(`${'['.repeat(6)}${']'.repeat(6)}`), 'accepted');
    assert.match(verdict('['.repeat(100_000)), /more than 6 levels/);
  });

  test('is refused with its place', () => {
    assert.match(verdict('[1, x]'), /character 4/);
    assert.match(verdict('[1] 2'), /after the value/);
    assert.match(verdict(''), /ends where/);
    assert.match(verdict('{"__proto__":1'), /end of the object/);
  });
});
