/**
 * The first 100 bytes of an SQLite file (SQLite file format, section 1.3), as far as they are the same in every file of a node. SQLite
 * itself looks at some of them never, and at others when it is too late to tell rot from a file of somebody else.
 *
 *     magic 16 | page size u16 | write, read version | reserved 0 | 64, 32, 32 | counter u32 | pages u32 |
 *     first free page u32 | free pages u32 | cookie u32 | schema format u32 | cache u32 | vacuum u32 |
 *     encoding u32 | user version u32 | incremental u32 | application u32 | zeros 20 | valid for u32 | SQLite u32
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const headerBytes = 100;
/** What stands at an offset in every file. */
const fixed: readonly { readonly at: number; readonly bytes: Uint8Array }[] = [
  { at: 0, bytes: Buffer.from('SQLite format 3\0') },
  { at: 16, bytes: Uint8Array.of(0x10, 0x00) },
  { at: 20, bytes: Uint8Array.of(0, 64, 32, 32) },
  { at: 52, bytes: new Uint8Array(4) },
  { at: 64, bytes: new Uint8Array(28) },
];
/** Words that have one of these values; the last is that of a file with tables, whose log was folded in once. */
const chosen: readonly { readonly at: number; readonly sizeBytes: 2 | 4; readonly values: readonly number[] }[] = [
  { at: 18, sizeBytes: 2, values: [0x0101, 0x0202] },
  { at: 44, sizeBytes: 4, values: [0, 4] },
  { at: 56, sizeBytes: 4, values: [0, 1] },
];
const firstFreeAt = 32;
const freeCountAt = 36;

/** Whether the header of a file is not that of a database of a node. False for one that is too short to have any, or not there. */
export function isHeaderDamaged(path: string): boolean {
  const header = readHeader(path);
  return header !== null && !header.equals(mended(header));
}

/** Writes into the header what must stand there; false where it does already. Throws what the system throws. */
export function mendHeader(path: string): boolean {
  const header = readHeader(path);
  const whole = header === null ? null : mended(header);
  if (header === null || whole === null || header.equals(whole)) return false;
  const file = openSync(path, 'r+');
  try {
    writeSync(file, whole, 0, whole.length, 0);
  } finally {
    closeSync(file);
  }
  return true;
}

function readHeader(path: string): Buffer | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const header = Buffer.alloc(headerBytes);
    return readSync(file, header, 0, headerBytes, 0) < headerBytes ? null : header;
  } finally {
    closeSync(file);
  }
}

function mended(header: Buffer): Buffer {
  const whole = Buffer.from(header);
  for (const { at, bytes } of fixed) whole.set(bytes, at);
  for (const { at, sizeBytes, values } of chosen)
    if (!values.includes(header.readUIntBE(at, sizeBytes))) whole.writeUIntBE(values.at(-1)!, at, sizeBytes);
  // Where nothing is free both are 0; which of the two is wrong else, a look at all pages tells.
  if ((header.readUInt32BE(firstFreeAt) === 0) !== (header.readUInt32BE(freeCountAt) === 0))
    whole.fill(0, firstFreeAt, freeCountAt + 4);
  return whole;
}
