import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readCbor } from './cbor-reader.ts';
import { decimalToText } from './decimal.ts';
import { decodePack, deviceOfBaseName, qualifyName, type Reading, type ReadingValue } from './senml.ts';
import { jsonToPack } from './senml-json.ts';
import { nameBytesMax, packRecordsMax, timeMsMax, unitBytesMax } from './senml-label.ts';
import { PackReader, type PackSummary, summarizePack } from './senml-pack.ts';
import { at, bytes, decimal, type Fields, pack, readings, refusal } from './testing/packs.ts';
import { readVector } from './testing/vectors.ts';

function summary(input: Uint8Array, nowMs: number | null = null): PackSummary {
  return summarizePack(new PackReader(input, 0, input.length, nowMs));
}

describe('the examples of RFC 8428', () => {
  type Resolved = { n: string; u?: string; t: number; v?: number; vs?: string; vb?: boolean; vd?: string };
  /** As the vectors have it: numbers as doubles. */
  const toResolved = ({ name, unit, timeText, value }: Reading): Resolved => ({
    n: name,
    ...(unit !== undefined && { u: unit }),
    t: Number(timeText),
    ...(value.type === 'number' && { v: Number(value.text) }),
    ...(value.type === 'string' && { vs: value.text }),
    ...(value.type === 'boolean' && { vb: value.value }),
    ...(value.type === 'data' && { vd: Buffer.from(value.bytes).toString('base64url') }),
  });
  /** The vectors keep extensions; readings don't. */
  const expectedOf = ({ l: _, ...record }: Resolved & { l?: string }): Resolved => record;

  for (const number of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    test(`number ${number} resolves to its resolved form`, (t) => {
      const source = readVector(`senml/ex${number}.json`);
      const target = readVector(`senml/ex${number}.gen.resolved.json`);
      if (source === null || target === null) return t.skip('skipped: vectors not present');
      const expected: Resolved[] = JSON.parse(target.toString());
      const converted = jsonToPack(source);
      assert.ok(converted.ok, converted.ok ? '' : converted.error.message);
      const nowMs = expected[0]!.t * 1000;
      const found = readings(converted.value, { nowMs }).map(toResolved);
      // The tool that made the vector of example 7 has no data values.
      const known = number === 7 ? found.filter((record) => record.vd === undefined) : found;
      assert.deepEqual(known, expected.map(expectedOf));
      if (number === 7) assert.equal(found.at(-1)!.vd, 'aGkgCg');
    });
  }

  test('number 13 is read with its fraction of a second', (t) => {
    const source = readVector('senml/ex13.json');
    if (source === null) return t.skip('skipped: vectors not present');
    const converted = jsonToPack(source);
    assert.ok(converted.ok);
    assert.deepEqual(
      readings(converted.value).map(({ name, timeText }) => [name, timeText]),
      [
        ['2001:db8::3', '1320078429'],
        ['2001:db8::4', '1320078429'],
        ['2001:db8::3', '1320078429.1'],
        ['2001:db8::4', '1320078429.1'],
      ],
    );
  });

  for (const number of [3, 5]) {
    test(`number ${number} in the working group's CBOR is the same as in JSON`, (t) => {
      const cbor = readVector(`senml/ex${number}.gen.cbor`);
      const target = readVector(`senml/ex${number}.gen.resolved.json`);
      if (cbor === null || target === null) return t.skip('skipped: vectors not present');
      assert.deepEqual(readings(cbor).map(toResolved), JSON.parse(target.toString()));
    });
  }
});

