/**
 * One authenticated connection, for one channel of one peer: greets, cuts what comes into frames, sends what is queued,
 * asks from time to time whether the other side is there, and ends with exactly one reason.
 *
 * Time is counted in milliseconds of our own ticking, not read from a clock: a process that was suspended, or held up by
 * a long pause, does not find all its peers silent.
 */
import type { TLSSocket } from 'node:tls';
import { assert } from '@cairn-ledger/core';
import { FrameReader, HEADER_BYTES, writeHeader } from './frame-reader.ts';
import { decodeLinkMessage, encodeLinkMessage, type Hello, type LinkMessage } from './link-message.ts';
import { endOfSocketError, type LinkEnd, type LinkReason } from './link-reason.ts';
import { SendQueue } from './send-queue.ts';
import { type Channel, FRAME_BYTES_MAX, type PeerId, QUEUE_BYTES_MAX } from './transport.ts';

export type LinkLimits = {
  /** From the end of the handshake to the peer's hello. */
  readonly helloMs: number;
  readonly pingMs: number;
  /** Silence after which the peer is taken for gone. */
  readonly idleMs: number;
  /** How long a write may wait for the peer to read. */
  readonly stallMs: number;
  /** How long a frame may be under way, plus a second for every `frameBytesPerSecond` of it. */
  readonly frameMs: number;
  readonly frameBytesPerSecond: number;
  /** How long a closing connection may take to tell the peer why. */
  readonly lingerMs: number;
};

export const LINK_LIMITS: LinkLimits = {
  helloMs: 5_000,
  pingMs: 1_000,
  idleMs: 6_000,
  stallMs: 15_000,
  frameMs: 15_000,
  frameBytesPerSecond: 64 << 10,
  lingerMs: 250,
};

/** Counts of one channel of one peer; outlives the links. */
export type Tally = {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  drops: number;
  /** Links that came up. */
  ups: number;
};

export type LinkEvents = {
  /** The peer's hello; answer with `open` or `end`. */
  readonly onHello: (link: Link, hello: Hello) => void;
  readonly onFrame: (link: Link, frame: Uint8Array) => void;
  readonly onRoundTrip: (link: Link, rttMs: number) => void;
  /** Something waits to be written: call `flush` soon. */
  readonly onWaiting: (link: Link) => void;
  /** Once, also when the owner itself ended the link. */
  readonly onEnd: (link: Link, end: LinkEnd) => void;
};

export class Link {
  readonly peer: PeerId;
  readonly isDialed: boolean;
  /** The channel dialed for, or the one of the peer's hello once it is open. */
  channel: Channel;
  readonly #socket: TLSSocket;
  readonly #limits: LinkLimits;
  readonly #events: LinkEvents;
  readonly #reader: FrameReader;
  readonly #queue = new SendQueue();
  #tally: Tally = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, drops: 0, ups: 0 };
  #state: 'greeting' | 'open' | 'ended' = 'greeting';
  #peerHello: Hello | null = null;
  #isWriting = false;
  #isHeld = false;
  #heard = true;
  #pingNumber = 0;
  #pingSentAt: number | null = null;
  #pongDue: number | null = null;
  /** Frames begun so far, and as it was at the last tick: tells a slow frame from a new one. */
  #framesSeen = 0;
  #framesSeenAtTick = 0;
  readonly #since = { start: 0, heard: 0, ping: 0, frame: 0, write: 0 };

