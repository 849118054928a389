/**
 * Reads a segment frame by frame and checks every byte, in bounded memory: one window of the file, or one frame where that
 * is larger.
 */

import type { JournalFile } from './file-system.ts';
import {
  checkFrame,
  decodeFrameHeader,
  type FrameHeader,
  frameBytesOf,
  frameHeaderBytes,
  type JournalRecord,
  recordsOf,
  segmentHeaderBytes,
} from './frame.ts';
import { journalDamaged } from './journal-error.ts';

const windowBytes = 1 << 20;

/** Where reading stands: everything before `offset` is checked. */
export type Position = { readonly offset: number; readonly sequence: number; readonly chain: Uint8Array };

export type Frame = {
  /** View of the window; valid until the next frame is read. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly header: FrameHeader;
  readonly records: readonly JournalRecord[];
  /** Behind the frame. */
  readonly end: Position;
};

/** The end of a segment: `unfinishedBytes` of a frame whose writing never came to its end. */
export type SegmentEnd = { readonly unfinishedBytes: number };

/**
 * Yields the frames of a segment up to `sizeBytes`; returns how it ends.
 *
 * @param start behind the segment header, or behind any frame
 * @throws JournalError `journal.damaged` at the first frame that is neither whole nor unfinished
 */
export async function* readFrames(
  file: JournalFile,
  name: string,
  start: Position,
  sizeBytes: number,
): AsyncGenerator<Frame, SegmentEnd> {
  const window = createWindow(file, sizeBytes);
  let position = start;
  while (position.offset < sizeBytes) {
    const { offset } = position;
    const left = sizeBytes - offset;
    const headerBytes = await window.bytesAt(offset, Math.min(frameHeaderBytes, left));
    const header = decodeFrameHeader(headerBytes);
    if (header === null) {
      const isUnfinished = left < frameHeaderBytes || (await isZeroFrom(window, offset + frameHeaderBytes, sizeBytes));
      if (isUnfinished) return { unfinishedBytes: left };
      throw journalDamaged(name, offset, 'no frame begins here');
    }
    const frameBytes = frameBytesOf(header);
    if (frameBytes > left) return { unfinishedBytes: left };
    const bytes = await window.bytesAt(offset, frameBytes);
    if (bytes.length < frameBytes) throw journalDamaged(name, offset, 'the file became shorter while it was read');
    const checked = checkFrame(bytes, position.chain);
    if ('wrong' in checked) {
      const isUnfinished = frameBytes === left && (await isZeroFrom(window, sizeBytes - 4, sizeBytes));
      if (isUnfinished) return { unfinishedBytes: left };
      throw journalDamaged(name, offset, checked.wrong);
    }
    const records = header.firstSequence === position.sequence ? recordsOf(bytes, header) : null;
    if (records === null) throw journalDamaged(name, offset, 'its records are not those that follow');
    const end = { offset: offset + frameBytes, sequence: position.sequence + records.length, chain: checked.chain };
    position = end;
    yield { bytes, offset, header, records, end };
  }
  return { unfinishedBytes: 0 };
}

/** Whether the segment's own header was never written: too short, or zeros at the end and no frame behind it. */
export function isUnfinishedSegment(header: Uint8Array, sizeBytes: number): boolean {
  return (
    sizeBytes < segmentHeaderBytes ||
    (sizeBytes === segmentHeaderBytes && header.subarray(48).every((byte) => byte === 0))
  );
}

type Window = { bytesAt(offset: number, length: number): Promise<Uint8Array> };

function createWindow(file: JournalFile, sizeBytes: number): Window {
  let buffer = new Uint8Array(Math.min(windowBytes, sizeBytes));
  let start = 0;
  let end = 0;
  return {
    async bytesAt(offset, length) {
      if (offset < start || offset + length > end) {
        if (buffer.length < length) buffer = new Uint8Array(length);
        else if (buffer.length > windowBytes && length <= windowBytes) buffer = new Uint8Array(windowBytes);
        start = offset;
        end = offset + (await file.read(buffer.subarray(0, Math.min(buffer.length, sizeBytes - offset)), offset));
      }
      return buffer.subarray(offset - start, Math.min(offset - start + length, end - start));
    },
  };
}

async function isZeroFrom(window: Window, offset: number, sizeBytes: number): Promise<boolean> {
  for (let at = offset; at < sizeBytes; at += windowBytes) {
    const bytes = await window.bytesAt(at, Math.min(windowBytes, sizeBytes - at));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}