describe('a reading', () => {
  test('has every kind of value', () => {
    const values = readings(
      pack(
        [at, [0, 'a'], [2, decimal('73.96732207')]],
        [at, [0, 'b'], [3, 'Grüße']],
        [at, [0, 'c'], [4, false]],
        [at, [0, 'd'], [8, bytes('0102')]],
        [at, [0, 'e'], [5, 7]],
      ),
    ).map(({ value }) => value);
    const expected: ReadingValue[] = [
      { type: 'number', decimal: { mantissa: 7396732207n, exponent: -8 }, text: '73.96732207' },
      { type: 'string', text: 'Grüße' },
      { type: 'boolean', value: false },
      { type: 'data', bytes: bytes('0102') },
      { type: 'none' },
    ];
    assert.deepEqual(values, expected);
  });

  test('adds base value, base sum and base time, exactly', () => {
    const [, second] = readings(
      pack(
        [
          [-3, decimal('1700000000.25')],
          [-5, decimal('0.1')],
          [-6, 100],
          [2, 0],
        ],
        [
          [2, decimal('0.2')],
          [5, decimal('0.50')],
          [6, -1],
          [7, 60],
        ],
      ),
    );
    assert.equal(second!.value.type === 'number' && second!.value.text, '0.3');
    assert.equal(second!.sum?.text, '100.50');
    assert.equal(second!.timeText, '1699999999.25');
    assert.equal(second!.timeMs, 1_699_999_999_250);
    assert.equal(second!.updateTime?.text, '60');
  });

  test('has nothing of the record before it but what base fields say', () => {
    const [, second] = readings(
      pack(
        [
          [-3, 1_700_000_000],
          [0, 'a'],
          [1, 'V'],
          [2, 1],
          [5, 2],
          [6, 5],
          [7, 60],
        ],
        [[3, 'x']],
      ),
    );
    assert.deepEqual(second, {
      name: '',
      time: { mantissa: 1_700_000_000n, exponent: 0 },
      timeText: '1700000000',
      timeMs: 1_700_000_000_000,
      value: { type: 'string', text: 'x' },
    });
  });

  test('sums floats to a text as a person would, and exact numbers to an exact one', () => {
    const double = (value: number): Uint8Array => {
      const view = new DataView(new ArrayBuffer(9));
      view.setUint8(0, 0xfb);
      view.setFloat64(1, value);
      return new Uint8Array(view.buffer);
    };
    const sumOf = (base: Uint8Array, own: Uint8Array): string => {
      const input = Uint8Array.of(0x81, 0xa3, 0x02, ...own, 0x06, ...bytes('1a 6553f100'), 0x24, ...base);
      const { value } = readings(input)[0]!;
      assert.ok(value.type === 'number' && value.float === undefined);
      return value.text;
    };
    assert.equal(sumOf(double(0.5), bytes('c4 82 20 01')), '0.6');
    assert.equal(sumOf(double(20.25), double(0.5)), '20.75');
    assert.match(sumOf(double(20.25), double(0.1)), /^20\.350000000000000005\d+$/, 'no double, so exact');
    assert.equal(sumOf(double(23.1), bytes('00')), '23.1');
    assert.equal(sumOf(bytes('00'), double(23.1)), '23.1');
    assert.equal(sumOf(bytes('c4 82 20 01'), bytes('c4 82 20 02')), '0.3');
  });

  test('has the unit of its record, else the base unit, else none', () => {
    const units = readings(pack([at, [2, 1]], [[-4, 'Cel'], at, [2, 1]], [at, [1, 'V'], [2, 1]])).map(
      ({ unit }) => unit,
    );
    assert.deepEqual(units, [undefined, 'Cel', 'V']);
  });

  test('lies under the device where the pack has no base name, and only there', () => {
    const input = pack(
      [at, [2, 1]],
      [at, [0, 'temp'], [2, 1]],
      [at, [-2, 'urn:dev:x:'], [0, 'temp'], [2, 1]],
      [at, [-2, ''], [0, 'y'], [2, 1]],
    );
    assert.deepEqual(
      readings(input, { device: 'acme/pump-1' }).map(({ name }) => name),
      ['acme/pump-1', 'acme/pump-1/temp', 'urn:dev:x:temp', 'acme/pump-1/y'],
    );
    assert.deepEqual(
      readings(input).map(({ name }) => name),
      ['', 'temp', 'urn:dev:x:temp', 'y'],
    );
    assert.equal(qualifyName('acme/pump-1', ''), 'acme/pump-1');
  });

  test('sent as a float keeps its item, its exact value and its shortest text', () => {
    const [reading] = readings(bytes('81 a2 02 fb 403719999999999a 06 1a 6553f100'));
    assert.ok(reading!.value.type === 'number');
    assert.equal(reading!.value.text, '23.1');
    assert.deepEqual(reading!.value.float, bytes('fb 403719999999999a'));
    assert.equal(decimalToText(reading!.value.decimal), '23.10000000000000142108547152020037174224853515625');
  });
});

