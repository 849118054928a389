/**
 * A streaming reader of CBOR items (RFC 8949) over bytes in memory: what hot paths use instead of building a tree.
 *
 * Every read checks the item's type, its header and that its content lies within the input, before anything is
 * allocated. Always refused: indefinite lengths, reserved headers, invalid UTF-8. A strict reader (the default) also
 * refuses every integer and length that is not in its shortest form; a reader with `anyWidth` does not (the payload
 * profile of wire-format.md section 1).
 *
 * Reads throw `CborFault`, a plain object without a stack; `readCbor` turns it into a typed error. Byte strings are views
 * of the input, always plain `Uint8Array` even over a `Buffer`.
 */
import { fail, ok, type Result } from '../result.ts';

export type CborErrorCode =
  | 'cbor.truncated'
  | 'cbor.trailing'
  | 'cbor.not-shortest'
  | 'cbor.indefinite'
  | 'cbor.reserved'
  | 'cbor.type'
  | 'cbor.range'
  | 'cbor.float'
  | 'cbor.simple'
  | 'cbor.tag'
  | 'cbor.utf8'
  | 'cbor.key-type'
  | 'cbor.key-order'
  | 'cbor.duplicate-key'
  | 'cbor.depth'
  | 'cbor.items'
  | 'cbor.number'
  | 'senml.invalid';

/** `offset` is where in the input the refused item begins. */
export type CborError = { readonly code: CborErrorCode; readonly message: string; readonly offset: number };

/** Thrown while reading. Not an Error: it carries no stack, so that refusing costs little and depends on nothing. */
export class CborFault {
  readonly error: CborError;
  constructor(code: CborErrorCode, message: string, offset: number) {
    this.error = { code, message: `${message} (at byte ${offset})`, offset };
  }
}

/** Runs `read` and turns a fault into a typed error; every other exception passes. */
export function readCbor<T>(read: () => T): Result<T, CborError> {
  try {
    return ok(read());
  } catch (fault) {
    if (fault instanceof CborFault) return fail(fault.error);
    throw fault;
  }
}

/** The major types of RFC 8949 section 3.1: the upper three bits of an item's first byte. */
export const major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

const majorNames = [
  'an unsigned integer',
  'a negative integer',
  'a byte string',
  'a text',
  'an array',
  'a map',
  'a tag',
  'a simple value',
];
const two32 = 0x1_0000_0000;
/** Above this high word, an argument is over 2^53 - 1. */
const highWordSafeMax = 0x1f_ffff;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const asciiLoopMax = 48;
/** Items of a tree, unless its format has longer lists: an item of one byte takes up to 200 in memory. */
export const cborItemsMax = 65_536;

