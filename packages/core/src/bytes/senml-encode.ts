/**
 * Readings into SenML packs in CBOR, deterministic and short: base time, base unit and base name are used where they save
 * bytes. Numbers are written exactly, with their trailing zeros: integers as such, others as decimal fractions (tag 4),
 * 5 bytes for `23.5`. Floats that a device sent as floats are passed on as they are.
 *
 * A device's own pack has no base name: its names lie under the device that signs. A gateway that attests names the
 * device, as base name.
 */
import { type CairnError, fail, ok, type Result } from '../result.ts';
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
import { absoluteTimeMin, packRecordsMax, senmlLabel } from './senml-label.ts';
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
  return checked(writer.finish());
}

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
    for (const number of [value.type === 'number' ? value : undefined, sum, updateTime]) {
      if (number !== undefined && number.float === undefined && !isWithinLimits(number.decimal)) {
        return `a number of "${name}" has too many digits`;
      }
    }
  }
  return null;
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

/** Writes one record, its keys in bytewise order. */
function writeRecord(writer: CborWriter, reading: ReadingInput, layout: Layout, isFirst: boolean): void {
  const { baseName, baseTime, baseUnit } = isFirst ? layout : noBase;
  const name = layout.nameOf(reading);
  const time =
    reading.time === undefined || isFirst ? null : trimDecimal(subtractDecimals(reading.time, layout.baseTime!));
  const hasTime = time !== null && time.mantissa !== 0n;
  const hasUnit = layout.baseUnit === null && reading.unit !== undefined;
  const { value, sum, updateTime } = reading;
  const flags = [name !== '', hasUnit, value.type !== 'none', sum, hasTime, updateTime, baseName, baseTime, baseUnit];
  writer.writeMapHeader(flags.filter((flag) => flag !== false && flag !== null && flag !== undefined).length);
  if (name !== '') {
    writer.writeUint(senmlLabel.name);
    writer.writeText(name);
  }
  if (hasUnit) {
    writer.writeUint(senmlLabel.unit);
    writer.writeText(reading.unit!);
  }
  // The labels of values lie on both sides of sum and time, data alone behind them.
  if (value.type !== 'data') writeValue(writer, value);
  if (sum !== undefined) writeNumber(writer, senmlLabel.sum, sum);
  if (hasTime) writeNumber(writer, senmlLabel.time, { decimal: time });
  if (updateTime !== undefined) writeNumber(writer, senmlLabel.updateTime, updateTime);
  if (value.type === 'data') writeValue(writer, value);
  if (baseName !== null) {
    writer.writeInteger(senmlLabel.baseName);
    writer.writeText(baseName);
  }
  if (baseTime !== null) writeNumber(writer, senmlLabel.baseTime, { decimal: baseTime });
  if (baseUnit !== null) {
    writer.writeInteger(senmlLabel.baseUnit);
    writer.writeText(baseUnit);
  }
}

const noBase = { baseName: null, baseTime: null, baseUnit: null };

function writeValue(writer: CborWriter, value: ReadingInput['value']): void {
  switch (value.type) {
    case 'number':
      writeNumber(writer, senmlLabel.value, value);
      break;
    case 'string':
      writer.writeUint(senmlLabel.stringValue);
      writer.writeText(value.text);
      break;
    case 'boolean':
      writer.writeUint(senmlLabel.booleanValue);
      writer.writeBoolean(value.value);
      break;
    case 'data':
      writer.writeUint(senmlLabel.dataValue);
      writer.writeBytes(value.bytes);
      break;
    default:
  }
}

function writeNumber(writer: CborWriter, label: number, number: NumberInput): void {
  writer.writeInteger(label);
  if (number.float !== undefined) writer.writeRaw(number.float);
  else writeDecimal(writer, number.decimal);
}

const int64End = 1n << 64n;

/** An integer where it is one, with the exponent 0 and 64 bits; else a decimal fraction. */
export function writeDecimal(writer: CborWriter, { mantissa, exponent }: Decimal): void {
  const isInteger64 = mantissa < int64End && mantissa >= -int64End;
  if (exponent === 0 && isInteger64) {
    writer.writeInteger(mantissa);
    return;
  }
  writer.writeTag(4);
  writer.writeArrayHeader(2);
  writer.writeInteger(exponent);
  if (isInteger64) writer.writeInteger(mantissa);
  else writeBignum(writer, mantissa);
}

function writeBignum(writer: CborWriter, value: bigint): void {
  writer.writeTag(value < 0n ? 3 : 2);
  let rest = value < 0n ? -1n - value : value;
  const bytes: number[] = [];
  for (; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 0xffn));
  writer.writeBytes(Uint8Array.from(bytes.reverse()));
}

/** Some instant that relative times may count from: whether they can be read does not depend on it. */
const anyNowMs = 1_000_000_000_000;

/** What is refused here is what every node would refuse, by the same rules. */
function checked(bytes: Uint8Array<ArrayBuffer>): Result<Uint8Array<ArrayBuffer>, CairnError> {
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
