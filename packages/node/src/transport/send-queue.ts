/**
 * What waits to be sent on one link, bounded in bytes. Frames are kept by reference, so that a broadcast to thirty slow
 * peers holds its bytes once; they are copied only when they go out, many small ones into one buffer: one TLS record and
 * one system call for all frames of a turn.
 */
import { HEADER_BYTES, writeHeader } from './frame-reader.ts';

/** The smallest `bytesMax` that makes sense for `take`; also what is copied of a frame that goes out in pieces. */
export const FIRST_PIECE_BYTES = 16 << 10;

type Waiting = { readonly bytes: Uint8Array; readonly isLinkMessage: boolean };

export class SendQueue {
  #waiting: Waiting[] = [];
  /** Index of the first of `#waiting` not yet taken; the array is trimmed when it is empty or half of it is taken. */
  #head = 0;
  /** How much of the first frame, its header not counted, has been taken. */
  #taken = 0;
  #bytes = 0;
  #frameCount = 0;
  #takenFrameCount = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#waiting.length;
  }

  /** Whether what was taken so far ends with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#taken === 0;
  }

  /** Frames that wait, messages of the link itself not counted. */
  get frameCount(): number {
    return this.#frameCount;
  }

  /** @returns false when the frame does not fit into `bytesMax` together with what waits */
  push(frame: Uint8Array, bytesMax: number): boolean {
    if (this.#bytes + frame.length + HEADER_BYTES > bytesMax) return false;
    this.#append(frame, false);
    this.#frameCount += 1;
    return true;
  }

  /** Messages of the link itself always fit: the link has at most one ping, one pong, a hello and a bye under way. */
  pushLinkMessage(message: Uint8Array): void {
    this.#append(message, true);
  }

  /** Frames taken whole since the last call, messages of the link itself not counted. */
  claimTakenFrames(): number {
    const count = this.#takenFrameCount;
    this.#takenFrameCount = 0;
    return count;
  }

  /**
   * Takes the next bytes to write: as many whole frames as fit into `bytesMax`, copied into one buffer. A frame that
   * does not fit is taken piece by piece: a first one with its header, then views of it.
   */
  take(bytesMax: number): Uint8Array {
    const first = this.#waiting[this.#head];
    if (first === undefined) return EMPTY;
    if (this.#taken > 0) return this.#takePiece(first, bytesMax);
    const size = this.#sizeOfNext(bytesMax);
    const target = Buffer.allocUnsafe(size);
    let offset = 0;
    while (offset < size) offset = this.#copyNext(target, offset);
    this.#trim();
    return target;
  }

  #append(bytes: Uint8Array, isLinkMessage: boolean): void {
    this.#waiting.push({ bytes, isLinkMessage });
    this.#bytes += bytes.length + HEADER_BYTES;
  }

  #takePiece(frame: Waiting, bytesMax: number): Uint8Array {
    const piece = frame.bytes.subarray(this.#taken, this.#taken + bytesMax);
    this.#taken += piece.length;
    this.#bytes -= piece.length;
    if (this.#taken === frame.bytes.length) this.#next();
    this.#trim();
    return piece;
  }

  /** How many bytes of whole frames fit into `bytesMax`; or, when not even one does, the size of its first piece. */
  #sizeOfNext(bytesMax: number): number {
    let size = 0;
    for (let at = this.#head; at < this.#waiting.length; at++) {
      const frameSize = HEADER_BYTES + this.#waiting[at]!.bytes.length;
      if (size + frameSize > bytesMax) return size === 0 ? FIRST_PIECE_BYTES : size;
      size += frameSize;
    }
    return size;
  }

  /** Copies the next frame, or as much of it as fits, behind its header. */
  #copyNext(target: Uint8Array, offset: number): number {
    const frame = this.#waiting[this.#head]!;
    writeHeader(target, offset, frame.bytes.length, frame.isLinkMessage);
    const room = target.length - offset - HEADER_BYTES;
    const part = frame.bytes.length <= room ? frame.bytes : frame.bytes.subarray(0, room);
    target.set(part, offset + HEADER_BYTES);
    this.#bytes -= part.length + HEADER_BYTES;
    if (part.length === frame.bytes.length) this.#next();
    else this.#taken = part.length;
    return offset + HEADER_BYTES + part.length;
  }

  #next(): void {
    if (!this.#waiting[this.#head]!.isLinkMessage) {
      this.#frameCount -= 1;
      this.#takenFrameCount += 1;
    }
    this.#waiting[this.#head] = TAKEN;
    this.#head += 1;
    this.#taken = 0;
  }

  #trim(): void {
    if (this.#head < this.#waiting.length && this.#head * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}

const EMPTY = new Uint8Array(0);
/** Stands in for a frame already taken, so that its bytes can be freed. */
const TAKEN: Waiting = { bytes: EMPTY, isLinkMessage: false };
