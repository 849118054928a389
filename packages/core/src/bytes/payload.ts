/**
 * CBOR in the payload profile of wire-format.md section 1: what devices may put into a transaction.
 *
 * Well-formed, definite lengths, valid UTF-8, no key twice, at most 8 levels; integers of any width, keys in any order,
 * finite floats, decimal fractions (tag 4) and bignums (tags 2 and 3) within limits. No other tags, no infinities, no
 * `undefined` or other simple values. Bytes that one node accepts, every node accepts, with the same value.
 *
 * A number is kept exactly: as the decimal it is. Of a float the width is kept too: its text is the shortest decimal that
 * denotes it (`23.1`), while `decimal` is its exact value (23.10000000000000142...).
 */
import type { Result } from '../result.ts';
import type { CborKey } from './cbor.ts';
import { type CborError, CborFault, CborReader, major, readCbor } from './cbor-reader.ts';
import {
  type Decimal,
  decimalExponentMax,
  decimalMantissaBytesMax,
  decimalToText,
  integerToDecimal,
} from './decimal.ts';
import { binaryToDecimal, bitsToBinary, decimalToDouble, type FloatWidth, shortestDecimal } from './float.ts';

/** `floatWidth` is 0 for what was not a float. */
export type PayloadNumber = { readonly decimal: Decimal; readonly floatWidth: FloatWidth | 0 };

export type PayloadValue =
  | PayloadNumber
  | string
  | boolean
  | null
  | Uint8Array
  | PayloadValue[]
  | Map<CborKey, PayloadValue>;

/** Arrays, maps and tags within each other. */
export const payloadDepthMax = 8;

/** A reader for the payload profile, over a part of `bytes`. */
export function createPayloadReader(bytes: Uint8Array, start = 0, end: number = bytes.length): CborReader {
  return new CborReader(bytes, start, end, true);
}

/** Decodes one value that takes up all of `bytes`. */
export function decodePayload(bytes: Uint8Array): Result<PayloadValue, CborError> {
  return readCbor(() => {
    const reader = createPayloadReader(bytes);
    const value = readPayload(reader, 0);
    reader.finish();
    return value;
  });
}

/** Reads one value of any type; throws `CborFault`. `depth` counts the levels it lies within. */
export function readPayload(reader: CborReader, depth: number): PayloadValue {
  switch (reader.peekMajor()) {
    case major.uint:
    case major.negative:
      return readNumber(reader, depth);
    case major.bytes:
      return reader.readBytes();
    case major.text:
      return reader.readText();
    case major.array: {
      requireDepth(reader, depth);
      const count = reader.readArrayHeader();
      const items: PayloadValue[] = [];
      for (let i = 0; i < count; i++) items.push(readPayload(reader, depth + 1));
      return items;
    }
    case major.map:
      return readMap(reader, depth);
    case major.tag:
      return readNumber(reader, depth);
    default:
      return readSimple(reader, depth);
  }
}

/** Reads a number of any encoding. */
export function readNumber(reader: CborReader, depth: number): PayloadNumber {
  switch (reader.peekMajor()) {
    case major.simple:
      return readFloat(reader);
    case major.tag: {
      const start = reader.offset;
      requireDepth(reader, depth);
      const tag = reader.readTag();
      if (tag === 4) return { decimal: readFraction(reader, depth + 1), floatWidth: 0 };
      if (tag !== 2 && tag !== 3) throw new CborFault('cbor.tag', `tag ${tag} is not a number`, start);
      return { decimal: integerToDecimal(readBignum(reader, tag)), floatWidth: 0 };
    }
    default:
      return { decimal: integerToDecimal(reader.readInteger()), floatWidth: 0 };
  }
}

/** Reads over a number, refusing what `readNumber` refuses. */
export function skipNumber(reader: CborReader, depth: number): void {
  const byte = reader.peekByte();
  if (byte < 0x40) {
    reader.readInteger();
  } else if (byte >= 0xe0) {
    skipFloat(reader);
  } else if (byte === 0xc4) {
    requireDepth(reader, depth);
    reader.offset++;
    readFractionHeader(reader, depth + 1);
    if (reader.peekByte() < 0x40) reader.readInteger();
    else skipMantissa(reader, depth + 2);
  } else {
    readNumber(reader, depth);
  }
}

/** The canonical text of a number; of a float, that of the shortest decimal denoting it. */
export function numberToText({ decimal, floatWidth }: PayloadNumber): string {
  if (floatWidth === 0) return decimalToText(decimal);
  const binary = decimalToDouble(decimal);
  return decimalToText(binary === null ? decimal : shortestDecimal(binary, floatWidth));
}

const floatSizes: ReadonlyMap<number, FloatWidth> = new Map([
  [0xf9, 16],
  [0xfa, 32],
  [0xfb, 64],
]);