describe('a pack', () => {
  test('is refused empty, or with base fields only', () => {
    assert.match(refusal(pack()), /at least one reading/);
    assert.match(refusal(pack([[-2, 'x:']])), /at least one reading/);
    assert.match(refusal(bytes('a0')), /expected an array/);
  });

  test('is refused with records that have two values, or none and more than base fields', () => {
    assert.match(refusal(pack([at, [2, 1], [3, 'x']])), /at most one of v, vs, vb and vd/);
    assert.match(refusal(pack([at, [0, 'a']])), /has a value or a sum/);
    assert.match(refusal(pack([at, [2, 1]], [[1, 'V']])), /has a value or a sum/);
    assert.equal(refusal(pack([at, [2, 1], [5, 1]])), 'accepted');
  });

  test('skips extensions, refuses those that must be understood, and labels that do not exist', () => {
    assert.equal(refusal(pack([at, [2, 1], ['l', [new Map([['a', null]])]]])), 'accepted');
    assert.match(refusal(pack([at, [2, 1], ['must_', 1]])), /must be understood/);
    assert.match(refusal(pack([at, [2, 1], ['v', 1]])), /integer label/);
    assert.match(refusal(pack([at, [2, 1], [9, 1]])), /no label/);
    assert.match(refusal(pack([at, [2, 1], [-7, 1]])), /no label/);
    assert.match(refusal(pack([at, [2, 1], [2n ** 63n, 1]])), /no label/);
    assert.match(refusal(bytes('81 a4 02 01 06 1a 6553f100 6161 00 6161 00')), /twice/);
    assert.match(refusal(bytes('81 a3 02 01 06 1a 6553f100 1802 02')), /twice/);
    assert.match(refusal(bytes('81 a3 02 01 06 1a 6553f100 6161 f7')), /simple value/);
  });

  test('is refused with fields of the wrong type', () => {
    for (const fields of [
      [[0, 1]],
      [[1, bytes('aa')]],
      [[2, '1']],
      [[2, true]],
      [[3, 1]],
      [[4, 1]],
      [[8, 'x']],
      [[5, null]],
      [[7, 'x']],
      [[-2, 1]],
      [[-3, 'x']],
      [[-1, 'x']],
    ] as Fields[]) {
      assert.match(
        refusal(pack([at, [5, 1], ...fields.filter(([label]) => label !== 5), ...(fields[0]![0] === 5 ? fields : [])])),
        /expected|no label/,
        String(fields),
      );
    }
  });

  test('is refused with names of other characters, or one character too long', () => {
    assert.match(refusal(pack([at, [0, 'a b'], [2, 1]])), /letters, digits/);
    assert.match(refusal(pack([at, [0, 'é'], [2, 1]])), /letters, digits/);
    assert.match(refusal(pack([at, [0, '-a'], [2, 1]])), /begins with/);
    const all = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-:./_';
    assert.equal(readings(pack([at, [0, all], [2, 1]]))[0]!.name, all);
    for (let unit = 0; unit < 128; unit++) {
      const isFirst = /[0-9A-Za-z]/.test(String.fromCharCode(unit));
      const name = String.fromCharCode(unit);
      assert.equal(refusal(pack([at, [0, name], [2, 1]])) === 'accepted', isFirst, `unit ${unit}`);
      const isNext = isFirst || '-:./_'.includes(name);
      assert.equal(refusal(pack([at, [0, `a${name}`], [2, 1]])) === 'accepted', isNext, `unit ${unit} after a`);
    }
    assert.match(refusal(pack([at, [-2, ':x'], [0, 'a'], [2, 1]])), /begins with/);
    assert.equal(refusal(pack([at, [-2, 'x'], [0, '-a'], [2, 1]])), 'accepted');
    assert.equal(refusal(pack([at, [-2, 'x'], [0, 'a'.repeat(nameBytesMax - 1)], [2, 1]])), 'accepted');
    assert.match(refusal(pack([at, [-2, 'x'], [0, 'a'.repeat(nameBytesMax)], [2, 1]])), /at most 255/);
    assert.match(refusal(pack([[-2, 'x'], at, [0, '-a'], [2, 1]], [[-2, ''], at, [0, '-a'], [2, 1]])), /begins with/);
  });

  test('is refused with a version it does not know, or two of them', () => {
    assert.equal(refusal(pack([[-1, 10], at, [2, 1]], [[-1, 10], at, [2, 1]])), 'accepted');
    assert.match(refusal(pack([[-1, 11], at, [2, 1]])), /version 11/);
    assert.match(refusal(pack([[-1, 0], at, [2, 1]])), /version 0/);
    assert.equal(refusal(pack([[-1, 1], at, [2, 1]])), 'accepted');
    assert.match(refusal(pack([[-1, 5], at, [2, 1]], [[-1, 10], at, [2, 1]])), /one version/);
  });

  test('is refused one past its limits', () => {
    const records = (count: number): Uint8Array => pack(...Array.from({ length: count }, (): Fields => [at, [2, 1]]));
    assert.equal(refusal(records(packRecordsMax)), 'accepted');
    assert.match(refusal(records(packRecordsMax + 1)), /at most 1024 records/);
    assert.equal(refusal(pack([at, [1, 'u'.repeat(unitBytesMax - 2)], [2, 1]])), 'accepted');
    assert.match(refusal(pack([at, [1, 'u'.repeat(unitBytesMax)], [2, 1]])), /a unit has/);
    assert.ok(timeMsMax < Number.MAX_SAFE_INTEGER);
  });

  test('is refused cut off anywhere, and with anything after it', () => {
    const whole = pack([at, [0, 'temp'], [1, 'Cel'], [2, decimal('21.50')], [-2, 'x:']]);
    assert.equal(refusal(whole), 'accepted');
    for (let length = 0; length < whole.length; length++) assert.notEqual(refusal(whole.slice(0, length)), 'accepted');
    assert.match(refusal(Uint8Array.of(...whole, 0)), /after the item/);
  });
});

