/**
 * Readings: SenML packs (RFC 8428) resolved, with exact numbers and times.
 *
 * The rules of packs are in senml-pack.ts. Here each record becomes a reading that stands on its own: full name, unit,
 * absolute time, base value and base sum added. Sums are exact decimals. Where a float took part the text of the result is
 * the shortest decimal denoting the double it is, if it is one (a time is rounded to nanoseconds if it is none): `1276020076.001` as a double, less 5, gives
 * `1276020071.001`, as people expect.
 */
import type { CairnError, Result } from '../result.ts';
import { fail, ok } from '../result.ts';
import { CborFault } from './cbor-reader.ts';
import { addDecimals, type Decimal, decimalToText, roundDecimal, trimDecimal } from './decimal.ts';
import { decimalToDouble, shortestDecimal } from './float.ts';
import { createPayloadReader, numberToText, type PayloadNumber, readNumber } from './payload.ts';
import { senmlLabel } from './senml-label.ts';
import { PackReader } from './senml-pack.ts';

/** `text` is canonical (decimal.ts): a JSON number of the same value; plain decimals come back as they went in. */
export type ReadingNumber = {
  readonly decimal: Decimal;
  readonly text: string;
  /** Where a float was sent as such: its CBOR item, to be passed on unchanged. */
  readonly float?: Uint8Array;
};

export type ReadingValue =
  | ({ readonly type: 'number' } & ReadingNumber)
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  /** Only a sum was sent. */
  | { readonly type: 'none' };

export type Reading = {
  readonly name: string;
  readonly unit?: string;
  /** Seconds since 1970, without trailing zeros: exact; where a float took part, see the head of this file. */
  readonly time: Decimal;
  readonly timeText: string;
  /** Whole milliseconds since 1970, rounded to the nearest. */
  readonly timeMs: number;
  readonly value: ReadingValue;
  readonly sum?: ReadingNumber;
  /** Seconds until the next reading at the latest. */
  readonly updateTime?: ReadingNumber;
};

export type PackOptions = {
  /** Name of the device: `name` lies under it where the pack has no base name. Without it names stay as written. */
  readonly device?: string;
  /** What relative times count from; without it they are refused. Whole milliseconds. */
  readonly nowMs?: number;
};

/** Decodes a CBOR pack into readings; the error says what is wrong and at which byte. */
export function decodePack(bytes: Uint8Array, options: PackOptions = {}): Result<Reading[], CairnError> {
  try {
    const pack = new PackReader(bytes, 0, bytes.length, options.nowMs ?? null);
    const readings: Reading[] = [];
    while (pack.next()) readings.push(currentReading(pack, options.device));
    pack.reader.finish();
    return ok(readings);
  } catch (fault) {
    if (fault instanceof CborFault) return fail({ code: 'senml.malformed', message: fault.error.message });
    throw fault;
  }
}

/** The name of a reading that a device sent without a base name. */
export function qualifyName(device: string, name: string): string {
  return name === '' ? device : `${device}/${name}`;
}

/** The device that a base name lies under, where it begins with `member/device`; null where it does not. */
export function deviceOfBaseName(baseName: string): string | null {
  return /^[a-z0-9-]{1,32}\/[a-z0-9-]{1,32}(?=$|\/)/.exec(baseName)?.[0] ?? null;
}

function currentReading(pack: PackReader, device: string | undefined): Reading {
  const unit = textAt(pack, pack.unitAt) ?? textAt(pack, pack.baseUnitAt);
  const sum = sumAt(pack);
  const updateTime = numberAt(pack, pack.updateTimeAt);
  const time = timeOf(pack);
  const written = pack.writtenName();
  return {
    name: device === undefined || pack.baseName() !== null ? written : qualifyName(device, written),
    ...(unit !== null && { unit }),
    time,
    timeText: decimalToText(time),
    timeMs: pack.timeMs,
    value: readingValueOf(pack),
    ...(sum !== null && { sum }),
    ...(updateTime !== null && { updateTime: toReadingNumber(updateTime) }),
  };
}

function readingValueOf(pack: PackReader): ReadingValue {
  const { valueAt } = pack;
  if (valueAt < 0) return { type: 'none' };
  const reader = createPayloadReader(pack.reader.bytes, valueAt, pack.reader.end);
  switch (pack.valueLabel) {
    case senmlLabel.value: {
      const number = readNumber(reader, 2);
      const base = numberAt(pack, pack.baseValueAt);
      if (base !== null) return { type: 'number', ...toReadingNumber(add(base, number)) };
      if (number.floatWidth === 0) return { type: 'number', ...toReadingNumber(number) };
      return { type: 'number', ...toReadingNumber(number), float: pack.reader.bytes.subarray(valueAt, reader.offset) };
    }
    case senmlLabel.stringValue:
      return { type: 'string', text: reader.readText() };
    case senmlLabel.booleanValue:
      return { type: 'boolean', value: reader.readBoolean() };
    default:
      return { type: 'data', bytes: reader.readBytes() };
  }
}

/** A base sum is added to the sum of a record; it makes none where the record has none. */
function sumAt(pack: PackReader): ReadingNumber | null {
  const sum = numberAt(pack, pack.sumAt);
  if (sum === null) return null;
  const base = numberAt(pack, pack.baseSumAt);
  return toReadingNumber(base === null ? sum : add(base, sum));
}

/** Places after the point that are kept of a time in which a float took part and that is no double. */
const floatTimePlaces = 9;

function timeOf(pack: PackReader): Decimal {
  const { decimal, isFloat } = pack.exactTime();
  if (!isFloat) return trimDecimal(decimal);
  const double = decimalToDouble(decimal);
  const rounded = { mantissa: roundDecimal(decimal, floatTimePlaces), exponent: -floatTimePlaces };
  return trimDecimal(double === null ? rounded : shortestDecimal(double, 64));
}

function add(a: PayloadNumber, b: PayloadNumber): PayloadNumber {
  const decimal = addDecimals(a.decimal, b.decimal);
  const isFloat = a.floatWidth !== 0 || b.floatWidth !== 0;
  return { decimal, floatWidth: isFloat && decimalToDouble(decimal) !== null ? 64 : 0 };
}

function numberAt(pack: PackReader, offset: number): PayloadNumber | null {
  return offset < 0 ? null : readNumber(createPayloadReader(pack.reader.bytes, offset, pack.reader.end), 2);
}

function textAt(pack: PackReader, offset: number): string | null {
  return offset < 0 ? null : createPayloadReader(pack.reader.bytes, offset, pack.reader.end).readText();
}

function toReadingNumber(number: PayloadNumber): ReadingNumber {
  return { decimal: number.decimal, text: numberToText(number) };
}