  constructor(socket: TLSSocket, peer: PeerId, dialedFor: Channel | null, limits: LinkLimits, events: LinkEvents) {
    this.#socket = socket;
    this.peer = peer;
    this.isDialed = dialedFor !== null;
    this.channel = dialedFor ?? 'control';
    this.#limits = limits;
    this.#events = events;
    this.#reader = new FrameReader({
      frameBytesMax: () => (this.#state === 'open' ? FRAME_BYTES_MAX[this.channel] : 0),
      onFrame: (frame) => this.#onFrame(frame),
      onLinkMessage: (bytes) => this.#onLinkMessage(bytes),
    });
    socket.on('data', (chunk: Uint8Array) => this.#onChunk(chunk));
    socket.on('error', (error) => this.end(endOfSocketError(error, true)));
    socket.on('end', () =>
      this.end({ reason: this.#reader.isBetweenFrames ? 'link.closed' : 'link.truncated', detail: '' }),
    );
    socket.on('close', () => this.end({ reason: 'link.reset', detail: '' }));
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** How long the link has existed. */
  get ageMs(): number {
    return this.#since.start;
  }

  /** How long nothing has come. */
  get silentMs(): number {
    return this.#since.heard;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Null until the peer has greeted. */
  get peerHello(): Hello | null {
    return this.#peerHello;
  }

  /** Whether a message written now, behind what is being written, would be read as one. */
  get #canTell(): boolean {
    return this.#queue.isBetweenFrames && this.#socket.writable;
  }

  greet(hello: Hello): void {
    this.#queue.pushLinkMessage(encodeLinkMessage(hello));
    this.#events.onWaiting(this);
  }

  /** Frames may pass from now on. */
  open(hello: Hello, tally: Tally): void {
    assert(this.#state === 'greeting', 'a link is opened once');
    this.#state = 'open';
    this.#peerHello = hello;
    this.channel = hello.channel;
    tally.ups += 1;
    tally.bytesIn += this.#tally.bytesIn;
    tally.bytesOut += this.#tally.bytesOut;
    this.#tally = tally;
    this.#ping();
  }

  /** @returns false when the queue is full */
  send(frame: Uint8Array): boolean {
    assert(
      frame.length > 0 && frame.length <= FRAME_BYTES_MAX[this.channel],
      'a frame keeps to the limit of its channel',
    );
    if (this.#state !== 'open' || !this.#queue.push(frame, QUEUE_BYTES_MAX[this.channel])) return false;
    this.#events.onWaiting(this);
    return true;
  }

  /**
   * Writes what waits, unless a write is still under way: then it goes out after that one.
   *
   * @returns bytes written, about `bytesMax` at most
   */
  flush(bytesMax: number): number {
    if (this.#isWriting || this.#state === 'ended') return 0;
    if (this.#pongDue !== null) {
      this.#queue.pushLinkMessage(encodeLinkMessage({ type: 'pong', number: this.#pongDue }));
      this.#pongDue = null;
    }
    const bytes = this.#queue.take(bytesMax);
    if (bytes.length === 0) return 0;
    this.#tally.framesOut += this.#queue.claimTakenFrames();
    this.#tally.bytesOut += bytes.length;
    this.#isWriting = true;
    this.#since.write = 0;
    this.#socket.write(bytes, () => this.#onWritten());
    return bytes.length;
  }

  hold(isHeld: boolean): void {
    if (this.#state !== 'open' || this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Ends the link when something has taken too long; pings. */
  tick(elapsedMs: number): void {
    this.#countTime(elapsedMs);
    const overdue = this.#state === 'ended' ? null : this.#overdue();
    if (overdue !== null) this.end({ reason: overdue, detail: '' });
    else if (this.#state === 'open' && this.#since.ping >= this.#limits.pingMs) this.#ping();
  }

  /** Ends the link; tells the peer why, if it still listens. Only the first call counts. */
  end(end: LinkEnd): void {
    if (this.#state === 'ended') return;
    const canTell = this.#canTell && BROKEN[end.reason] !== true;
    this.#state = 'ended';
    this.#tally.drops += this.#queue.frameCount;
    const socket = this.#socket;
    if (canTell) {
      socket.end(frameOf({ type: 'bye', text: end.detail === '' ? end.reason : `${end.reason} ${end.detail}` }));
      // What still comes is thrown away, so that closing does not become a reset that swallows the bye.
      socket.resume();
      const cut = setTimeout(() => socket.destroy(), this.#limits.lingerMs);
      socket.on('close', () => clearTimeout(cut));
    } else {
      socket.destroy();
    }
    this.#events.onEnd(this, end);
  }

  /** Resolves when the connection of an ended link is gone. */
  whenClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  #onChunk(chunk: Uint8Array): void {
    if (this.#state === 'ended') return;
    this.#heard = true;
    this.#tally.bytesIn += chunk.length;
    const fault = this.#reader.push(chunk);
    if (fault === null) return;
    this.end({ reason: this.#state === 'greeting' ? 'link.hello-malformed' : fault, detail: '' });
  }

  /** @returns whether to read on */
  #onFrame(frame: Uint8Array): boolean {
    this.#framesSeen += 1;
    this.#tally.framesIn += 1;
    this.#events.onFrame(this, frame);
    return this.#state === 'open';
  }

  #onLinkMessage(bytes: Uint8Array): boolean {
    this.#framesSeen += 1;
    const decoded = decodeLinkMessage(bytes);
    if (!decoded.ok) {
      const reason = this.#state === 'greeting' ? 'link.hello-malformed' : 'link.message-malformed';
      this.end({ reason, detail: decoded.error.message });
    } else {
      this.#handle(decoded.value);
    }
    return !this.isEnded;
  }

  #handle(message: LinkMessage): void {
    if (message.type === 'bye') return this.end({ reason: 'link.closed-by-peer', detail: message.text });
    if (this.#state === 'greeting') {
      if (message.type === 'hello') this.#events.onHello(this, message);
      else this.end({ reason: 'link.hello-malformed', detail: `${message.type} before hello` });
      return;
    }
    if (message.type === 'hello') return this.end({ reason: 'link.message-malformed', detail: 'second hello' });
    if (message.type === 'pong') return this.#onPong(message.number);
    // Only the latest ping is answered, so pinging fast makes us send no more.
    this.#pongDue = message.number;
    this.#events.onWaiting(this);
  }

  #ping(): void {
    this.#since.ping = 0;
    if (this.#pingSentAt !== null) return;
    this.#pingNumber += 1;
    this.#pingSentAt = performance.now();
    this.#queue.pushLinkMessage(encodeLinkMessage({ type: 'ping', number: this.#pingNumber }));
    this.#events.onWaiting(this);
  }

  #onPong(number: number): void {
    if (this.#pingSentAt === null || number !== this.#pingNumber) return;
    this.#events.onRoundTrip(this, performance.now() - this.#pingSentAt);
    this.#pingSentAt = null;
  }

  #onWritten(): void {
    this.#isWriting = false;
    if (this.#state !== 'ended' && (!this.#queue.isEmpty || this.#pongDue !== null)) this.#events.onWaiting(this);
  }

  #countTime(elapsedMs: number): void {
    const since = this.#since;
    since.start += elapsedMs;
    since.ping += elapsedMs;
    since.write += elapsedMs;
    since.heard = this.#heard || this.#isHeld ? 0 : since.heard + elapsedMs;
    const isSameFrame = this.#reader.pendingBytes > 0 && this.#framesSeen === this.#framesSeenAtTick;
    since.frame = isSameFrame && !this.#isHeld ? since.frame + elapsedMs : 0;
    this.#heard = false;
    this.#framesSeenAtTick = this.#framesSeen;
  }

  #overdue(): LinkReason | null {
    const { helloMs, idleMs, stallMs, frameMs, frameBytesPerSecond } = this.#limits;
    if (this.#state === 'greeting' && this.#since.start > helloMs) return 'link.hello-timeout';
    if (this.#since.heard > idleMs) return 'link.idle';
    if (this.#isWriting && this.#since.write > stallMs) return 'link.stalled';
    const frameAllowedMs = frameMs + (this.#reader.pendingBytes * 1000) / frameBytesPerSecond;
    return this.#since.frame > frameAllowedMs ? 'link.frame-slow' : null;
  }
}

/** Ends after which there is nobody to tell why. */
const BROKEN: { readonly [reason in LinkReason]?: true } = {
  'link.reset': true,
  'link.stalled': true,
  'link.idle': true,
  'link.closed': true,
  'link.truncated': true,
  'link.closed-by-peer': true,
};

function frameOf(message: LinkMessage): Uint8Array {
  const body = encodeLinkMessage(message);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  writeHeader(frame, 0, body.length, true);
  frame.set(body, HEADER_BYTES);
  return frame;
}