export class CborReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  offset: number;
  /** How many more items a tree may have; what is read item by item, without one, is not counted. */
  itemsLeft: number = cborItemsMax;
  private readonly anyWidth: boolean;
  /** The argument just read, where `argument` returned -1 for being over 2^53 - 1. */
  private wide = 0n;

  /** Reads `bytes` from `start` up to `end`; `anyWidth` accepts integers and lengths that are not in shortest form. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length, anyWidth = false) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
    this.anyWidth = anyWidth;
  }

  /** Major type of the next item, without reading it. */
  peekMajor(): number {
    return this.peekByte() >> 5;
  }

  /** First byte of the next item, without reading it. */
  peekByte(): number {
    if (this.offset >= this.end) this.refuse('cbor.truncated', 'the input ends where an item should begin');
    return this.bytes[this.offset]!;
  }

  /** An unsigned integer of at most 2^53 - 1. */
  readUint(): number {
    const start = this.offset;
    const value = this.argument(major.uint);
    if (value < 0) throw new CborFault('cbor.range', 'an integer over 2^53 - 1 where none is allowed', start);
    return value;
  }

  /** An integer of either sign; bigint where it is not safe as a number. */
  readInteger(): number | bigint {
    if (this.peekMajor() === major.negative) {
      const argument = this.argument(major.negative);
      if (argument < 0) return -1n - this.wide;
      return argument === Number.MAX_SAFE_INTEGER ? -1n - BigInt(argument) : -1 - argument;
    }
    const value = this.argument(major.uint);
    return value < 0 ? this.wide : value;
  }

  /** A byte string, as a view of the input. */
  readBytes(): Uint8Array {
    const length = this.readLength(major.bytes);
    const start = this.offset;
    this.offset = start + length;
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length);
  }

  /** The header of a byte string whose content follows at `offset`: for content that is read in place. */
  readBytesHeader(): number {
    return this.readLength(major.bytes);
  }

  /** The header of a text whose content follows at `offset`, not yet checked to be UTF-8. */
  readTextHeader(): number {
    return this.readLength(major.text);
  }

  readText(): string {
    const start = this.offset;
    const length = this.readLength(major.text);
    return this.takeText(length, start);
  }

  /** Reads over a text, checking that it is UTF-8; cheap where it is ASCII. */
  skipText(): void {
    const start = this.offset;
    const length = this.readLength(major.text);
    const from = this.offset;
    const to = from + length;
    for (let i = from; i < to; i++) {
      if (this.bytes[i]! >= 0x80) {
        this.takeText(length, start);
        return;
      }
    }
    this.offset = to;
  }

  /** Number of items that follow. Each takes at least a byte, so a count over what is left is refused here. */
  readArrayHeader(): number {
    const start = this.offset;
    const count = this.argument(major.array);
    if (count < 0 || count > this.end - this.offset) this.refuseCount(start);
    return count;
  }

  /** Number of pairs that follow. */
  readMapHeader(): number {
    const start = this.offset;
    const count = this.argument(major.map);
    if (count < 0 || count > (this.end - this.offset) / 2) this.refuseCount(start);
    return count;
  }

  /** The number of a tag; the tagged item follows. */
  readTag(): number {
    const start = this.offset;
    const tag = this.argument(major.tag);
    if (tag < 0) throw new CborFault('cbor.tag', 'a tag over 2^53 - 1', start);
    return tag;
  }

  readBoolean(): boolean {
    const byte = this.peekByte();
    if (byte !== 0xf4 && byte !== 0xf5)
      this.refuse('cbor.type', `expected true or false, found ${this.describe(byte)}`);
    this.offset++;
    return byte === 0xf5;
  }

  readNull(): null {
    const byte = this.peekByte();
    if (byte !== 0xf6) this.refuse('cbor.type', `expected null, found ${this.describe(byte)}`);
    this.offset++;
    return null;
  }

  /** Refuses anything left in the input. */
  finish(): void {
    if (this.offset !== this.end) this.refuse('cbor.trailing', `${this.end - this.offset} bytes after the item`);
  }

  /** Refuses the item at `offset`. */
  refuse(code: CborErrorCode, message: string): never {
    throw new CborFault(code, message, this.offset);
  }

  private readLength(expected: number): number {
    const start = this.offset;
    const length = this.argument(expected);
    if (length < 0 || length > this.end - this.offset) {
      throw new CborFault('cbor.truncated', `${majorNames[expected]} is longer than the input`, start);
    }
    return length;
  }

  private takeText(length: number, start: number): string {
    const from = this.offset;
    const to = from + length;
    this.offset = to;
    if (length <= asciiLoopMax) {
      let text = '';
      let i = from;
      for (; i < to; i++) {
        const byte = this.bytes[i]!;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (i === to) return text;
    }
    try {
      return utf8.decode(this.bytes.subarray(from, to));
    } catch {
      throw new CborFault('cbor.utf8', 'a text that is not valid UTF-8', start);
    }
  }

  /** Reads a header of major type `expected`: its argument, or -1 with `wide` set where it is over 2^53 - 1. */
  private argument(expected: number): number {
    const start = this.offset;
    if (start >= this.end) this.refuse('cbor.truncated', 'the input ends where an item should begin');
    const initial = this.bytes[start]!;
    if (initial >> 5 !== expected) {
      this.refuse('cbor.type', `expected ${majorNames[expected]}, found ${this.describe(initial)}`);
    }
    const info = initial & 31;
    if (info < 24) {
      this.offset = start + 1;
      return info;
    }
    return this.longArgument(info, start);
  }

  private longArgument(info: number, start: number): number {
    if (info === 31) this.refuse('cbor.indefinite', 'an indefinite length');
    if (info > 27) this.refuse('cbor.reserved', 'a reserved header');
    const size = 1 << (info - 24);
    if (size > this.end - start - 1) this.refuse('cbor.truncated', 'the input ends within a header');
    const { bytes } = this;
    let value: number;
    let isShortest: boolean;
    switch (size) {
      case 1:
        value = bytes[start + 1]!;
        isShortest = value >= 24;
        break;
      case 2:
        value = bytes[start + 1]! * 0x100 + bytes[start + 2]!;
        isShortest = value > 0xff;
        break;
      case 4:
        value = this.uint32At(start + 1);
        isShortest = value > 0xffff;
        break;
      default: {
        const high = this.uint32At(start + 1);
        const low = this.uint32At(start + 5);
        isShortest = high > 0;
        if (high > highWordSafeMax) {
          this.wide = (BigInt(high) << 32n) | BigInt(low);
          value = -1;
        } else {
          value = high * two32 + low;
        }
      }
    }
    if (!isShortest && !this.anyWidth)
      this.refuse('cbor.not-shortest', 'an integer or length not in its shortest form');
    this.offset = start + 1 + size;
    return value;
  }

  private uint32At(offset: number): number {
    const { bytes } = this;
    return bytes[offset]! * 0x100_0000 + (bytes[offset + 1]! << 16) + (bytes[offset + 2]! << 8) + bytes[offset + 3]!;
  }

  private refuseCount(start: number): never {
    throw new CborFault('cbor.truncated', 'more items are announced than the input can hold', start);
  }

  private describe(initial: number): string {
    return majorNames[initial >> 5]!;
  }
}
