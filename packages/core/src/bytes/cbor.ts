/**
 * CBOR in the strict profile of wire-format.md section 1: one value has exactly one encoding (RFC 8949 section 4.2.1).
 *
 * Shortest integers and lengths, definite lengths, map keys sorted bytewise and never twice, valid UTF-8, no floats, no
 * `undefined` or other simple values, only the tags the caller names, at most 16 levels, nothing after the value. The
 * decoder itself enforces this, while reading; encoding again and comparing is only how it is tested.
 *
 * Map keys are integers or texts; the profile has no use for others. Integers decode to `number` where that is safe and to
 * `bigint` elsewhere. Byte strings are views of the input: whoever keeps a small one keeps the whole input alive.
 */
import { assert, type Result } from '../result.ts';
import { type CborError, CborFault, CborReader, cborItemsMax, major, readCbor } from './cbor-reader.ts';
import { CborWriter } from './cbor-writer.ts';

export type { CborError } from './cbor-reader.ts';
export { CborReader } from './cbor-reader.ts';
export { CborWriter } from './cbor-writer.ts';

export type CborKey = number | bigint | string;

/** A value as decoded. */
export type Cbor = number | bigint | string | boolean | null | Uint8Array | Cbor[] | Map<CborKey, Cbor> | Tagged;

/** A value to encode: as decoded, or read-only. */
export type Encodable =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<CborKey, Encodable>
  | Tagged<Encodable>;

export class Tagged<T = Cbor> {
  readonly tag: number;
  readonly value: T;
  constructor(tag: number, value: T) {
    this.tag = tag;
    this.value = value;
  }
}

/** Arrays, maps and tags within each other. */
export const cborDepthMax = 16;

export type CborOptions = {
  readonly tags?: readonly number[];
  /** Items in all arrays and maps together, `cborItemsMax` unless told. */
  readonly itemsMax?: number;
};

const noTags: readonly number[] = [];

/** Decodes one value that takes up all of `bytes`. `tags`: the numbers allowed, none by default. */
export function decodeCbor(bytes: Uint8Array, options: CborOptions = {}): Result<Cbor, CborError> {
  return readCbor(() => {
    const reader = new CborReader(bytes);
    reader.itemsLeft = options.itemsMax ?? cborItemsMax;
    const value = readValue(reader, options.tags ?? noTags);
    reader.finish();
    return value;
  });
}

/** Reads one value of any type from a strict reader; throws `CborFault`. `depth` counts the levels it lies within. */
export function readValue(reader: CborReader, tags: readonly number[] = noTags, depth = 0): Cbor {
  switch (reader.peekMajor()) {
    case major.uint:
    case major.negative:
      return reader.readInteger();
    case major.bytes:
      return reader.readBytes();
    case major.text:
      return reader.readText();
    case major.array: {
      if (depth >= cborDepthMax) refuseDepth(reader);
      const start = reader.offset;
      const count = reader.readArrayHeader();
      countItems(reader, count, start);
      const items: Cbor[] = [];
      for (let i = 0; i < count; i++) items.push(readValue(reader, tags, depth + 1));
      return items;
    }
    case major.map:
      return readMap(reader, tags, depth);
    case major.tag: {
      if (depth >= cborDepthMax) refuseDepth(reader);
      const start = reader.offset;
      const tag = reader.readTag();
      if (!tags.includes(tag)) throw new CborFault('cbor.tag', `tag ${tag} is not allowed here`, start);
      return new Tagged(tag, readValue(reader, tags, depth + 1));
    }
    default:
      return readSimple(reader);
  }
}

/** Encodes `value`, sorting map keys; equal values give equal bytes. */
export function encodeCbor(value: Encodable): Uint8Array<ArrayBuffer> {
  scratch.clear();
  writeValue(scratch, value, 0);
  return scratch.finish();
}

/** Reused by every `encodeCbor`: nothing of a caller's runs while it is in use. */
const scratch = new CborWriter();

export function writeValue(writer: CborWriter, value: Encodable, depth = 0): void {
  if (typeof value === 'number' || typeof value === 'bigint') writer.writeInteger(value);
  else if (typeof value === 'string') writer.writeText(value);
  else if (typeof value === 'boolean') writer.writeBoolean(value);
  else if (value === null) writer.writeNull();
  else if (value instanceof Uint8Array) writer.writeBytes(value);
  else writeContainer(writer, value, depth);
}

