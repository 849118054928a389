/**
 * IEEE 754 binary numbers (16, 32, 64 bits) taken apart with integers only: their exact value, and the shortest decimal
 * that denotes them. Nothing here computes with floating-point numbers, so every engine gives the same.
 */
import { assert } from '../result.ts';
import { type Decimal, powerOfTen } from './decimal.ts';

export type FloatWidth = 16 | 32 | 64;

/** Integers below this are shown exactly. */
const exactEnd = powerOfTen(21);

/** value = mantissa x 2^exponent. */
export type Binary = { readonly mantissa: bigint; readonly exponent: number };

type Layout = { readonly mantissaBits: number; readonly exponentBits: number };
const layouts: { readonly [width in FloatWidth]: Layout } = {
  16: { mantissaBits: 10, exponentBits: 5 },
  32: { mantissaBits: 23, exponentBits: 8 },
  64: { mantissaBits: 52, exponentBits: 11 },
};

/** The exact value of a float from its bits; null for infinities and what is not a number. */
export function bitsToBinary(bits: bigint, width: FloatWidth): Binary | null {
  const { mantissaBits, exponentBits } = layouts[width];
  const fraction = bits & ((1n << BigInt(mantissaBits)) - 1n);
  const exponentMask = (1 << exponentBits) - 1;
  const field = Number(bits >> BigInt(mantissaBits)) & exponentMask;
  if (field === exponentMask) return null;
  const magnitude = field === 0 ? fraction : fraction | (1n << BigInt(mantissaBits));
  const exponent = (field === 0 ? 1 : field) - (exponentMask >> 1) - mantissaBits;
  return { mantissa: bits >> BigInt(width - 1) === 0n ? magnitude : -magnitude, exponent };
}

/** Exact: a binary fraction is always a finite decimal one. The exponent is 0, or as near to it as possible. */
export function binaryToDecimal(binary: Binary): Decimal {
  const { mantissa, exponent } = withOddMantissa(binary);
  if (exponent >= 0) return { mantissa: mantissa << BigInt(exponent), exponent: 0 };
  // m / 2^k = m x 5^k / 10^k
  return { mantissa: mantissa * (powerOfTen(-exponent) >> BigInt(-exponent)), exponent };
}

/** A decimal as a double's value, exactly; null when no double has this value. */
export function decimalToDouble({ mantissa, exponent }: Decimal): Binary | null {
  if (mantissa === 0n) return { mantissa: 0n, exponent: 0 };
  let binary: Binary;
  if (exponent >= 0) {
    binary = withOddMantissa({ mantissa: mantissa * powerOfTen(exponent), exponent: 0 });
  } else {
    const five = powerOfTen(-exponent) >> BigInt(-exponent);
    if (mantissa % five !== 0n) return null;
    binary = withOddMantissa({ mantissa: mantissa / five, exponent });
  }
  const size = bitLength(binary.mantissa);
  const isDouble = size <= 53 && binary.exponent >= -1074 && size + binary.exponent <= 1024;
  return isDouble ? binary : null;
}

/**
 * The shortest decimal that denotes this float among those of its width, the nearest one where several are as short:
 * what languages print (ECMAScript Number::toString for 64 bits). Only integers below 10^21 are given exactly, with all
 * their digits: of an integer, digits that are not its own would look like an error.
 */
export function shortestDecimal(binary: Binary, width: FloatWidth): Decimal {
  const exact = binaryToDecimal(binary);
  if (exact.exponent === 0 && exact.mantissa < exactEnd && exact.mantissa > -exactEnd) return exact;
  const { mantissa, exponent } = withFullMantissa(binary, width);
  const { mantissaBits } = layouts[width];
  const m = mantissa < 0n ? -mantissa : mantissa;
  // In quarters of the last bit: every decimal from `low` to `high` denotes this float. Below a power of two floats lie closer.
  const isBoundary = m === 1n << BigInt(mantissaBits) && exponent > exponentMin(width);
  const value = 4n * m;
  const low = value - (isBoundary ? 1n : 2n);
  const high = value + 2n;
  const isEven = m % 2n === 0n;
  const numerator = exponent > 2 ? 1n << BigInt(exponent - 2) : 1n;
  const denominator = exponent < 2 ? 1n << BigInt(2 - exponent) : 1n;
  for (let power = decimalLength(bitLength(m) + exponent); ; power--) {
    assert(power > -2000, 'a float has a shortest decimal');
    // Digits are counted in units of 10^power: candidates are the two neighbours of the value.
    const up = power < 0 ? numerator * powerOfTen(-power) : numerator;
    const down = power > 0 ? denominator * powerOfTen(power) : denominator;
    const below = (value * up) / down;
    const above = below + 1n;
    const isBelow = isEven ? below * down >= low * up : below * down > low * up;
    const isAbove = isEven ? above * down <= high * up : above * down < high * up;
    if (!isBelow && !isAbove) continue;
    const rest = 2n * value * up - (below + above) * down;
    const takesAbove = isAbove && (!isBelow || rest > 0n || (rest === 0n && above % 2n === 0n));
    const digits = takesAbove ? above : below;
    return { mantissa: mantissa < 0n ? -digits : digits, exponent: power };
  }
}

/** An upper bound for the decimal digits before the point of a number of that many bits. */
function decimalLength(bits: number): number {
  return Number((BigInt(bits) * 30103n) / 100000n) + 1;
}

function exponentMin(width: FloatWidth): number {
  const { mantissaBits, exponentBits } = layouts[width];
  return 2 - (1 << (exponentBits - 1)) - mantissaBits;
}

function withOddMantissa({ mantissa, exponent }: Binary): Binary {
  if (mantissa === 0n) return { mantissa, exponent: 0 };
  let shift = 0;
  while (((mantissa >> BigInt(shift)) & 0xffffn) === 0n) shift += 16;
  while (((mantissa >> BigInt(shift)) & 1n) === 0n) shift++;
  return { mantissa: mantissa >> BigInt(shift), exponent: exponent + shift };
}

/** The mantissa, not 0, with as many bits as a float of that width keeps, fewer only where it is subnormal. */
function withFullMantissa(binary: Binary, width: FloatWidth): Binary {
  const odd = withOddMantissa(binary);
  const shift = Math.min(layouts[width].mantissaBits + 1 - bitLength(odd.mantissa), odd.exponent - exponentMin(width));
  assert(shift >= 0, 'a float fits its width');
  return { mantissa: odd.mantissa << BigInt(shift), exponent: odd.exponent - shift };
}

function bitLength(value: bigint): number {
  return (value < 0n ? -value : value).toString(2).length;
}
