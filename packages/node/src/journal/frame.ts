/**
 * Layout of a journal segment, integers big-endian:
 *
 *     Segment = SegmentHeader Frame*
 *     SegmentHeader = magic u32 | version u32 | first sequence u64 | chain before it, 32 bytes | CRC-32 of these u32
 *     Frame   = FrameHeader Record* FrameTrailer
 *     FrameHeader  = magic u32 | body length u32 | records u32 | first sequence u64 | CRC-32 of these u32
 *     Record       = type u8 | length u32 | payload
 *     FrameTrailer = CRC-32 of the body u32 | chain, 32 bytes | end mark u32
 *     chain   = SHA-256(chain before | frame header | body)
 *
 * One frame is what one sync makes durable, and the next frame is written only after that sync. So at most the last frame
 * of the last segment was never acknowledged, and only that one may be cut off, if it is unfinished. How that is told
 * from damage: the end mark is not zero, so a frame is unfinished iff the file ends before its end mark, or holds only
 * zeros from somewhere inside the frame on (the file was extended, its content never written). A header has a CRC of its own,
 * so that a damaged length cannot make a finished frame look unfinished.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const segmentHeaderBytes = 52;
export const frameHeaderBytes = 24;
export const frameTrailerBytes = 40;
export const recordHeaderBytes = 5;

const segmentMagic = 0x434a5301;
const frameMagic = 0x434a4601;
const endMark = 0x434a4531;
const layoutVersion = 1;

/** Chain value before the first record of a journal. */
export const chainStart: Uint8Array = new Uint8Array(32);

export type SegmentHeader = { readonly firstSequence: number; readonly chain: Uint8Array };
export type FrameHeader = { readonly bodyBytes: number; readonly recordCount: number; readonly firstSequence: number };
export type JournalRecord = { readonly sequence: number; readonly type: number; readonly payload: Uint8Array };

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.writeUInt32BE(segmentMagic, 0);
  bytes.writeUInt32BE(layoutVersion, 4);
  bytes.writeBigUInt64BE(BigInt(header.firstSequence), 8);
  bytes.set(header.chain, 16);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 48)), 48);
  return bytes;
}

/** Null when these are not the bytes of a segment header. */
export function decodeSegmentHeader(source: Uint8Array): SegmentHeader | null {
  const bytes = bufferOf(source);
  if (bytes.length < segmentHeaderBytes || bytes.readUInt32BE(0) !== segmentMagic) return null;
  if (bytes.readUInt32BE(4) !== layoutVersion || bytes.readUInt32BE(48) !== crc32(bytes.subarray(0, 48))) return null;
  return { firstSequence: Number(bytes.readBigUInt64BE(8)), chain: Uint8Array.from(bytes.subarray(16, 48)) };
}

/** Writes the header into the first bytes of a frame. */
export function writeFrameHeader(frame: Buffer, header: FrameHeader): void {
  frame.writeUInt32BE(frameMagic, 0);
  frame.writeUInt32BE(header.bodyBytes, 4);
  frame.writeUInt32BE(header.recordCount, 8);
  frame.writeBigUInt64BE(BigInt(header.firstSequence), 12);
  frame.writeUInt32BE(crc32(frame.subarray(0, 20)), 20);
}

/** Null when these are not the bytes of a frame header. */
export function decodeFrameHeader(source: Uint8Array): FrameHeader | null {
  const bytes = bufferOf(source);
  if (bytes.length < frameHeaderBytes || bytes.readUInt32BE(0) !== frameMagic) return null;
  if (bytes.readUInt32BE(20) !== crc32(bytes.subarray(0, 20))) return null;
  return {
    bodyBytes: bytes.readUInt32BE(4),
    recordCount: bytes.readUInt32BE(8),
    firstSequence: Number(bytes.readBigUInt64BE(12)),
  };
}

export function frameBytesOf(header: FrameHeader): number {
  return frameHeaderBytes + header.bodyBytes + frameTrailerBytes;
}

/** Writes the trailer behind header and body; returns the new chain value. */
export function writeFrameTrailer(frame: Buffer, chainBefore: Uint8Array): Uint8Array {
  const at = frame.length - frameTrailerBytes;
  const chain = chainAfter(chainBefore, frame.subarray(0, at));
  frame.writeUInt32BE(crc32(frame.subarray(frameHeaderBytes, at)), at);
  frame.set(chain, at + 4);
  frame.writeUInt32BE(endMark, at + 36);
  return chain;
}

/** Checks a whole frame against its CRC and the chain; returns the new chain value, or what is wrong. */
export function checkFrame(source: Uint8Array, chainBefore: Uint8Array): { chain: Uint8Array } | { wrong: string } {
  const frame = bufferOf(source);
  const at = frame.length - frameTrailerBytes;
  if (frame.readUInt32BE(at + 36) !== endMark) return { wrong: 'end mark missing' };
  if (frame.readUInt32BE(at) !== crc32(frame.subarray(frameHeaderBytes, at))) return { wrong: 'checksum differs' };
  const chain = chainAfter(chainBefore, frame.subarray(0, at));
  if (frame.compare(chain, 0, 32, at + 4, at + 36) !== 0) return { wrong: 'not the continuation of what is before it' };
  return { chain };
}

/** The records of a checked frame; null when they do not fill its body. Payloads are views of it. */
export function recordsOf(source: Uint8Array, header: FrameHeader): JournalRecord[] | null {
  const frame = bufferOf(source);
  const end = frame.length - frameTrailerBytes;
  const records: JournalRecord[] = [];
  let at = frameHeaderBytes;
  while (at + recordHeaderBytes <= end) {
    const length = frame.readUInt32BE(at + 1);
    const payload = source.subarray(at + recordHeaderBytes, at + recordHeaderBytes + length);
    records.push({ sequence: header.firstSequence + records.length, type: frame[at]!, payload });
    at += recordHeaderBytes + length;
  }
  return at === end && records.length === header.recordCount ? records : null;
}

function chainAfter(before: Uint8Array, headerAndBody: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(before).update(headerAndBody).digest());
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
