/**
 * SenML packs (RFC 8428) in CBOR: checked and read in one pass over their bytes, without building records.
 *
 * `PackReader` stops at each record that has a value or a sum and says where its fields lie; `summarizePack` sums a pack up
 * for whoever only has to know that all of it can be read. What is checked here is all there is to check: whatever
 * `summarizePack` accepts, `decodePack` (senml.ts) reads.
 *
 * Rules beyond the RFC, and where it leaves a choice:
 *
 * - **Time is absolute when it is on the ledger.** A time below 2^28 s is relative to "now" (RFC 8428 section 4.5.3),
 *   which every node would read differently. It counts from the instant the pack is given with: for a transaction its own
 *   `iat`, signed by the device; without one such a time is refused. The result lies between 1970 and the year 9999.
 * - A time as a decimal fraction has an exponent within 18 and a mantissa of 64 bits; as a float, at most 128 bits after
 *   the point. Others would only be costly to add.
 * - A name without a base name (absent or empty) lies under the device that signs, as `device/name`, or is the device's own name when
 *   it is empty. With one it is the base name and the name put together. Either way its characters are those of RFC 8428
 *   section 4.5.1, and it has at most 255.
 * - A record has at most one of v, vs, vb, vd. One with neither value nor sum holds base fields only.
 * - The labels of the RFC are integers in CBOR, never texts. Other texts are extensions: skipped, unless they end in `_`,
 *   which means "must be understood" and refuses the pack. Other integers are refused.
 * - `bver` is at most 10 and never changes within the pack.
 */
import { CborFault, type CborReader, major } from './cbor-reader.ts';
import type { Decimal } from './decimal.ts';
import { createPayloadReader, readPayload, skipNumber } from './payload.ts';
import { nameBytesMax, packRecordsMax, senmlJsonLabels, senmlLabel, unitBytesMax } from './senml-label.ts';
import { exactTime, resolveTimeMs, TimeField } from './senml-time.ts';

const versionMax = 10;
const labelMin = senmlLabel.baseSum;
const labelMax = senmlLabel.dataValue;
const bitOf = (label: number): number => 1 << (label - labelMin);
const valueBits =
  bitOf(senmlLabel.value) |
  bitOf(senmlLabel.stringValue) |
  bitOf(senmlLabel.booleanValue) |
  bitOf(senmlLabel.dataValue);
const readingBits = valueBits | bitOf(senmlLabel.sum);
const recordBits =
  readingBits | bitOf(senmlLabel.name) | bitOf(senmlLabel.unit) | bitOf(senmlLabel.time) | bitOf(senmlLabel.updateTime);

/** Offset of a field that is absent. */
const nowhere = -1;

/** 1: a letter or digit, 2: the other characters of a name (RFC 8428 section 4.5.1). */
const nameClass = new Uint8Array(256);
for (let i = 0x30; i <= 0x39; i++) nameClass[i] = 1;
for (let i = 0x41; i <= 0x5a; i++) nameClass[i] = 1;
for (let i = 0x61; i <= 0x7a; i++) nameClass[i] = 1;
for (const character of '-:./_') nameClass[character.charCodeAt(0)] = 2;

export type PackSummary = {
  readonly readingsCount: number;
  /** Whole milliseconds since 1970, rounded to the nearest. */
  readonly timeMinMs: number;
  readonly timeMaxMs: number;
  /** The base name of the first reading; null without one: the pack lies under the device that signs. */
  readonly baseName: string | null;
  /** False where readings lie under different base names. */
  readonly isOneBaseName: boolean;
  /** Up to four different names, in order, each with its base name. */
  readonly names: readonly string[];
};

const namesMax = 4;

/** Reads a pack to its last record, checking all of it, and sums it up; throws `CborFault`. */
export function summarizePack(pack: PackReader): PackSummary {
  let readingsCount = 0;
  let timeMinMs = Number.MAX_SAFE_INTEGER;
  let timeMaxMs = 0;
  let baseName: string | null = null;
  let isOneBaseName = true;
  const names: string[] = [];
  while (pack.next()) {
    const { timeMs } = pack;
    if (timeMs < timeMinMs) timeMinMs = timeMs;
    if (timeMs > timeMaxMs) timeMaxMs = timeMs;
    if (readingsCount === 0) baseName = pack.baseName();
    else if (!pack.repeatsBaseName) isOneBaseName = false;
    if (!pack.repeatsName && names.length < namesMax) {
      const name = pack.writtenName();
      if (!names.includes(name)) names.push(name);
    }
    readingsCount++;
  }
  return { readingsCount, timeMinMs, timeMaxMs, baseName, isOneBaseName, names };
}

