import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeCbor } from './cbor.ts';
import { type Decimal, decimalToText, textToDecimal } from './decimal.ts';
import { fromHex, toHex } from './hex.ts';
import { decodePack, type Reading } from './senml.ts';
import { decimalToEncodable, encodePack, type ReadingInput } from './senml-encode.ts';
import { packRecordsMax } from './senml-label.ts';
import { fuzzSettings } from './testing/fuzz.ts';

const time = (seconds: string): Decimal => textToDecimal(seconds)!;
const number = (text: string): ReadingInput['value'] => ({ type: 'number', decimal: textToDecimal(text)! });

function encoded(readings: readonly ReadingInput[], device?: string): Uint8Array {
  const pack = encodePack(readings, device);
  assert.ok(pack.ok, pack.ok ? '' : pack.error.message);
  return pack.value;
}

function decoded(pack: Uint8Array, device?: string): Reading[] {
  const readings = decodePack(pack, { nowMs: 1_700_000_000_000, ...(device !== undefined && { device }) });
  assert.ok(readings.ok, readings.ok ? '' : readings.error.message);
  return readings.value;
}

describe('readings', () => {
  const decimal = fc.tuple(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), fc.integer({ min: -30, max: 30 }));
  const value: fc.Arbitrary<ReadingInput['value']> = fc.oneof(
    decimal.map(([mantissa, exponent]) => ({ type: 'number' as const, decimal: { mantissa, exponent } })),
    fc.string({ unit: 'binary', maxLength: 40 }).map((text) => ({ type: 'string' as const, text })),
    fc.boolean().map((flag) => ({ type: 'boolean' as const, value: flag })),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ type: 'data' as const, bytes })),
  );
  const readings: fc.Arbitrary<ReadingInput[]> = fc.array(
    fc.record(
      {
        name: fc.constantFrom('', 'a', 'temperature', 'x:y/z'),
        unit: fc.constantFrom('Cel', 'V'),
        time: fc
          .integer({ min: 1_000_000_000_000, max: 2_000_000_000_000 })
          .map((ms) => ({ mantissa: BigInt(ms), exponent: -3 })),
        value,
        updateTime: fc.nat(1000).map((seconds) => ({ decimal: { mantissa: BigInt(seconds), exponent: 0 } })),
      },
      { requiredKeys: ['name', 'time', 'value'] },
    ),
    { minLength: 1, maxLength: 12 },
  );

  test('come back from their pack exactly, whoever signs', () => {
    fc.assert(
      fc.property(readings, fc.constantFrom(undefined, 'acme/pump-1'), (inputs, attested) => {
        const found = decoded(encoded(inputs, attested), 'acme/pump-1');
        assert.equal(found.length, inputs.length);
        inputs.forEach((input, i) => {
          const { name, unit, timeMs, value: kept, updateTime } = found[i]!;
          assert.equal(name, input.name === '' ? 'acme/pump-1' : `acme/pump-1/${input.name}`);
          assert.equal(unit, input.unit);
          assert.equal(timeMs, Number(input.time!.mantissa));
          assert.deepEqual(updateTime?.decimal, input.updateTime?.decimal);
          if (kept.type === 'number' && input.value.type === 'number')
            assert.deepEqual(kept.decimal, input.value.decimal);
          else assert.deepEqual(kept, input.value);
        });
      }),
      fuzzSettings(500),
    );
  });

  test('of the same name share it where a gateway signs, and their unit and base time anyway', () => {
    const inputs = [0, 300, 600].map(
      (offset): ReadingInput => ({
        name: 'temp',
        unit: 'Cel',
        time: time(String(1_385_932_500 + offset)),
        value: number('73.96732207'),
      }),
    );
    const value = '02 c482 27 1b00000001b8e12d2f';
    const own = `83
      a4 00 6474656d70 ${value} 22 1a529ba6d4 23 6343656c
      a3 00 6474656d70 ${value} 06 19012c
      a3 00 6474656d70 ${value} 06 190258`;
    assert.equal(toHex(encoded(inputs)), own.replace(/\s/g, ''));
    const attested = `83
      a4 ${value} 21 6a612f6231322f74656d70 22 1a529ba6d4 23 6343656c
      a2 ${value} 06 19012c
      a2 ${value} 06 190258`;
    assert.equal(toHex(encoded(inputs, 'a/b12')), attested.replace(/\s/g, ''));
  });

  test('of different names have the device as base name where a gateway signs, with its slash where all have one', () => {
    const named = (...names: string[]): string =>
      toHex(
        encoded(
          names.map((name): ReadingInput => ({ name, value: number('1') })),
          'a/b',
        ),
      );
    assert.equal(named('x', 'y'), '82a30061780201 2164612f622f a200617902 01'.replaceAll(' ', ''));
    assert.equal(named('x', ''), '82a300622f780201 2163612f62 a10201'.replaceAll(' ', ''));
  });

  test('keep sums, floats and numbers at the edges of 64 bits', () => {
    const edges = [2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), -(2n ** 64n) - 1n, 0n, 255n, 256n, -256n, -257n];
    for (const mantissa of edges) {
      const decimal = { mantissa, exponent: 0 };
      const [reading] = decoded(encoded([{ name: 'a', value: { type: 'number', decimal }, sum: { decimal } }]));
      assert.deepEqual(reading!.value.type === 'number' && reading!.value.decimal, decimal);
      assert.deepEqual(reading!.sum?.decimal, decimal);
    }
    assert.equal(
      toHex(encodeCbor(decimalToEncodable({ mantissa: 2n ** 64n - 1n, exponent: 0 }))),
      '1bffffffffffffffff',
    );
    assert.equal(toHex(encodeCbor(decimalToEncodable({ mantissa: -(2n ** 64n), exponent: 0 }))), '3bffffffffffffffff');
    assert.equal(
      toHex(encodeCbor(decimalToEncodable({ mantissa: -(2n ** 64n) - 1n, exponent: 0 }))),
      'c48200c349010000000000000000',
    );
    const sumOnly = decoded(encoded([{ name: 'a', value: { type: 'none' }, sum: { decimal: textToDecimal('1.5')! } }]));
    assert.deepEqual([sumOnly[0]!.value.type, sumOnly[0]!.sum?.text], ['none', '1.5']);
  });

  test('without a time count from the time of signing', () => {
    const [reading] = decoded(encoded([{ name: 'a', value: number('1') }]));
    assert.equal(reading!.timeText, '1700000000');
  });

  test('that are floats are passed on as they came, their times as the shortest decimal', () => {
    const pack = fromHex('81a202fb403719999999999a06fb41d954fc40004189')!;
    const [reading] = decoded(pack);
    const [again] = decoded(encoded([reading!]));
    assert.deepEqual(again, reading);
    assert.equal(again!.value.type === 'number' && again!.value.text, '23.1');
    assert.equal(again!.timeText, decimalToText(reading!.time));
  });

  test('are refused with what to change', () => {
    const refusal = (readings: ReadingInput[]): string => {
      const pack = encodePack(readings);
      return pack.ok ? 'accepted' : `${pack.error.code}: ${pack.error.message}`;
    };
    const one: ReadingInput = { name: 'a', time: time('1700000000'), value: number('1') };
    assert.match(refusal([]), /^senml.malformed: .*no readings/);
    assert.equal(refusal(Array.from({ length: packRecordsMax }, () => one)), 'accepted');
    assert.equal(refusal([{ ...one, time: time(String(2 ** 28)) }]), 'accepted');
    assert.match(refusal([{ ...one, time: time(String(2 ** 28 - 1)) }]), /before 1978/);
    assert.equal(refusal([{ ...one, time: { mantissa: 1_700_000_000n * 10n ** 9n, exponent: -9 } }]), 'accepted');
    assert.match(refusal([{ ...one, time: { mantissa: 2n ** 64n, exponent: -10 } }]), /too many digits/);
    assert.match(refusal([{ ...one, sum: { decimal: { mantissa: 1n, exponent: 401 } } }]), /too many digits/);
    assert.match(refusal([{ ...one, updateTime: { decimal: { mantissa: 1n, exponent: 401 } } }]), /too many digits/);
    assert.match(refusal(Array.from({ length: packRecordsMax + 1 }, () => one)), /at most 1024/);
    assert.match(refusal([one, { name: 'a', value: number('1') }]), /some have none/);
    assert.match(refusal([{ ...one, time: time('1000') }]), /before 1978/);
    assert.match(refusal([{ ...one, name: 'a b' }]), /letters, digits/);
    assert.match(refusal([{ ...one, time: time('1e15') }]), /year 9999/);
    assert.match(refusal([{ ...one, time: time('1700000000.0000000000001') }]), /too many digits/);
    assert.match(
      refusal([{ ...one, value: { type: 'number', decimal: { mantissa: 1n, exponent: 401 } } }]),
      /too many digits/,
    );
    assert.match(refusal([{ ...one, value: { type: 'none' } }]), /value or a sum/);
  });
});
