/**
 * Times of SenML records: the base time and a record's own, read in place and added exactly, to whole milliseconds.
 *
 * Most times are whole milliseconds, or floats; those are added without decimals, since every node does it for every
 * reading. The result is the same as of the exact sum, rounded to the nearest millisecond (halves go up).
 */
import { CborFault, type CborReader } from './cbor-reader.ts';
import { addDecimals, compareDecimals, type Decimal, integerToDecimal, roundDecimal } from './decimal.ts';
import { createPayloadReader, type PayloadNumber, readFractionHeader, readNumber, skipNumber } from './payload.ts';
import { absoluteTimeMin, timeExponentMax, timeFloatBitsMax, timeMsMax } from './senml-label.ts';

/** Integers up to this are taken as milliseconds without bigints; a sum of three stays safe. */
const secondsMax = 1_000_000_000_000;
const millisecondsMax = 1_000_000_000_000_000;
const two32 = 0x1_0000_0000;
const absoluteTimeMinMs = absoluteTimeMin * 1000;
const absoluteTimeMinDecimal = integerToDecimal(absoluteTimeMin);
const zero: PayloadNumber = { decimal: { mantissa: 0n, exponent: 0 }, floatWidth: 0 };

/** One field, t or bt: zero until it is read. */
export class TimeField {
  /** Offset of its item, or -1. */
  private at = -1;
  /** Of a time that is whole milliseconds. */
  wholeMs = 0;
  /** Of a float: mantissa / 2^shift seconds. The shift is 0 for what was not a float. */
  mantissa = 0;
  shift = 0;
  /** False where neither form fits: then only `exact` says what it is. */
  isSimple = true;

  clear(): void {
    this.at = -1;
    this.wholeMs = 0;
    this.mantissa = 0;
    this.shift = 0;
    this.isSimple = true;
  }

  /** Reads the number at the reader, refusing what no time needs. */
  read(reader: CborReader): void {
    this.clear();
    this.at = reader.offset;
    const byte = reader.peekByte();
    if (byte < 0x40) this.setSeconds(reader.readInteger(), 0);
    else if (byte >= 0xe0) this.readFloat(reader);
    else this.readFraction(reader);
  }

  exact(reader: CborReader): PayloadNumber {
    return this.at < 0 ? zero : readNumber(createPayloadReader(reader.bytes, this.at, reader.end), 2);
  }

  private readFraction(reader: CborReader): void {
    const start = reader.offset;
    if (reader.readTag() !== 4) refuse(start, 'a time is an integer, a decimal fraction or a float');
    const exponent = readFractionHeader(reader, 3);
    if (exponent > timeExponentMax || exponent < -timeExponentMax) {
      refuse(start, `a time has an exponent within ${timeExponentMax}`);
    }
    this.setSeconds(reader.readInteger(), exponent);
  }

  private setSeconds(mantissa: number | bigint, exponent: number): void {
    const scale = exponent === 0 ? 1000 : exponent === -3 ? 1 : exponent === -2 ? 10 : exponent === -1 ? 100 : 0;
    const max = scale === 1 ? millisecondsMax : secondsMax;
    this.isSimple = scale > 0 && typeof mantissa === 'number' && mantissa <= max && mantissa >= -max;
    if (this.isSimple) this.wholeMs = (mantissa as number) * scale;
  }

  private readFloat(reader: CborReader): void {
    const start = reader.offset;
    skipNumber(reader, 2);
    const { bytes } = reader;
    const first = ((bytes[start + 1]! << 8) | bytes[start + 2]!) >>> 0;
    const isNegative = first >= 0x8000;
    let mantissa: number;
    let field: number;
    let shift: number;
    switch (reader.offset - start) {
      case 3:
        field = (first & 0x7c00) >> 10;
        mantissa = (first & 0x3ff) + (field === 0 ? 0 : 0x400);
        shift = 25;
        break;
      case 5:
        field = (first & 0x7f80) >> 7;
        mantissa =
          (first & 0x7f) * 0x1_0000 + bytes[start + 3]! * 0x100 + bytes[start + 4]! + (field === 0 ? 0 : 0x80_0000);
        shift = 150;
        break;
      default:
        field = (first & 0x7ff0) >> 4;
        mantissa =
          ((first & 0xf) + (field === 0 ? 0 : 0x10)) * 0x1_0000 + bytes[start + 3]! * 0x100 + bytes[start + 4]!;
        mantissa =
          mantissa * two32 +
          bytes[start + 5]! * 0x100_0000 +
          bytes[start + 6]! * 0x1_0000 +
          bytes[start + 7]! * 0x100 +
          bytes[start + 8]!;
        shift = 1075;
    }
    shift -= field === 0 ? 1 : field;
    if (mantissa === 0) return;
    for (; shift > 0 && mantissa % 2 === 0; shift--) mantissa /= 2;
    if (shift > timeFloatBitsMax) refuse(start, `a time has at most ${timeFloatBitsMax} bits after the point`);
    this.isSimple = shift >= 0;
    this.mantissa = isNegative ? -mantissa : mantissa;
    this.shift = shift;
    if (shift === 0) this.setSeconds(this.mantissa, 0);
  }
}

/**
 * The absolute time of a record, in whole milliseconds.
 *
 * @param nowMs what relative times count from; null refuses them
 * @param at where the record begins, for errors
 */
export function resolveTimeMs(
  base: TimeField,
  own: TimeField,
  nowMs: number | null,
  reader: CborReader,
  at: number,
): number {
  const wholeMs = base.wholeMs + own.wholeMs;
  let ms: number;
  if (!base.isSimple || !own.isSimple) {
    const rounded = roundDecimal(exactTime(base, own, nowMs, reader), 3);
    ms = rounded >= 0n && rounded <= BigInt(timeMsMax) ? Number(rounded) : -1;
  } else if (base.shift === 0 && own.shift === 0) {
    ms = wholeMs < absoluteTimeMinMs ? wholeMs + requireNow(nowMs, at) : wholeMs;
  } else {
    const shift = BigInt(base.shift > own.shift ? base.shift : own.shift);
    const sum = (BigInt(wholeMs) << shift) + scaledMs(base, shift) + scaledMs(own, shift);
    ms = Number((2n * sum + (1n << shift)) >> (shift + 1n));
    if (sum < BigInt(absoluteTimeMinMs) << shift) ms += requireNow(nowMs, at);
  }
  if (ms < 0 || ms > timeMsMax) refuse(at, 'a time lies between 1970 and the year 9999');
  return ms;
}

/** The absolute time of a record, exactly. */
export function exactTime(base: TimeField, own: TimeField, nowMs: number | null, reader: CborReader): Decimal {
  const sum = addDecimals(base.exact(reader).decimal, own.exact(reader).decimal);
  if (compareDecimals(sum, absoluteTimeMinDecimal) >= 0) return sum;
  return addDecimals(sum, { mantissa: BigInt(requireNow(nowMs, reader.offset)), exponent: -3 });
}

/** Milliseconds x 2^`shift` of what is a float. */
function scaledMs(field: TimeField, shift: bigint): bigint {
  return field.shift === 0 ? 0n : (BigInt(field.mantissa) * 1000n) << (shift - BigInt(field.shift));
}

function requireNow(nowMs: number | null, at: number): number {
  if (nowMs !== null) return nowMs;
  return refuse(
    at,
    'a relative time, and nothing it counts from: send absolute times (t or bt from 2^28), or sign with iat',
  );
}

function refuse(at: number, message: string): never {
  throw new CborFault('senml.invalid', message, at);
}
