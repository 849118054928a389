/**
 * Opening a journal: every segment is read and checked, an unfinished end is cut off, and what follows will be appended
 * behind it.
 */
import { join } from 'node:path';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import {
  chainStart,
  decodeSegmentHeader,
  encodeSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
} from './frame.ts';
import { journalDamaged } from './journal-error.ts';
import { type Frame, isUnfinishedSegment, type Position, readFrames } from './segment-reader.ts';

export type Segment = { readonly name: string; readonly firstSequence: number; sizeBytes: number };

export type Recovered = {
  /** Oldest first, never empty. */
  readonly segments: Segment[];
  /** The last segment, open. */
  readonly file: JournalFile;
  /** Where the next frame goes. */
  readonly end: Position;
  readonly truncatedBytes: number;
};

const firstSequenceEver = 1;
const segmentNamePattern = /^\d{16}\.journal$/;
const beginningPattern = /^\d{16}\.begin$/;

/** Segments are named after their first sequence, so that their order is the order of their names. */
export function segmentName(firstSequence: number): string {
  return `${String(firstSequence).padStart(16, '0')}.journal`;
}

/**
 * An empty file that says by its name where the journal may begin: it is there before the segments in front of it are deleted. So a
 * first segment that got lost is told from one that was not needed any more.
 */
export function beginningName(firstSequence: number): string {
  return `${String(firstSequence).padStart(16, '0')}.begin`;
}

export function beginningsAmong(names: readonly string[]): string[] {
  return names.filter((name) => beginningPattern.test(name)).sort();
}

/**
 * What is missing at the beginning of a journal; null where nothing is.
 *
 * @param names of the files in its directory
 */
export function missingBeginning(names: readonly string[]): string | null {
  const first = names.filter((name) => segmentNamePattern.test(name)).sort()[0];
  const beginnings = beginningsAmong(names).map((name) => Number.parseInt(name, 10));
  const from = Math.max(firstSequenceEver, ...beginnings);
  if (first === undefined) return beginnings.length === 0 ? null : segmentName(from);
  return Number.parseInt(first, 10) > from ? segmentName(from) : null;
}

/** @throws JournalError `journal.damaged`; whatever the file system throws */
export async function recoverSegments(fileSystem: JournalFileSystem, directory: string): Promise<Recovered> {
  const files = await fileSystem.list(directory);
  const missing = missingBeginning(files);
  if (missing !== null) throw journalDamaged(missing, 0, 'the file is missing');
  const names = files.filter((name) => segmentNamePattern.test(name)).sort();
  const segments: Segment[] = [];
  let position: Position | null = null;
  let truncatedBytes = 0;
  for (const name of names) {
    const isLast = name === names.at(-1);
    const file = await fileSystem.open(join(directory, name), 'existing');
    let isKept = false;
    try {
      const sizeBytes = await file.sizeBytes();
      const header = await readSegmentHeader(file, name, position);
      const isFirstEver = name === segmentName(firstSequenceEver);
      if (
        header === null &&
        isLast &&
        (position !== null || isFirstEver) &&
        (await hasUnfinishedHeader(file, sizeBytes))
      ) {
        truncatedBytes += sizeBytes;
        await fileSystem.remove(join(directory, name));
        await fileSystem.syncDirectory(directory);
        break;
      }
      if (header === null) throw journalDamaged(name, 0, 'its header is not that of the segment that follows here');
      const { end, unfinishedBytes, lastFrame } = await readToEnd(file, name, startOf(header), sizeBytes);
      if (unfinishedBytes > 0 && !isLast) throw journalDamaged(name, end.offset, 'its last frame is not whole');
      position = end;
      segments.push({ name, firstSequence: header.firstSequence, sizeBytes: end.offset });
      if (isLast) {
        if (unfinishedBytes > 0) await file.truncate(end.offset);
        await makeDurableAgain(file, header, lastFrame);
        truncatedBytes += unfinishedBytes;
        isKept = true;
        return { segments, file, end, truncatedBytes };
      }
    } finally {
      if (!isKept) await file.close();
    }
  }
  return { ...(await continueInNewSegment(fileSystem, directory, segments, position)), truncatedBytes };
}

