/**
 * Readings into SenML packs in CBOR, deterministic and short: base time, base unit and base name are used where they save
 * bytes. Numbers are written exactly, with their trailing zeros: integers as such, others as decimal fractions (tag 4),
 * 5 bytes for `23.5`. Floats that a device sent as floats are passed on as they are.
 *
 * A device's own pack has no base name: its names lie under the device that signs. A gateway that attests names the
 * device, as base name.
 */
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { type Encodable, Tagged, writeValue as writeCbor } from './cbor.ts';
import { CborFault } from './cbor-reader.ts';
import { CborWriter } from './cbor-writer.ts';
import {
  compareDecimals,
  type Decimal,
  integerToDecimal,
  isWithinLimits,
  subtractDecimals,
  trimDecimal,
} from './decimal.ts';
import { qualifyName } from './senml.ts';
import { absoluteTimeMin, packRecordsMax, senmlLabel, timeExponentMax } from './senml-label.ts';
import { PackReader } from './senml-pack.ts';

export type NumberInput = { readonly decimal: Decimal; readonly float?: Uint8Array };

/** What `encodePack` needs of a reading; a `Reading` is one. */
export type ReadingInput = {
  /** Under the device; empty for the device's own name. */
  readonly name: string;
  readonly unit?: string;
  /** Seconds since 1970. Without it the time is that of signing: the transaction needs `iat` then. */
  readonly time?: Decimal;
  readonly value:
    | ({ readonly type: 'number' } & NumberInput)
    | { readonly type: 'string'; readonly text: string }
    | { readonly type: 'boolean'; readonly value: boolean }
    | { readonly type: 'data'; readonly bytes: Uint8Array }
    | { readonly type: 'none' };
  readonly sum?: NumberInput;
  readonly updateTime?: NumberInput;
};

/** @param device whose readings these are, where somebody else signs for it */
export function encodePack(
  readings: readonly ReadingInput[],
  device?: string,
): Result<Uint8Array<ArrayBuffer>, CairnError> {
  const problem = problemOf(readings);
  if (problem !== null) return refuse(problem);
  const layout = layoutOf(readings, device);
  const writer = new CborWriter();
  writer.writeArrayHeader(readings.length);
  readings.forEach((reading, i) => {
    writeRecord(writer, reading, layout, i === 0);
  });
  return requireReadablePack(writer.finish());
}

const int64End = 1n << 64n;

/** What the pack's first record says for all of them, and how names are written. */
type Layout = {
  readonly baseName: string | null;
  readonly baseTime: Decimal | null;
  readonly baseUnit: string | null;
  readonly nameOf: (reading: ReadingInput) => string;
};

function problemOf(readings: readonly ReadingInput[]): string | null {
  if (readings.length === 0) return 'there are no readings';
  if (readings.length > packRecordsMax) return `a pack has at most ${packRecordsMax} readings`;
  const hasTime = readings[0]!.time !== undefined;
  for (const { name, time, value, sum, updateTime } of readings) {
    if ((time !== undefined) !== hasTime) return 'some readings have a time and some have none';
    if (time !== undefined && compareDecimals(time, integerToDecimal(absoluteTimeMin)) < 0) {
      return `the time of "${name}" is before 1978: times are seconds since 1970, from 2^28`;
    }
    if (time !== undefined && !isTime(trimDecimal(time))) return `the time of "${name}" has too many digits`;
    for (const number of [value.type === 'number' ? value : undefined, sum, updateTime]) {
      if (number !== undefined && number.float === undefined && !isWithinLimits(number.decimal)) {
        return `a number of "${name}" has too many digits`;
      }
    }
  }
  return null;
}

/** So far the offsets between times are within the limits of a time too. */
function isTime({ mantissa, exponent }: Decimal): boolean {
  return exponent >= -timeExponentMax && mantissa < int64End;
}

function layoutOf(readings: readonly ReadingInput[], device: string | undefined): Layout {
  const [first] = readings as readonly [ReadingInput];
  const isOneUnit = readings.every((reading) => reading.unit === first.unit);
  const baseTime = first.time === undefined ? null : trimDecimal(first.time);
  const rest = { baseTime, baseUnit: (isOneUnit ? first.unit : undefined) ?? null };
  if (device === undefined) return { ...rest, baseName: null, nameOf: (reading) => reading.name };
  if (readings.every((reading) => reading.name === first.name)) {
    return { ...rest, baseName: qualifyName(device, first.name), nameOf: () => '' };
  }
  if (readings.every((reading) => reading.name !== '')) {
    return { ...rest, baseName: `${device}/`, nameOf: (reading) => reading.name };
  }
  return { ...rest, baseName: device, nameOf: (reading) => (reading.name === '' ? '' : `/${reading.name}`) };
}

