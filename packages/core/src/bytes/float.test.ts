import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compareDecimals, type Decimal, decimalToText, textToDecimal } from './decimal.ts';
import { binaryToDecimal, bitsToBinary, decimalToDouble, type FloatWidth, shortestDecimal } from './float.ts';
import { fuzzSettings } from './testing/fuzz.ts';

function doubleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function singleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

function exact(bits: bigint, width: FloatWidth): Decimal {
  return binaryToDecimal(bitsToBinary(bits, width)!);
}

function shortest(bits: bigint, width: FloatWidth): Decimal {
  return shortestDecimal(bitsToBinary(bits, width)!, width);
}

const edges = [
  0,
  1,
  0.1,
  0.5,
  1.1,
  2 ** -44,
  2 ** 53,
  2 ** 53 + 2,
  1e21,
  1e22,
  1e23,
  9e15,
  5e-324,
  2.2250738585072014e-308,
  2.225073858507201e-308,
  Number.MAX_VALUE,
  73.96732207,
  1276020076.001,
  4.35,
  0.3,
  123456789012345680000,
];

describe('a double', () => {
  const double = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(...edges));

  test('has the exact value that decimal fractions can hold', () => {
    assert.equal(
      decimalToText(exact(doubleBits(0.1), 64)),
      '0.1000000000000000055511151231257827021181583404541015625',
    );
    assert.equal(decimalToText(exact(doubleBits(-1.5), 64)), '-1.5');
    assert.equal(decimalToText(exact(doubleBits(2 ** 60), 64)), '1152921504606846976');
    fc.assert(
      fc.property(double, (value) => {
        const decimal = exact(doubleBits(value), 64);
        assert.equal(Number(`${decimal.mantissa}e${decimal.exponent}`) === value, true);
        assert.deepEqual(binaryToDecimal(decimalToDouble(decimal)!), decimal);
      }),
      fuzzSettings(1000),
    );
  });

  test('has as its shortest decimal what ECMAScript prints, but integers below 10^21 exactly', () => {
    fc.assert(
      fc.property(double, (value) => {
        const isExact = Number.isInteger(value) && Math.abs(value) < 1e21;
        const printed = textToDecimal(isExact ? String(BigInt(value)) : String(value))!;
        const found = shortest(doubleBits(value), 64);
        assert.equal(compareDecimals(found, printed), 0, `${value}: ${decimalToText(found)}`);
      }),
      { ...fuzzSettings(3000), examples: edges.flatMap((value): [number][] => [[value], [-value]]) },
    );
    assert.equal(decimalToText(shortest(doubleBits(1276020076.001), 64)), '1276020076.001');
    assert.equal(decimalToText(shortest(doubleBits(20), 64)), '20');
  });
});

describe('a single', () => {
  test('is denoted by its shortest decimal and by none with fewer digits', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const found = shortest(singleBits(value), 32);
        assert.equal(Math.fround(Number(decimalToText(found))) === value, true);
        if (Number.isInteger(value)) return;
        const digits = found.mantissa.toString().replace('-', '').replace(/0+$/, '').length;
        for (let fewer = 1; fewer < digits; fewer++) {
          assert.notEqual(Math.fround(Number(value.toPrecision(fewer))), value);
        }
      }),
      fuzzSettings(1000),
    );
    assert.equal(decimalToText(shortest(singleBits(Math.fround(23.1)), 32)), '23.1');
  });
});

describe('a half', () => {
  const cases = [
    [0x0000n, '0', '0'],
    [0x8000n, '0', '0'],
    [0x3c00n, '1', '1'],
    [0x3e00n, '1.5', '1.5'],
    [0xc400n, '-4', '-4'],
    [0x7bffn, '65504', '65504'],
    [0x0001n, '0.000000059604644775390625', '0.00000006'],
    [0x0400n, '0.00006103515625', '0.00006104'],
    [0x2e66n, '0.0999755859375', '0.1'],
  ] as const;
  test('has its exact value and its shortest decimal', () => {
    for (const [bits, value, text] of cases) {
      assert.equal(decimalToText(exact(bits, 16)), value);
      assert.equal(decimalToText(shortest(bits, 16)), text);
    }
  });
});

test('infinities and what is not a number have no value', () => {
  for (const bits of [0x7c00n, 0xfc00n, 0x7e00n]) assert.equal(bitsToBinary(bits, 16), null);
  assert.equal(bitsToBinary(doubleBits(Number.POSITIVE_INFINITY), 64), null);
  assert.equal(bitsToBinary(singleBits(Number.NaN), 32), null);
});

test('a decimal is a double exactly or not at all', () => {
  assert.equal(decimalToDouble({ mantissa: 1n, exponent: -1 }), null);
  assert.deepEqual(decimalToDouble({ mantissa: 75n, exponent: -2 }), { mantissa: 3n, exponent: -2 });
  assert.equal(decimalToDouble({ mantissa: 2n ** 53n + 1n, exponent: 0 }), null);
  assert.equal(decimalToDouble({ mantissa: 1n << 1024n, exponent: 0 }), null);
  assert.deepEqual(decimalToDouble({ mantissa: 3n, exponent: 2 }), { mantissa: 75n, exponent: 2 });
  assert.deepEqual(decimalToDouble({ mantissa: 0n, exponent: -3 }), { mantissa: 0n, exponent: 0 });
  const smallest = (bits: number) => ({ mantissa: 5n ** BigInt(bits), exponent: -bits });
  assert.deepEqual(decimalToDouble(smallest(1074)), { mantissa: 1n, exponent: -1074 });
  assert.equal(decimalToDouble(smallest(1075)), null);
});