/** Makes an empty segment durable, its name included. */
export async function createSegment(
  fileSystem: JournalFileSystem,
  directory: string,
  header: SegmentHeader,
): Promise<{ segment: Segment; file: JournalFile }> {
  const name = segmentName(header.firstSequence);
  const file = await fileSystem.open(join(directory, name), 'create');
  await file.write(encodeSegmentHeader(header), 0);
  await file.sync();
  await fileSystem.syncDirectory(directory);
  return { segment: { name, firstSequence: header.firstSequence, sizeBytes: segmentHeaderBytes }, file };
}

/** Behind the header of a segment. */
export function startOf(header: SegmentHeader): Position {
  return { offset: segmentHeaderBytes, sequence: header.firstSequence, chain: header.chain };
}

/** Null when it is not the header of the segment with this name that continues `before` (null: of any). */
export async function readSegmentHeader(
  file: JournalFile,
  name: string,
  before: Position | null,
): Promise<SegmentHeader | null> {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const length = await file.read(bytes, 0);
  const header = decodeSegmentHeader(bytes.subarray(0, length));
  if (header === null || segmentName(header.firstSequence) !== name) return null;
  const expected = before ?? (header.firstSequence === firstSequenceEver ? { sequence: 1, chain: chainStart } : null);
  if (expected === null) return header;
  const continues = header.firstSequence === expected.sequence && Buffer.compare(header.chain, expected.chain) === 0;
  return continues ? header : null;
}

async function readToEnd(
  file: JournalFile,
  name: string,
  start: Position,
  sizeBytes: number,
): Promise<{ end: Position; unfinishedBytes: number; lastFrame: { offset: number; bytes: Uint8Array } | null }> {
  const frames = readFrames(file, name, start, sizeBytes);
  let last: Pick<Frame, 'offset' | 'end'> | null = null;
  for (;;) {
    const next = await frames.next();
    if (!next.done) {
      last = { offset: next.value.offset, end: next.value.end };
      continue;
    }
    const end = last?.end ?? start;
    if (last === null) return { end, unfinishedBytes: next.value.unfinishedBytes, lastFrame: null };
    const bytes = new Uint8Array(end.offset - last.offset);
    await file.read(bytes, last.offset);
    return { end, unfinishedBytes: next.value.unfinishedBytes, lastFrame: { offset: last.offset, bytes } };
  }
}

async function hasUnfinishedHeader(file: JournalFile, sizeBytes: number): Promise<boolean> {
  const bytes = new Uint8Array(segmentHeaderBytes);
  await file.read(bytes, 0);
  return isUnfinishedSegment(bytes, sizeBytes);
}

/**
 * Writes the last frame (else the header) over itself and syncs. After a failed sync the kernel may show bytes that never
 * reached the disk; whoever acts on them now must be able to rely on them.
 */
async function makeDurableAgain(
  file: JournalFile,
  header: SegmentHeader,
  lastFrame: { offset: number; bytes: Uint8Array } | null,
): Promise<void> {
  if (lastFrame === null) await file.write(encodeSegmentHeader(header), 0);
  else await file.write(lastFrame.bytes, lastFrame.offset);
  await file.sync();
}

async function continueInNewSegment(
  fileSystem: JournalFileSystem,
  directory: string,
  segments: Segment[],
  position: Position | null,
): Promise<Omit<Recovered, 'truncatedBytes'>> {
  const before = position ?? { sequence: firstSequenceEver, chain: chainStart };
  const { segment, file } = await createSegment(fileSystem, directory, {
    firstSequence: before.sequence,
    chain: before.chain,
  });
  return { segments: [...segments, segment], file, end: { ...before, offset: segmentHeaderBytes } };
}
