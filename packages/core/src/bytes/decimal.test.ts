import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  addDecimals,
  compareDecimals,
  type Decimal,
  decimalToText,
  isWithinLimits,
  powerOfTen,
  roundDecimal,
  subtractDecimals,
  textToDecimal,
  trimDecimal,
} from './decimal.ts';
import { fuzzSettings } from './testing/fuzz.ts';

function decimal(text: string): Decimal {
  const value = textToDecimal(text);
  assert.ok(value !== null, `${text} is a number`);
  return value;
}

describe('the text of a number', () => {
  test('comes back as it was where it is a plain decimal', () => {
    const texts = [
      '0',
      '73.96732207',
      '74.93588199999998',
      '1.0',
      '1.30',
      '-0.50',
      '100',
      '0.000',
      '-12',
      '0.0000001',
      '18446744073709551616',
      `0.${'0'.repeat(40)}1`,
    ];
    for (const text of texts) assert.equal(decimalToText(decimal(text)), text);
  });

  test('comes back as another text of exactly the same value where it is not', () => {
    const pairs = [
      ['1e3', '1e3'],
      ['1.5E+3', '15e2'],
      ['0.14e1', '1.4'],
      ['1e-7', '0.0000001'],
      ['-0', '0'],
      ['-0.0', '0.0'],
      ['+5', '5'],
      ['007.50', '7.50'],
      ['.5', '0.5'],
      ['5.', '5'],
      ['1e-60', '1e-60'],
      ['12.5e-60', '125e-61'],
    ] as const;
    for (const [text, canonical] of pairs) assert.equal(decimalToText(decimal(text)), canonical);
  });

  test('is refused where it is no number', () => {
    for (const text of [
      '',
      ' 1',
      '1 ',
      '.',
      '-',
      'e5',
      '1e',
      '1e+',
      '0x10',
      '1_000',
      '1,5',
      'NaN',
      'Infinity',
      '--1',
      '1.2.3',
      '١',
    ]) {
      assert.equal(textToDecimal(text), null, text);
    }
  });

  test('is refused one past the limits of exponent and mantissa', () => {
    assert.ok(textToDecimal('1e400'));
    assert.equal(textToDecimal('1e401'), null);
    assert.ok(textToDecimal('1e-400'));
    assert.equal(textToDecimal('0.1e-400'), null);
    assert.ok(textToDecimal(String(2n ** 512n - 1n)));
    assert.equal(textToDecimal(String(2n ** 512n)), null);
    assert.equal(textToDecimal(String(-(2n ** 512n))), null);
    assert.equal(textToDecimal('9'.repeat(1025)), null);
    assert.deepEqual(textToDecimal('0'.repeat(1024)), { mantissa: 0n, exponent: 0 });
    assert.equal(textToDecimal('0'.repeat(1025)), null);
    assert.deepEqual(textToDecimal('.25'), { mantissa: 25n, exponent: -2 });
    assert.equal(isWithinLimits({ mantissa: 1n, exponent: 401 }), false);
  });

  test('read by JSON is the same number', () => {
    const number = fc.tuple(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), fc.integer({ min: -30, max: 30 }));
    fc.assert(
      fc.property(number, ([mantissa, exponent]) => {
        const text = decimalToText({ mantissa, exponent });
        assert.equal(JSON.parse(text), Number(`${mantissa}e${exponent}`));
        assert.equal(compareDecimals(decimal(text), { mantissa, exponent }), 0);
        assert.equal(decimalToText(decimal(text)), text);
      }),
      fuzzSettings(1000),
    );
  });
});

test('a power of ten is remembered, and of a limited exponent', () => {
  assert.equal(powerOfTen(4095), 10n ** 4095n);
  assert.equal(powerOfTen(0), 1n);
  for (const exponent of [-1, 4096]) assert.throws(() => powerOfTen(exponent), /limited exponent/);
});

describe('decimals', () => {
  test('add and subtract exactly', () => {
    assert.equal(decimalToText(addDecimals(decimal('1276020076.001'), decimal('-5'))), '1276020071.001');
    assert.equal(decimalToText(addDecimals(decimal('0.1'), decimal('0.2'))), '0.3');
    assert.equal(decimalToText(subtractDecimals(decimal('1e3'), decimal('0.25'))), '999.75');
  });

  test('are compared by value', () => {
    assert.equal(compareDecimals(decimal('1.0'), decimal('1')), 0);
    assert.ok(compareDecimals(decimal('-1'), decimal('1e-9')) < 0);
    assert.ok(compareDecimals(decimal('1e3'), decimal('999.9')) > 0);
  });

  test('are trimmed of zeros after the point only', () => {
    assert.deepEqual(trimDecimal(decimal('1.50')), { mantissa: 15n, exponent: -1 });
    assert.deepEqual(trimDecimal(decimal('100')), { mantissa: 100n, exponent: 0 });
    assert.deepEqual(trimDecimal(decimal('0.000')), { mantissa: 0n, exponent: 0 });
    assert.deepEqual(trimDecimal(decimal('2e3')), { mantissa: 2000n, exponent: 0 });
  });

  test('are rounded to the nearest integer, halves up', () => {
    const cases = [
      ['1.0004', 1000n],
      ['1.0005', 1001n],
      ['-1.0005', -1000n],
      ['-1.0006', -1001n],
      ['-0.0001', 0n],
      ['7', 7000n],
      ['7e2', 700000n],
    ] as const;
    for (const [text, expected] of cases) assert.equal(roundDecimal(decimal(text), 3), expected, text);
  });
});