function writeContainer(
  writer: CborWriter,
  value: readonly Encodable[] | ReadonlyMap<CborKey, Encodable> | Tagged<Encodable>,
  depth: number,
): void {
  assert(depth < cborDepthMax, 'a value to encode is at most 16 levels deep');
  if (Array.isArray(value)) {
    writer.writeArrayHeader(value.length);
    for (const item of value) writeValue(writer, item, depth + 1);
  } else if (value instanceof Map) {
    writeMap(writer, value, depth);
  } else {
    assert(value instanceof Tagged, 'a value to encode is of a type that CBOR has');
    writer.writeTag(value.tag);
    writeValue(writer, value.value, depth + 1);
  }
}

function writeMap(writer: CborWriter, map: ReadonlyMap<CborKey, Encodable>, depth: number): void {
  const entries = [...map];
  if (entries.length > 1) entries.sort(([a], [b]) => compareKeys(a, b));
  writer.writeMapHeader(entries.length);
  let previous: CborKey | undefined;
  for (const [key, value] of entries) {
    assert(
      previous === undefined || compareKeys(previous, key) !== 0,
      'a map to encode has no key twice (as 1 and 1n)',
    );
    writeValue(writer, key, depth + 1);
    writeValue(writer, value, depth + 1);
    previous = key;
  }
}

/** The bytewise order of encoded keys: non-negative integers, negative ones from -1 down, texts by length and bytes. */
export function compareKeys(a: CborKey, b: CborKey): number {
  if (typeof a === 'string') return typeof b === 'string' ? compareTexts(a, b) : 1;
  if (typeof b === 'string') return -1;
  if (a < 0) return b >= 0 || a < b ? 1 : a > b ? -1 : 0;
  return b < 0 || a < b ? -1 : a > b ? 1 : 0;
}

const utf8 = new TextEncoder();

function compareTexts(a: string, b: string): number {
  const x = utf8.encode(a);
  const y = utf8.encode(b);
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return 0;
}

function readMap(reader: CborReader, tags: readonly number[], depth: number): Map<CborKey, Cbor> {
  if (depth >= cborDepthMax) refuseDepth(reader);
  const at = reader.offset;
  const count = reader.readMapHeader();
  countItems(reader, 2 * count, at);
  const map = new Map<CborKey, Cbor>();
  let previousStart = 0;
  let previousEnd = 0;
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    const key = readKey(reader);
    const end = reader.offset;
    if (i > 0) requireOrder(reader.bytes, previousStart, previousEnd, start, end);
    map.set(key, readValue(reader, tags, depth + 1));
    previousStart = start;
    previousEnd = end;
  }
  return map;
}

function readKey(reader: CborReader): CborKey {
  const keyMajor = reader.peekMajor();
  if (keyMajor <= major.negative) return reader.readInteger();
  if (keyMajor !== major.text) reader.refuse('cbor.key-type', 'a map key that is neither an integer nor a text');
  return reader.readText();
}

function requireOrder(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): void {
  // No encoded key is the beginning of another, so the first difference decides.
  for (let i = 0; aStart + i < aEnd && bStart + i < bEnd; i++) {
    const a = bytes[aStart + i]!;
    const b = bytes[bStart + i]!;
    if (a < b) return;
    if (a > b) throw new CborFault('cbor.key-order', 'map keys are not sorted', bStart);
  }
  throw new CborFault('cbor.duplicate-key', 'a map key occurs twice', bStart);
}

function readSimple(reader: CborReader): boolean | null {
  const byte = reader.peekByte();
  if (byte === 0xf4 || byte === 0xf5) return reader.readBoolean();
  if (byte === 0xf6) return reader.readNull();
  if (byte === 0xff) reader.refuse('cbor.indefinite', 'a break outside an indefinite length');
  if (byte >= 0xf9 && byte <= 0xfb) reader.refuse('cbor.float', 'a floating-point number');
  if (byte >= 0xfc) reader.refuse('cbor.reserved', 'a reserved header');
  return reader.refuse('cbor.simple', 'a simple value other than true, false and null');
}

/** Small items become large objects: without a limit a frame of 8 MiB would take gigabytes. */
function countItems(reader: CborReader, count: number, start: number): void {
  reader.itemsLeft -= count;
  if (reader.itemsLeft < 0) throw new CborFault('cbor.items', 'more items than a value may have', start);
}

function refuseDepth(reader: CborReader): never {
  return reader.refuse('cbor.depth', `more than ${cborDepthMax} levels`);
}
