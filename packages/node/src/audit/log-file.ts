/**
 * The write-ahead log beside a database (SQLite file format, section 4). SQLite passes over whatever does not continue the
 * log: a damaged frame takes all commits behind it away, and nothing says so. Here the frames are checked one by one.
 *
 *     Log = magic u32 | version u32 | page size u32 | restarts u32 | salt 1 u32 | salt 2 u32 | checksum 2 x u32 | Frame*
 *     Frame = page u32 | pages after the commit u32, 0 inside one | salt 1 | salt 2 | checksum 2 x u32 | page
 *
 * Frames of an earlier round of the log may lie behind the last one: each restart raises salt 1 by one and draws salt 2. What
 * belongs to none of these rounds, or to this round behind its end, is damage.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Findings } from './finding.ts';
import type { Pace } from './pace.ts';

const headerBytes = 32;
const frameHeaderBytes = 24;
const magic = 0x377f0682;
const version = 3_007_000;
const pageBytesMax = 65_536;

/** Bytes of the log of a database; null where there is none. */
export function logBytesOf(path: string): number | null {
  try {
    const file = openSync(`${path}-wal`, 'r');
    const { size } = fstatSync(file);
    closeSync(file);
    return size;
  } catch {
    return null;
  }
}

export async function auditLog(path: string, findings: Findings, pace: Pace): Promise<void> {
  const name = `${path}-wal`;
  const file = openSync(name, 'r');
  try {
    const size = fstatSync(file).size;
    if (size > 0) await auditFrames({ file, name, size }, findings, pace);
  } finally {
    closeSync(file);
  }
}

type LogFile = { readonly file: number; readonly name: string; readonly size: number };

async function auditFrames({ file, name, size }: LogFile, findings: Findings, pace: Pace): Promise<void> {
  const header = readAt(file, 0, headerBytes);
  const broken = (offset: number, what: string): void =>
    findings.add('database', 'audit.log-damaged', `${what}: commits may be lost`, { file: name, offset });
  if (header.length < headerBytes || (header.readUInt32BE(0) & ~1) !== magic || header.readUInt32BE(4) !== version)
    return broken(0, 'the log of the database has no header');
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1;
  const pageBytes = header.readUInt32BE(8);
  const [restarts, salt1, salt2] = [header.readUInt32BE(12), header.readUInt32BE(16), header.readUInt32BE(20)];
  let sum = checksum([0, 0], header.subarray(0, 24), isBigEndian);
  if (sum[0] !== header.readUInt32BE(24) || sum[1] !== header.readUInt32BE(28) || pageBytes > pageBytesMax)
    return broken(0, 'the header of the log is damaged');
  const frameBytes = frameHeaderBytes + pageBytes;
  /** Where the log ends: the first frame that does not continue it. */
  let end: number | null = null;
  let isEndOfThisRound = false;
  let isEndCommit = false;
  for (let at = headerBytes; at + frameBytes <= size; at += frameBytes) {
    const frame = readAt(file, at, end === null ? frameBytes : frameHeaderBytes);
    await pace.spend(frame.length);
    const isThisRound = frame.readUInt32BE(8) === salt1 && frame.readUInt32BE(12) === salt2;
    if (!isThisRound && !isEarlierRound(frame, salt1, salt2, restarts))
      return broken(at, 'a frame of the log belongs to no round of it');
    if (end !== null) {
      if (isThisRound) return broken(end, 'a frame of the log is damaged, and others follow');
      continue;
    }
    if (isThisRound) {
      sum = checksum(checksum(sum, frame.subarray(0, 8), isBigEndian), frame.subarray(frameHeaderBytes), isBigEndian);
      if (sum[0] === frame.readUInt32BE(16) && sum[1] === frame.readUInt32BE(20)) continue;
    }
    [end, isEndOfThisRound, isEndCommit] = [at, isThisRound, frame.readUInt32BE(4) !== 0];
  }
  if (end !== null && isEndOfThisRound && isEndCommit) return broken(end, 'the last frame of the log is damaged');
  const isCutFrame = end === null && (size - headerBytes) % frameBytes !== 0;
  if (isCutFrame || isEndOfThisRound) {
    const what = 'the last frame of the log is not whole, as after a loss of power: its commit was never finished';
    findings.note('database', 'audit.unfinished', what, { file: name, offset: end ?? size });
  }
}

function isEarlierRound(frame: Buffer, salt1: number, salt2: number, restarts: number): boolean {
  const roundsBefore = (salt1 - frame.readUInt32BE(8)) >>> 0;
  return roundsBefore >= 1 && roundsBefore <= restarts && frame.readUInt32BE(12) !== salt2;
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

/** SQLite's checksum, carried on from frame to frame. `bytes` has a multiple of 8. */
function checksum([a, b]: readonly [number, number], bytes: Buffer, isBigEndian: boolean): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [first, second] = [a, b];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    first = (first + view.getUint32(at, !isBigEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, !isBigEndian) + first) >>> 0;
  }
  return [first, second];
}