describe('the summary of a pack', () => {
  test('counts readings, spans their times, and names the first four', () => {
    const records = ['a', 'a', 'b', 'a', 'c', 'd', 'e'].map(
      (name, i): Fields => [
        [0, name],
        [2, i],
        [6, (i * 7) % 5],
      ],
    );
    records[0]!.push([-3, 1_700_000_000]);
    assert.deepEqual(summary(pack([[-1, 10]], ...records)), {
      readingsCount: 7,
      timeMinMs: 1_700_000_000_000,
      timeMaxMs: 1_700_000_004_000,
      baseName: null,
      isOneBaseName: true,
      names: ['a', 'b', 'c', 'd'],
    });
  });

  test('tells names and base names apart that begin alike', () => {
    const named = (...names: readonly string[]): Fields[] => names.map((name) => [[0, name], [2, 1], at]);
    assert.deepEqual(summary(pack(...named('a', 'ab', 'abc', 'ab'))).names, ['a', 'ab', 'abc']);
    const based = summary(pack([[-2, 'x/'], [0, 'a'], [2, 1], at], [[-2, 'x/y/'], [0, 'a'], [2, 1], at]));
    assert.deepEqual([based.isOneBaseName, based.names], [false, ['x/a', 'x/y/a']]);
    const long = summary(pack([[-2, 'x/y/'], [0, 'a'], [2, 1], at], [[-2, 'x/'], [0, 'a'], [2, 1], at]));
    assert.equal(long.isOneBaseName, false);
  });

  test('says whether all readings lie under one base name', () => {
    const one = summary(pack([[-2, 'acme/p/'], [0, 'a'], [2, 1], at], [[0, 'b'], [2, 1], at]));
    assert.deepEqual([one.baseName, one.isOneBaseName, one.names], ['acme/p/', true, ['acme/p/a', 'acme/p/b']]);
    const two = summary(pack([[0, 'a'], [2, 1], at], [[-2, 'x'], [2, 1], at], [[-2, ''], [0, 'a'], [2, 1], at]));
    assert.deepEqual([two.baseName, two.isOneBaseName, two.names], [null, false, ['a', 'x']]);
  });

  test('has the times that the readings have', () => {
    const input = pack(
      [
        [2, 1],
        [6, decimal('-0.0006')],
      ],
      [
        [2, 1],
        [6, 3],
      ],
    );
    const { timeMinMs, timeMaxMs } = summary(input, 1_700_000_000_000);
    const times = readings(input, { nowMs: 1_700_000_000_000 }).map(({ timeMs }) => timeMs);
    assert.deepEqual([timeMinMs, timeMaxMs], [Math.min(...times), Math.max(...times)]);
    assert.equal(timeMinMs, 1_699_999_999_999);
  });
});

test('a refusal has its code, and the byte it is about', () => {
  const refused = decodePack(pack([at, [2, 1], [3, 'x']]));
  assert.deepEqual(!refused.ok && [refused.error.code, refused.error.message.match(/at byte \d+/)?.[0]], [
    'senml.malformed',
    'at byte 1',
  ]);
  for (const [hex, code] of [
    ['81 a3 02 01 06 1a 6553f100 09 02', 'senml.invalid'],
    ['81 a3 02 01 06 1a 6553f100 02 02', 'cbor.duplicate-key'],
    ['81 a4 02 01 06 1a 6553f100 6161 00 6161 00', 'cbor.duplicate-key'],
    ['81 a2 02 01 06 c4 82 13 01', 'senml.invalid'],
  ] as const) {
    const input = bytes(hex);
    const read = readCbor(() => summarizePack(new PackReader(input, 0, input.length, null)));
    assert.equal(!read.ok && read.error.code, code, hex);
  }
});

test('a base name shows its device where it begins with one', () => {
  assert.equal(deviceOfBaseName('urn:acme/pump-1'), null);
  assert.equal(deviceOfBaseName('acme/pump-1'), 'acme/pump-1');
  assert.equal(deviceOfBaseName('acme/pump-1/temp'), 'acme/pump-1');
  assert.equal(deviceOfBaseName('acme/pump-1:temp'), null);
  assert.equal(deviceOfBaseName('urn:dev:x'), null);
  assert.equal(deviceOfBaseName('acme'), null);
});
