/**
 * Writes CBOR items in their deterministic form (RFC 8949 section 4.2.1): shortest integers and lengths, definite
 * lengths. The order of map keys is the caller's part here (`encodeCbor` sorts; a hot path writes them sorted).
 *
 * What cannot be written (a fraction, a lone surrogate) is a bug of the caller: assertions, not errors.
 */
import { assert } from '../result.ts';

const startBytes = 256;
/** A writer that had to grow past this gives the memory back when it is emptied. */
const keptBytesMax = 1 << 20;
const two32 = 0x1_0000_0000;
const two64 = 1n << 64n;
const utf8 = new TextEncoder();
const asciiLoopMax = 48;

/** The first `length` bytes, for whoever keeps them. */
export type CopyBytes = (bytes: Uint8Array<ArrayBuffer>, length: number) => Uint8Array<ArrayBuffer>;

let copy: CopyBytes = (bytes, length) => bytes.slice(0, length);

/** Replaces for the whole process how what was written is copied: small arrays in one large piece of memory are made five times faster, but live and travel together. */
export function installCopyBytes(other: CopyBytes): void {
  copy = other;
}

export class CborWriter {
  private buffer = new Uint8Array(startBytes);
  private length = 0;

  /** A non-negative integer below 2^64. */
  writeUint(value: number | bigint): void {
    this.writeHeader(0x00, value);
  }

  /** An integer from -2^64 to 2^64 - 1. */
  writeInteger(value: number | bigint): void {
    if (value >= 0) this.writeHeader(0x00, value);
    else if (typeof value === 'bigint') this.writeHeader(0x20, -1n - value);
    else {
      assert(Number.isSafeInteger(value), 'an integer to encode is a safe integer');
      this.writeHeader(0x20, -1 - value);
    }
  }

  writeBytes(value: Uint8Array): void {
    this.writeHeader(0x40, value.length);
    this.writeRaw(value);
  }

  writeText(value: string): void {
    if (value.length <= asciiLoopMax && this.writeAsciiText(value)) return;
    assert(value.isWellFormed(), 'a text to encode has no lone surrogates');
    const bytes = utf8.encode(value);
    this.writeHeader(0x60, bytes.length);
    this.writeRaw(bytes);
  }

  /** Header of an array; `count` items must follow. */
  writeArrayHeader(count: number): void {
    this.writeHeader(0x80, count);
  }

  /** Header of a map; `count` pairs must follow, sorted bytewise by encoded key. */
  writeMapHeader(count: number): void {
    this.writeHeader(0xa0, count);
  }

  /** Header of a tag; one item must follow. */
  writeTag(tag: number): void {
    this.writeHeader(0xc0, tag);
  }

  writeBoolean(value: boolean): void {
    this.writeByte(value ? 0xf5 : 0xf4);
  }

  writeNull(): void {
    this.writeByte(0xf6);
  }

  /** Bytes as they are: already encoded items. */
  writeRaw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A copy of what was written; the writer is empty afterwards and can be used again. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = copy(this.buffer, this.length);
    this.length = 0;
    if (this.buffer.length > keptBytesMax) this.buffer = new Uint8Array(startBytes);
    return bytes;
  }

  /** Forgets what was written. */
  clear(): void {
    this.length = 0;
  }

  private writeHeader(majorBits: number, argument: number | bigint): void {
    if (typeof argument === 'bigint') {
      if (argument > BigInt(Number.MAX_SAFE_INTEGER)) {
        assert(argument < two64, 'an integer to encode lies within 64 bits');
        this.reserve(9);
        this.buffer[this.length++] = majorBits | 27;
        this.writeUint32(Number(argument >> 32n));
        this.writeUint32(Number(argument & 0xffff_ffffn));
        return;
      }
      argument = Number(argument);
    }
    assert(Number.isSafeInteger(argument) && argument >= 0, 'an integer to encode is a safe integer');
    this.reserve(9);
    const { buffer } = this;
    if (argument < 24) {
      buffer[this.length++] = majorBits | argument;
    } else if (argument < 0x100) {
      buffer[this.length++] = majorBits | 24;
      buffer[this.length++] = argument;
    } else if (argument < 0x1_0000) {
      buffer[this.length++] = majorBits | 25;
      buffer[this.length++] = argument >> 8;
      buffer[this.length++] = argument;
    } else if (argument < two32) {
      buffer[this.length++] = majorBits | 26;
      this.writeUint32(argument);
    } else {
      buffer[this.length++] = majorBits | 27;
      const low = argument % two32;
      this.writeUint32((argument - low) / two32);
      this.writeUint32(low);
    }
  }

  private writeUint32(value: number): void {
    const { buffer } = this;
    buffer[this.length++] = value >>> 24;
    buffer[this.length++] = value >>> 16;
    buffer[this.length++] = value >>> 8;
    buffer[this.length++] = value;
  }

  /** Writes a short text in place; false, with nothing written, where it is not ASCII. */
  private writeAsciiText(value: string): boolean {
    const start = this.length;
    this.writeHeader(0x60, value.length);
    this.reserve(value.length);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) {
        this.length = start;
        return false;
      }
      this.buffer[this.length++] = unit;
    }
    return true;
  }

  private writeByte(byte: number): void {
    this.reserve(1);
    this.buffer[this.length++] = byte;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}
