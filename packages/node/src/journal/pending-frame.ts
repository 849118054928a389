/** The frame that is being filled: everything appended since the last one was taken to be written. */
import {
  frameHeaderBytes,
  frameTrailerBytes,
  recordHeaderBytes,
  writeFrameHeader,
  writeFrameTrailer,
} from './frame.ts';

/** What the buffer starts with, and shrinks back to after a burst. */
const capacityUsualBytes = 256 << 10;

export type FinishedFrame = { readonly bytes: Uint8Array; readonly chain: Uint8Array; readonly recordCount: number };

export type PendingFrame = ReturnType<typeof createPendingFrame>;

export function createPendingFrame() {
  let buffer = Buffer.allocUnsafeSlow(capacityUsualBytes);
  let used = frameHeaderBytes;
  let recordCount = 0;

  return {
    sizeBytes: (): number => used - frameHeaderBytes,
    recordCount: (): number => recordCount,

    /** Copies the record in: the caller may reuse its bytes. */
    add(type: number, payload: Uint8Array): void {
      reserve(recordHeaderBytes + payload.length);
      buffer[used] = type;
      buffer.writeUInt32BE(payload.length, used + 1);
      buffer.set(payload, used + recordHeaderBytes);
      used += recordHeaderBytes + payload.length;
      recordCount += 1;
    },

    /** The bytes to write. They are a view of the buffer: `clear` only after they are written. */
    finish(firstSequence: number, chainBefore: Uint8Array): FinishedFrame {
      reserve(0);
      const bytes = buffer.subarray(0, used + frameTrailerBytes);
      writeFrameHeader(bytes, { bodyBytes: used - frameHeaderBytes, recordCount, firstSequence });
      return { bytes, chain: writeFrameTrailer(bytes, chainBefore), recordCount };
    },

    clear(): void {
      if (buffer.length > 4 * capacityUsualBytes) buffer = Buffer.allocUnsafeSlow(capacityUsualBytes);
      used = frameHeaderBytes;
      recordCount = 0;
    },
  };

  function reserve(moreBytes: number): void {
    const needed = used + moreBytes + frameTrailerBytes;
    if (needed <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * buffer.length));
    buffer.copy(larger, 0, 0, used);
    buffer = larger;
  }
}
