/**
 * Cuts a stream of chunks into frames (wire-format.md section 5): uint32 big-endian length, then that many bytes. The
 * highest bit of the length marks a message of the link itself (`link-message.ts`); it never leaves the transport.
 *
 * Frames that lie within one chunk are views of it: nothing is copied. A frame that spans chunks is assembled in a
 * buffer that grows with what has arrived, up to the declared length: whoever announces 8 MiB and sends ten bytes costs
 * us 64 KiB. The length is checked before anything is allocated.
 */

export const HEADER_BYTES = 4;
export const LINK_MESSAGE_FLAG = 0x80000000;
/** The longest message of the link itself, in bytes. */
export const LINK_MESSAGE_BYTES_MAX = 512;
/** What is set aside at first for a frame that spans chunks. */
const FIRST_BYTES_MAX = 64 << 10;

export type FrameFault = 'link.frame-empty' | 'link.frame-too-large' | 'link.message-malformed';

export type FrameSink = {
  /** Limit of a frame at this moment; 0 while none is allowed. */
  readonly frameBytesMax: () => number;
  /** @returns false to read no further */
  readonly onFrame: (frame: Uint8Array) => boolean;
  /** @returns false to read no further */
  readonly onLinkMessage: (message: Uint8Array) => boolean;
};

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  /** Declared length of the frame being assembled; 0 when between frames. */
  #expected = 0;
  #isLinkMessage = false;
  #buffer: Uint8Array = EMPTY;
  #filled = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Declared length of a frame of which only a part has come, else 0. */
  get pendingBytes(): number {
    return this.#expected;
  }

  /** Whether the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.#expected === 0 && this.#headerFilled === 0;
  }

  /**
   * Reads one chunk, which is never written to again by anybody.
   *
   * @returns the fault after which nothing more may be read, or null
   */
  push(chunk: Uint8Array): FrameFault | null {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#expected > 0) {
        offset = this.#fill(chunk, offset);
        if (this.#filled === this.#expected && !this.#deliver(this.#takeAssembled())) return null;
        continue;
      }
      let fault: FrameFault | null;
      if (this.#headerFilled === 0 && chunk.length - offset >= HEADER_BYTES) {
        fault = this.#begin(chunk, offset);
        offset += HEADER_BYTES;
      } else {
        offset = this.#collectHeader(chunk, offset);
        if (this.#headerFilled < HEADER_BYTES) return null;
        this.#headerFilled = 0;
        fault = this.#begin(this.#header, 0);
      }
      if (fault !== null) return fault;
      if (chunk.length - offset < this.#expected) continue;
      const frame = new Uint8Array(chunk.buffer, chunk.byteOffset + offset, this.#expected);
      offset += this.#expected;
      this.#expected = 0;
      if (!this.#deliver(frame)) return null;
    }
    return null;
  }

  #collectHeader(chunk: Uint8Array, offset: number): number {
    let at = offset;
    while (this.#headerFilled < HEADER_BYTES && at < chunk.length) this.#header[this.#headerFilled++] = chunk[at++]!;
    return at;
  }

  /** Begins the frame whose header lies in `source` at `at`. */
  #begin(source: Uint8Array, at: number): FrameFault | null {
    const high = source[at]!;
    const length = ((high & 0x7f) << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!;
    this.#isLinkMessage = high > 0x7f;
    if (length === 0) return 'link.frame-empty';
    if (this.#isLinkMessage && length > LINK_MESSAGE_BYTES_MAX) return 'link.message-malformed';
    if (!this.#isLinkMessage && length > this.#sink.frameBytesMax()) return 'link.frame-too-large';
    this.#expected = length;
    return null;
  }

  #fill(chunk: Uint8Array, offset: number): number {
    const count = Math.min(chunk.length - offset, this.#expected - this.#filled);
    this.#reserve(this.#filled + count);
    this.#buffer.set(chunk.subarray(offset, offset + count), this.#filled);
    this.#filled += count;
    return offset + count;
  }

  /** At least doubles each time, so that all growing together copies a byte at most once more. */
  #reserve(needed: number): void {
    if (this.#buffer.length >= needed) return;
    const wanted = Math.max(needed, this.#buffer.length * 4, FIRST_BYTES_MAX);
    const grown = new Uint8Array(Buffer.allocUnsafeSlow(Math.min(this.#expected, wanted)).buffer);
    grown.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = grown;
  }

  #takeAssembled(): Uint8Array {
    const frame = this.#buffer;
    this.#buffer = EMPTY;
    this.#filled = 0;
    this.#expected = 0;
    return frame;
  }

  #deliver(bytes: Uint8Array): boolean {
    return this.#isLinkMessage ? this.#sink.onLinkMessage(bytes) : this.#sink.onFrame(bytes);
  }
}

const EMPTY = new Uint8Array(0);

/** Writes the header of a frame of `length` bytes into `target` at `offset`. */
export function writeHeader(target: Uint8Array, offset: number, length: number, isLinkMessage: boolean): void {
  target[offset] = (length >>> 24) | (isLinkMessage ? 0x80 : 0);
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
}