function writeRecord(writer: CborWriter, reading: ReadingInput, layout: Layout, isFirst: boolean): void {
  const fields = fieldsOf(reading, layout);
  if (isFirst) {
    const { baseName, baseTime, baseUnit } = layout;
    if (baseName !== null) fields.push([senmlLabel.baseName, baseName]);
    if (baseTime !== null) fields.push([senmlLabel.baseTime, decimalToEncodable(baseTime)]);
    if (baseUnit !== null) fields.push([senmlLabel.baseUnit, baseUnit]);
  }
  writer.writeMapHeader(fields.length);
  for (const [label, field] of fields) {
    writer.writeInteger(label);
    if (field instanceof Float) writer.writeRaw(field.item);
    else writeCbor(writer, field);
  }
}

/** A float's item as it came, which `Encodable` has no value for. */
class Float {
  readonly item: Uint8Array;
  constructor(item: Uint8Array) {
    this.item = item;
  }
}

type Field = [label: number, value: Encodable | Float];

/** The fields of a reading's own, their labels in bytewise order. */
function fieldsOf(reading: ReadingInput, layout: Layout): Field[] {
  const { unit, time, value, sum, updateTime } = reading;
  const fields: Field[] = [];
  const name = layout.nameOf(reading);
  if (name !== '') fields.push([senmlLabel.name, name]);
  if (unit !== undefined && layout.baseUnit === null) fields.push([senmlLabel.unit, unit]);
  if (value.type === 'number') fields.push([senmlLabel.value, numberField(value)]);
  if (value.type === 'string') fields.push([senmlLabel.stringValue, value.text]);
  if (value.type === 'boolean') fields.push([senmlLabel.booleanValue, value.value]);
  if (sum !== undefined) fields.push([senmlLabel.sum, numberField(sum)]);
  if (time !== undefined) {
    const offset = trimDecimal(subtractDecimals(time, layout.baseTime!));
    if (offset.mantissa !== 0n) fields.push([senmlLabel.time, decimalToEncodable(offset)]);
  }
  if (updateTime !== undefined) fields.push([senmlLabel.updateTime, numberField(updateTime)]);
  if (value.type === 'data') fields.push([senmlLabel.dataValue, value.bytes]);
  return fields;
}

function numberField({ decimal, float }: NumberInput): Encodable | Float {
  return float === undefined ? decimalToEncodable(decimal) : new Float(float);
}

/** An integer where the exponent is 0 and 64 bits are enough; else a decimal fraction, of a bignum where needed. */
export function decimalToEncodable({ mantissa, exponent }: Decimal): Encodable {
  const isInteger64 = mantissa < int64End && mantissa >= -int64End;
  if (exponent === 0 && isInteger64) return mantissa;
  return new Tagged<Encodable>(4, [exponent, isInteger64 ? mantissa : bignumOf(mantissa)]);
}

function bignumOf(value: bigint): Tagged<Encodable> {
  const bytes: number[] = [];
  for (let rest = value < 0n ? -1n - value : value; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 0xffn));
  return new Tagged<Encodable>(value < 0n ? 3 : 2, Uint8Array.from(bytes.reverse()));
}

/** Some instant that relative times may count from: whether they can be read does not depend on it. */
const anyNowMs = 1_000_000_000_000;

/** Refuses the packs that every node would refuse, by the same rules. */
export function requireReadablePack(bytes: Uint8Array<ArrayBuffer>): Result<Uint8Array<ArrayBuffer>, CairnError> {
  try {
    const pack = new PackReader(bytes, 0, bytes.length, anyNowMs);
    while (pack.next());
    return ok(bytes);
  } catch (fault) {
    if (fault instanceof CborFault) return refuse(fault.error.message);
    throw fault;
  }
}

function refuse(message: string): Result<never, CairnError> {
  return fail({ code: 'senml.malformed', message });
}
