/**
 * Exact decimal numbers: mantissa times a power of ten, as in CBOR's decimal fractions (RFC 8949 section 3.4.4).
 *
 * The exponent is kept as written, so that `1.0` (10, -1) and `1` (1, 0) are equal in value and differ in text. The text
 * of a decimal is canonical:
 *
 * - digits after the point as many as the exponent says: `73.96732207`, `1.0`, `-0.50`;
 * - a positive exponent stays one: `1e3`, `15e2` (from `1.5e3`);
 * - a fraction with more than 40 zeros between point and digits is written with an exponent: `1e-60`;
 * - no plus sign, no leading zeros, no negative zero (`-0` is `0`).
 *
 * So every plain decimal text of a JSON number comes back as it was, and every other one as another text of exactly the
 * same value. Texts are in the grammar of JSON numbers.
 */
import { assert } from '../result.ts';

export type Decimal = { readonly mantissa: bigint; readonly exponent: number };

/** Limits of a number from outside: its exponent, and the size of its mantissa. */
export const decimalExponentMax = 400;
export const decimalMantissaBytesMax = 64;
const mantissaEnd = 1n << BigInt(8 * decimalMantissaBytesMax);

/** Zeros after the point, before the first digit, up to which a fraction is written without an exponent. */
const leadingZerosMax = 40;

/** JSON's grammar, and what loggers write besides: `+1`, `007`, `.5`, `5.`. */
const numberPattern = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,9}))?$/;
/** Longer texts are refused unread; a number within the limits needs far fewer characters. */
const textLengthMax = 1024;

/** Reads a number's text exactly; null when it is none, or beyond the limits. */
export function textToDecimal(text: string): Decimal | null {
  if (text.length > textLengthMax) return null;
  const match = numberPattern.exec(text);
  if (match === null) return null;
  const [, sign, whole = '', afterPoint, onlyFraction, exponent = '0'] = match;
  const fraction = afterPoint ?? onlyFraction ?? '';
  const magnitude = BigInt(whole + fraction);
  const decimal = {
    mantissa: sign === '-' ? -magnitude : magnitude,
    exponent: Number.parseInt(exponent, 10) - fraction.length,
  };
  return isWithinLimits(decimal) ? decimal : null;
}

/** True for a decimal that may be written to the ledger. */
export function isWithinLimits({ mantissa, exponent }: Decimal): boolean {
  return (
    exponent >= -decimalExponentMax &&
    exponent <= decimalExponentMax &&
    mantissa < mantissaEnd &&
    mantissa > -mantissaEnd
  );
}

/** The canonical text; see the head of this file. */
export function decimalToText({ mantissa, exponent }: Decimal): string {
  if (exponent > 0) return `${mantissa}e${exponent}`;
  if (exponent === 0) return mantissa.toString();
  const sign = mantissa < 0n ? '-' : '';
  const digits = (mantissa < 0n ? -mantissa : mantissa).toString();
  const fractionLength = -exponent;
  if (digits.length > fractionLength) {
    const point = digits.length - fractionLength;
    return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  }
  const zeros = fractionLength - digits.length;
  return zeros > leadingZerosMax ? `${sign}${digits}e${exponent}` : `${sign}0.${'0'.repeat(zeros)}${digits}`;
}

export function integerToDecimal(value: number | bigint): Decimal {
  return { mantissa: BigInt(value), exponent: 0 };
}

/** Exact; the result has the smaller exponent of the two. */
export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const exponent = a.exponent < b.exponent ? a.exponent : b.exponent;
  return { mantissa: mantissaAt(a, exponent) + mantissaAt(b, exponent), exponent };
}

export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  return addDecimals(a, { mantissa: -b.mantissa, exponent: b.exponent });
}

/** Below, equal (whatever the exponents) or above: negative, 0, positive. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const { mantissa } = subtractDecimals(a, b);
  return mantissa < 0n ? -1 : mantissa > 0n ? 1 : 0;
}

/** The same value without trailing zeros after the point; an integer gets the exponent 0. */
export function trimDecimal({ mantissa, exponent }: Decimal): Decimal {
  if (exponent >= 0)
    return exponent === 0 ? { mantissa, exponent } : { mantissa: mantissa * powerOfTen(exponent), exponent: 0 };
  let trimmed = mantissa;
  let at = exponent;
  while (at < 0 && trimmed % 10n === 0n) {
    trimmed /= 10n;
    at++;
  }
  return { mantissa: trimmed, exponent: at };
}

/** The nearest integer of `decimal` x 10^`shift`; halves go up. */
export function roundDecimal({ mantissa, exponent }: Decimal, shift: number): bigint {
  const scale = exponent + shift;
  if (scale >= 0) return mantissa * powerOfTen(scale);
  const unit = powerOfTen(-scale);
  const doubled = 2n * mantissa + unit;
  const quotient = doubled / (2n * unit);
  return doubled < 0n && quotient * 2n * unit !== doubled ? quotient - 1n : quotient;
}

function mantissaAt({ mantissa, exponent }: Decimal, lower: number): bigint {
  return exponent === lower ? mantissa : mantissa * powerOfTen(exponent - lower);
}

const powers: bigint[] = [1n];

/** 10^`exponent`, remembered. At most some thousand: exponents are limited where numbers are read. */
export function powerOfTen(exponent: number): bigint {
  assert(exponent >= 0 && exponent < 4096, 'a power of ten is of a limited exponent');
  for (let i = powers.length; i <= exponent; i++) powers.push(powers[i - 1]! * 10n);
  return powers[exponent]!;
}