/** Reads the records of a pack in order. The fields say where the parts of the present record lie in the bytes. */
export class PackReader {
  readonly reader: CborReader;
  private readonly nowMs: number | null;
  private recordsLeft: number;
  private readingsCount = 0;
  private version = 0;

  baseNameStart = 0;
  baseNameEnd = 0;
  /** Offset of the item, or -1 where the field is absent; also below. */
  baseUnitAt = nowhere;
  baseValueAt = nowhere;
  baseSumAt = nowhere;
  private readonly baseTime = new TimeField();

  nameStart = 0;
  nameEnd = 0;
  unitAt = nowhere;
  valueAt = nowhere;
  /** Label of the value, where there is one. */
  valueLabel = 0;
  sumAt = nowhere;
  updateTimeAt = nowhere;
  private readonly time = new TimeField();
  /** Of the present record: absolute, rounded to whole milliseconds. */
  timeMs = 0;

  /** Whether the base name, and the base name with the name, are those of the reading before. */
  repeatsBaseName = false;
  repeatsName = false;
  private lastBaseStart = 0;
  private lastBaseEnd = 0;
  private lastNameStart = 0;
  private lastNameEnd = 0;

  /** `nowMs`: what relative times count from; null refuses them. */
  constructor(bytes: Uint8Array, start: number, end: number, nowMs: number | null) {
    this.nowMs = nowMs;
    this.reader = createPayloadReader(bytes, start, end);
    this.recordsLeft = this.reader.readArrayHeader();
    if (this.recordsLeft > packRecordsMax) refuse(start, `a pack has at most ${packRecordsMax} records`);
  }

  /** Goes on to the next record with a value or a sum; false after the last: the reader stands behind the pack then. */
  next(): boolean {
    while (this.recordsLeft > 0) {
      this.recordsLeft--;
      if (this.readRecord()) {
        this.readingsCount++;
        return true;
      }
    }
    if (this.readingsCount === 0) refuse(this.reader.offset, 'a pack holds at least one reading');
    return false;
  }

  baseName(): string | null {
    return this.baseNameEnd === this.baseNameStart
      ? null
      : asciiOf(this.reader.bytes, this.baseNameStart, this.baseNameEnd);
  }

  /** The base name, where there is one, and the name. */
  writtenName(): string {
    return (
      asciiOf(this.reader.bytes, this.baseNameStart, this.baseNameEnd) +
      asciiOf(this.reader.bytes, this.nameStart, this.nameEnd)
    );
  }

  /** The absolute time of the present record, exactly, and whether a float took part. */
  exactTime(): { decimal: Decimal; isFloat: boolean } {
    const { baseTime, time, nowMs, reader } = this;
    const isFloat = baseTime.exact(reader).floatWidth !== 0 || time.exact(reader).floatWidth !== 0;
    return { decimal: exactTime(baseTime, time, nowMs, reader), isFloat };
  }

  private readRecord(): boolean {
    const { reader } = this;
    const start = reader.offset;
    const count = reader.readMapHeader();
    this.nameStart = 0;
    this.nameEnd = 0;
    this.unitAt = nowhere;
    this.valueAt = nowhere;
    this.sumAt = nowhere;
    this.updateTimeAt = nowhere;
    this.time.clear();
    let seen = 0;
    let extensions: string[] | null = null;
    for (let i = 0; i < count; i++) {
      const labelAt = reader.offset;
      if (reader.peekMajor() === major.text) {
        extensions ??= [];
        this.readExtension(extensions);
        continue;
      }
      const label = reader.readInteger();
      if (typeof label === 'bigint' || label < labelMin || label > labelMax)
        refuse(labelAt, `${label} is no label of SenML`);
      const bit = bitOf(label);
      if ((seen & bit) !== 0) throw new CborFault('cbor.duplicate-key', 'a map key occurs twice', labelAt);
      seen |= bit;
      this.readField(label);
    }
    const values = seen & valueBits;
    if ((values & (values - 1)) !== 0) refuse(start, 'a record has at most one of v, vs, vb and vd');
    if ((seen & readingBits) === 0) {
      if ((seen & recordBits) !== 0) refuse(start, 'a record with a name, unit or time has a value or a sum');
      return false;
    }
    this.checkName(start);
    this.timeMs = resolveTimeMs(this.baseTime, this.time, this.nowMs, reader, start);
    return true;
  }

