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

  test('has every label of RFC 8428', () => {
    const first =
      '{"bver":10,"bn":"a/","bt":1700000000,"bu":"V","bv":2,"bs":3,"n":"b","u":"Cel","v":4,"s":5,"t":1,"ut":60}';
    const pack = packOf(`[${first},{"vs":"x"},{"vb":true},{"vd":"aGk"}]`);
    const decoded = decodePack(pack);
    assert.ok(decoded.ok);
    const [number, ...others] = decoded.value;
    assert.deepEqual(
      [number!.name, number!.unit, number!.timeText, number!.value.type === 'number' && number!.value.text],
      ['a/b', 'Cel', '1700000001', '6'],
    );
    assert.deepEqual([number!.sum?.text, number!.updateTime?.text], ['8', '60']);
    assert.deepEqual(
      others.map(({ unit, value }) => [unit, value.type]),
      [
        ['V', 'string'],
        ['V', 'boolean'],
        ['V', 'data'],
      ],
    );
  });

  test('keeps no number beyond the limits, however deep it lies', () => {
    for (const extension of ['[1,1e401]', '{"a":{"b":1e401}}', '[[{"a":1e401}]]'])
      assert.match(refusal(record(`"v":1,"x":${extension}`)), /"x" of record 0/, extension);
    assert.match(refusal(record('"vd":1')), /"vd" of record 0/);
  });

  test('has as many levels as its CBOR may have, and no more', () => {
    const nested = (levels: number): string => record(`"v":1,"x":${'['.repeat(levels)}1.5${']'.repeat(levels)}`);
    assert.equal(refusal(nested(4)), 'accepted');
    assert.match(refusal(nested(5)), /levels/);
  });

  test('is refused where SenML refuses it', () => {
    const refused = jsonToPack('[');
    assert.equal(!refused.ok && refused.error.code, 'senml.malformed');
    assert.match(refusal('['), /should begin/);
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
    assert.match(verdict('{a":1}'), /a name in quotes \(at character 1\)/);
    assert.match(verdict('{"a";1}'), /expected a colon \(at character 4\)/);
    for (const text of ['"abc', '"', '"\\"', '{"a']) assert.match(verdict(text), /closing quote/, text);
    for (const text of ['tru', 'fals', 'nul', 'nope', '-']) assert.match(verdict(text), /not a value of JSON/, text);
  });

  test('has every word and white space of JSON', () => {
    assert.deepEqual(readJson('\r\n\t [true,false,null]\r', 1), { ok: true, value: [true, false, null] });
  });

  test('has as many levels as it may have, of objects too', () => {
    const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    assert.equal(verdict(nested(6)), 'accepted');
    assert.match(verdict(nested(7)), /more than 6 levels/);
  });
});