function readFloat(reader: CborReader): PayloadNumber {
  const start = reader.offset;
  const byte = reader.peekByte();
  // What is no float of these widths, or not finite, is refused here.
  skipFloat(reader);
  const floatWidth = floatSizes.get(byte)!;
  let bits = 0n;
  for (let i = start + 1; i < reader.offset; i++) bits = (bits << 8n) | BigInt(reader.bytes[i]!);
  return { decimal: binaryToDecimal(bitsToBinary(bits, floatWidth)!), floatWidth };
}

function skipFloat(reader: CborReader): void {
  const start = reader.offset;
  const { bytes } = reader;
  const byte = reader.peekByte();
  if (byte < 0xf9 || byte > 0xfb) reader.refuse('cbor.type', 'expected a number');
  const size = 1 << (byte - 0xf8);
  if (reader.end - start <= size) reader.refuse('cbor.truncated', 'the input ends within a number');
  const first = ((bytes[start + 1]! & 0x7f) << 8) | bytes[start + 2]!;
  const exponentMask = byte === 0xf9 ? 0x7c00 : byte === 0xfa ? 0x7f80 : 0x7ff0;
  if ((first & exponentMask) === exponentMask) reader.refuse('cbor.number', 'not a finite number');
  reader.offset = start + 1 + size;
}

/** Tag 4 is read; its array follows. */
function readFraction(reader: CborReader, depth: number): Decimal {
  const exponent = readFractionHeader(reader, depth);
  return { mantissa: BigInt(readMantissa(reader, depth + 1)), exponent };
}

/** The exponent of a decimal fraction; its mantissa follows. */
export function readFractionHeader(reader: CborReader, depth: number): number {
  requireDepth(reader, depth);
  const start = reader.offset;
  if (reader.readArrayHeader() !== 2) throw new CborFault('cbor.type', 'a decimal fraction has two items', start);
  const exponent = reader.readInteger();
  if (exponent < -decimalExponentMax || exponent > decimalExponentMax) {
    throw new CborFault('cbor.number', `a decimal exponent lies within ${decimalExponentMax}`, start);
  }
  return Number(exponent);
}

function skipMantissa(reader: CborReader, depth: number): void {
  const start = reader.offset;
  if (reader.peekByte() !== 0xc2 && reader.peekByte() !== 0xc3) {
    readMantissa(reader, depth);
    return;
  }
  requireDepth(reader, depth);
  reader.offset++;
  const length = reader.readBytesHeader();
  if (length > decimalMantissaBytesMax) refuseMantissa(start);
  reader.offset += length;
}

function readMantissa(reader: CborReader, depth: number): number | bigint {
  if (reader.peekMajor() !== major.tag) return reader.readInteger();
  const start = reader.offset;
  requireDepth(reader, depth);
  const tag = reader.readTag();
  if (tag !== 2 && tag !== 3) throw new CborFault('cbor.tag', `tag ${tag} is not a mantissa`, start);
  return readBignum(reader, tag);
}

function readBignum(reader: CborReader, tag: 2 | 3): bigint {
  const start = reader.offset;
  const bytes = reader.readBytes();
  if (bytes.length > decimalMantissaBytesMax) refuseMantissa(start);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return tag === 2 ? value : -1n - value;
}

function refuseMantissa(at: number): never {
  throw new CborFault('cbor.number', `a number has at most ${decimalMantissaBytesMax} bytes`, at);
}

function readMap(reader: CborReader, depth: number): Map<CborKey, PayloadValue> {
  requireDepth(reader, depth);
  const count = reader.readMapHeader();
  const map = new Map<CborKey, PayloadValue>();
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    const key = readPayloadKey(reader);
    if (map.has(key)) throw new CborFault('cbor.duplicate-key', 'a map key occurs twice', start);
    map.set(key, readPayload(reader, depth + 1));
  }
  return map;
}

function readPayloadKey(reader: CborReader): CborKey {
  const keyMajor = reader.peekMajor();
  if (keyMajor <= major.negative) return reader.readInteger();
  if (keyMajor !== major.text) reader.refuse('cbor.key-type', 'a map key that is neither an integer nor a text');
  return reader.readText();
}

function readSimple(reader: CborReader, depth: number): PayloadValue {
  const byte = reader.peekByte();
  if (byte === 0xf4 || byte === 0xf5) return reader.readBoolean();
  if (byte === 0xf6) return reader.readNull();
  if (byte >= 0xf9 && byte <= 0xfb) return readNumber(reader, depth);
  if (byte === 0xff) reader.refuse('cbor.indefinite', 'a break outside an indefinite length');
  if (byte >= 0xfc) reader.refuse('cbor.reserved', 'a reserved header');
  return reader.refuse('cbor.simple', 'a simple value other than true, false and null');
}

function requireDepth(reader: CborReader, depth: number): void {
  if (depth >= payloadDepthMax) reader.refuse('cbor.depth', `more than ${payloadDepthMax} levels`);
}