  private readField(label: number): void {
    const { reader } = this;
    const at = reader.offset;
    switch (label) {
      case senmlLabel.name: {
        const length = reader.readTextHeader();
        this.nameStart = reader.offset;
        this.nameEnd = reader.offset += length;
        return;
      }
      case senmlLabel.baseName: {
        const length = reader.readTextHeader();
        this.baseNameStart = reader.offset;
        this.baseNameEnd = reader.offset += length;
        // Checked here too, since the record may have no reading.
        checkCharacters(reader.bytes, this.baseNameStart, this.baseNameEnd, true);
        return;
      }
      case senmlLabel.time:
        this.time.read(reader);
        return;
      case senmlLabel.baseTime:
        this.baseTime.read(reader);
        return;
      case senmlLabel.unit:
        this.unitAt = at;
        this.readUnit();
        return;
      case senmlLabel.baseUnit:
        this.baseUnitAt = at;
        this.readUnit();
        return;
      case senmlLabel.value:
        this.setValue(label, at);
        skipNumber(reader, 2);
        return;
      case senmlLabel.stringValue:
        this.setValue(label, at);
        reader.skipText();
        return;
      case senmlLabel.booleanValue:
        this.setValue(label, at);
        reader.readBoolean();
        return;
      case senmlLabel.dataValue: {
        this.setValue(label, at);
        const length = reader.readBytesHeader();
        reader.offset += length;
        return;
      }
      case senmlLabel.sum:
        this.sumAt = at;
        skipNumber(reader, 2);
        return;
      case senmlLabel.updateTime:
        this.updateTimeAt = at;
        skipNumber(reader, 2);
        return;
      case senmlLabel.baseValue:
        this.baseValueAt = at;
        skipNumber(reader, 2);
        return;
      case senmlLabel.baseSum:
        this.baseSumAt = at;
        skipNumber(reader, 2);
        return;
      default: {
        const version = reader.readUint();
        if (version < 1 || version > versionMax) refuse(at, `SenML version ${version} is not known`);
        if (this.version !== 0 && this.version !== version) refuse(at, 'a pack has one version');
        this.version = version;
      }
    }
  }

  private setValue(label: number, at: number): void {
    this.valueLabel = label;
    this.valueAt = at;
  }

  private readUnit(): void {
    const { reader } = this;
    const at = reader.offset;
    reader.skipText();
    if (reader.offset - at > unitBytesMax) refuse(at, `a unit has at most ${unitBytesMax} bytes`);
  }

  private readExtension(extensions: string[]): void {
    const { reader } = this;
    const at = reader.offset;
    const key = reader.readText();
    if (senmlJsonLabels.has(key)) refuse(at, `"${key}" is an integer label in CBOR`);
    if (key.endsWith('_')) refuse(at, `"${key}" must be understood, and is not`);
    if (extensions.includes(key)) throw new CborFault('cbor.duplicate-key', 'a map key occurs twice', at);
    extensions.push(key);
    readPayload(reader, 2);
  }

  /** Names mostly repeat; then only that is checked. */
  private checkName(start: number): void {
    const { reader, baseNameStart, baseNameEnd, nameStart, nameEnd } = this;
    const { bytes } = reader;
    const isFirst = this.readingsCount === 0;
    this.repeatsBaseName = !isFirst && isSame(bytes, this.lastBaseStart, this.lastBaseEnd, baseNameStart, baseNameEnd);
    this.repeatsName = this.repeatsBaseName && isSame(bytes, this.lastNameStart, this.lastNameEnd, nameStart, nameEnd);
    if (this.repeatsName) return;
    const baseLength = baseNameEnd - baseNameStart;
    if (baseLength + nameEnd - nameStart > nameBytesMax) refuse(start, `a name has at most ${nameBytesMax} characters`);
    checkCharacters(bytes, nameStart, nameEnd, baseLength === 0);
    this.lastBaseStart = baseNameStart;
    this.lastBaseEnd = baseNameEnd;
    this.lastNameStart = nameStart;
    this.lastNameEnd = nameEnd;
  }
}

function checkCharacters(bytes: Uint8Array, start: number, end: number, isBeginning: boolean): void {
  for (let i = start; i < end; i++) {
    if (nameClass[bytes[i]!] === 0) refuse(i, 'a name is of letters, digits and - : . / _');
  }
  if (isBeginning && start < end && nameClass[bytes[start]!] !== 1)
    refuse(start, 'a name begins with a letter or digit');
}

function asciiOf(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function isSame(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return false;
  if (aStart === bStart) return true;
  for (let i = 0; i < length; i++) if (bytes[aStart + i] !== bytes[bStart + i]) return false;
  return true;
}

function refuse(at: number, message: string): never {
  throw new CborFault('senml.invalid', message, at);
}
