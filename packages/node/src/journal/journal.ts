/**
 * The journal: what this node must not forget, in append-only segments (architecture.md, "Storage").
 *
 * `append` only copies into memory; `sync` writes everything appended so far as one frame and makes it durable, off the
 * caller's thread. While one frame is on its way the next one fills: *group commit*. Frames are written one after the
 * other, each only when the one before is durable, so at most the last one can be unfinished after a crash; opening cuts
 * it off, since nobody was told that it was durable. Anything else that differs from what was written is damage: it is
 * reported with its place and left as it is.
 *
 * A failed write or sync is final. The kernel may have dropped the bytes and would report success the second time, so the
 * journal refuses everything from then on, and the node stops.
 */
import { join } from 'node:path';
import { assert, fail, ok, type Result } from '@cairn-ledger/core';
import type { DirectoryLock, JournalFile, JournalFileSystem } from './file-system.ts';
import { type JournalRecord, segmentHeaderBytes } from './frame.ts';
import { JournalError, journalDamaged, journalFailed } from './journal-error.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { createPendingFrame } from './pending-frame.ts';
import {
  beginningName,
  beginningsAmong,
  createSegment,
  type Recovered,
  readSegmentHeader,
  recoverSegments,
  type Segment,
  startOf,
} from './recovery.ts';
import { type Position, readFrames } from './segment-reader.ts';

export const recordBytesMax = 16 << 20;
const segmentBytesDefault = 64 << 20;
const pendingBytesMaxDefault = 64 << 20;

export type JournalOptions = {
  readonly fileSystem?: JournalFileSystem;
  /** A segment that has reached this size is followed by a new one. */
  readonly segmentBytes?: number;
  /** More than this waiting to be written means that the disk has stopped: the journal fails. */
  readonly pendingBytesMax?: number;
};

export type OpenedJournal = {
  readonly journal: Journal;
  /** Bytes of an unfinished last frame, never acknowledged, that were cut off. */
  readonly truncatedBytes: number;
};

/** Opens the journal in a directory of its own, makes an empty one when there is none, and checks all of it. */
export async function openJournal(
  directory: string,
  options: JournalOptions = {},
): Promise<Result<OpenedJournal, JournalError>> {
  const fileSystem = options.fileSystem ?? nodeFileSystem;
  let lock: DirectoryLock | null = null;
  try {
    await fileSystem.makeDirectory(directory);
    lock = await fileSystem.lock(directory);
    if (lock === null) {
      const message = `${directory} is in use by another process: stop that node, or give this one a folder of its own`;
      return fail(new JournalError('journal.in-use', message));
    }
    const recovered = await recoverSegments(fileSystem, directory);
    const journal = new Journal(fileSystem, directory, lock, recovered, options);
    return ok({ journal, truncatedBytes: recovered.truncatedBytes });
  } catch (cause) {
    lock?.release();
    return fail(cause instanceof JournalError ? cause : journalFailed(`opening the journal in ${directory}`, cause));
  }
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: JournalError) => void };

export class Journal {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  readonly #segmentBytes: number;
  readonly #pendingBytesMax: number;

  /** Oldest first; the last one is written to. */
  readonly #segments: Segment[];
  #file: JournalFile;
  /** Behind the last durable frame. */
  #durable: Position;

  /** Two frames take turns: one fills while the other is written. */
  #filling = createPendingFrame();
  #spare = createPendingFrame();
  #nextSequence: number;
  /** Who waits for the filling frame, and for the one being written. */
  #waiters: Waiter[] = [];
  #underWay: Waiter[] | null = null;
  #writing: Promise<void> | null = null;
  #failure: JournalError | null = null;
  #isClosed = false;

  constructor(
    fileSystem: JournalFileSystem,
    directory: string,
    lock: DirectoryLock,
    recovered: Recovered,
    options: JournalOptions,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#lock = lock;
    this.#segmentBytes = options.segmentBytes ?? segmentBytesDefault;
    this.#pendingBytesMax = options.pendingBytesMax ?? pendingBytesMaxDefault;
    this.#segments = recovered.segments;
    this.#file = recovered.file;
    this.#durable = recovered.end;
    this.#nextSequence = recovered.end.sequence;
  }

  /** The sequence that the next record will get. The first record of a journal has 1. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** The lowest sequence still kept. */
  get firstSequence(): number {
    return this.#segments[0]!.firstSequence;
  }

  /** Appended but not yet handed to the disk. When this keeps growing, the disk is too slow: take in less. */
  get pendingBytes(): number {
    return this.#filling.sizeBytes();
  }

  /** Size on disk. */
  get sizeBytes(): number {
    return this.#segments.reduce((total, segment) => total + segment.sizeBytes, 0);
  }

  /** Set once a write or sync has failed; nothing becomes durable any more. */
  get failure(): JournalError | null {
    return this.#failure;
  }

  /**
   * Adds a record; it is durable once a `sync` called after this has resolved. Copies the payload. After a failure the
   * record is dropped: every `sync` then rejects.
   *
   * @param type 0 to 255, the caller's own
   * @returns its sequence
   */
  append(type: number, payload: Uint8Array): number {
    assert(Number.isInteger(type) && type >= 0 && type <= 255, 'a record type is one byte');
    assert(payload.length <= recordBytesMax, `a journal record has at most ${recordBytesMax} bytes`);
    assert(!this.#isClosed, 'nothing is appended to a closed journal');
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    if (this.#failure !== null) return sequence;
    this.#filling.add(type, payload);
    if (this.#filling.sizeBytes() > this.#pendingBytesMax) {
      this.#fail(journalFailed('writing the journal', `more than ${this.#pendingBytesMax} bytes wait for the disk`));
    }
    return sequence;
  }

  /** Resolves when everything appended so far is durable; rejects with a JournalError, always the same one from then on. */
  sync(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const isAllWritten = this.#filling.recordCount() === 0;
    if (isAllWritten && this.#underWay === null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      (isAllWritten ? this.#underWay! : this.#waiters).push({ resolve, reject });
      this.#writing ??= this.#writeUntilIdle();
    });
  }

  /** Durable records from a sequence on, in order, checked again while they are read; throws `journal.damaged`. */
  async *records(fromSequence = 1): AsyncGenerator<JournalRecord, void> {
    const segments = this.#segments.map((segment) => ({ ...segment }));
    for (const [i, segment] of segments.entries()) {
      const isBefore = (segments[i + 1]?.firstSequence ?? Number.POSITIVE_INFINITY) <= fromSequence;
      // A segment may have been pruned while the ones before it were read.
      if (!isBefore && this.#segments.some((kept) => kept.name === segment.name)) {
        yield* recordsOfSegment(this.#fileSystem, this.#directory, segment, fromSequence);
      }
    }
  }

  /** Deletes the segments whose records all lie before a sequence; the one written to stays. Returns how many. */
  async prune(beforeSequence: number): Promise<number> {
    const needed = (_: Segment, i: number): boolean =>
      (this.#segments[i + 1]?.firstSequence ?? Number.POSITIVE_INFINITY) > beforeSequence;
    const kept = this.#segments.findIndex(needed);
    if (kept <= 0 || this.#failure !== null) return this.#orThrow(0);
    await this.#noteBeginning(this.#segments[kept]!.firstSequence);
    let count = 0;
    while (this.#failure === null && count < kept) {
      const { name } = this.#segments.shift()!;
      count += 1;
      await this.#orFail(`deleting ${name}`, () => this.#fileSystem.remove(join(this.#directory, name)));
    }
    await this.#orFail('deleting journal segments', () => this.#fileSystem.syncDirectory(this.#directory));
    return this.#orThrow(count);
  }

  /** What lies before this may be missing from now on. */
  async #noteBeginning(sequence: number): Promise<void> {
    const name = beginningName(sequence);
    await this.#orFail(`writing ${name}`, async () => {
      const before = beginningsAmong(await this.#fileSystem.list(this.#directory));
      if (before.includes(name)) return;
      await (await this.#fileSystem.open(join(this.#directory, name), 'create')).close();
      await this.#fileSystem.syncDirectory(this.#directory);
      for (const older of before) await this.#fileSystem.remove(join(this.#directory, older));
    });
  }

  #orThrow<T>(value: T): T {
    if (this.#failure !== null) throw this.#failure;
    return value;
  }

  /** Makes what was appended durable, unless the journal has failed, and lets go of the directory. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    const last = this.#failure === null ? this.sync() : Promise.resolve();
    this.#isClosed = true;
    try {
      await last;
    } finally {
      await this.#writing;
      await this.#file.close().catch(() => {});
      this.#lock.release();
    }
  }

  /** Never rejects: a failure goes to the waiters. */
  async #writeUntilIdle(): Promise<void> {
    // What else is appended and waited for in this turn of the caller shares the frame.
    await Promise.resolve();
    while (this.#waiters.length > 0 && this.#failure === null) {
      const waiters = this.#waiters;
      this.#waiters = [];
      this.#underWay = waiters;
      const error = await this.#orFail('writing the journal', () => this.#writeFrame());
      this.#underWay = null;
      for (const waiter of waiters) error === null ? waiter.resolve() : waiter.reject(error);
    }
    this.#writing = null;
  }

  async #writeFrame(): Promise<void> {
    if (this.#durable.offset >= this.#segmentBytes) await this.#startSegment();
    const filled = this.#filling;
    this.#filling = this.#spare;
    this.#spare = filled;
    const frame = filled.finish(this.#durable.sequence, this.#durable.chain);
    await this.#file.write(frame.bytes, this.#durable.offset);
    await this.#file.sync();
    this.#durable = {
      offset: this.#durable.offset + frame.bytes.length,
      sequence: this.#durable.sequence + frame.recordCount,
      chain: frame.chain,
    };
    this.#segments.at(-1)!.sizeBytes = this.#durable.offset;
    filled.clear();
  }

  async #startSegment(): Promise<void> {
    const { sequence, chain } = this.#durable;
    const { segment, file } = await createSegment(this.#fileSystem, this.#directory, {
      firstSequence: sequence,
      chain,
    });
    const full = this.#file;
    this.#file = file;
    this.#segments.push(segment);
    this.#durable = { offset: segmentHeaderBytes, sequence, chain };
    await full.close();
  }

  /** Performs a write; what it throws is the end of the journal. Returns the failure, also an earlier one. */
  async #orFail(doing: string, write: () => Promise<void>): Promise<JournalError | null> {
    try {
      await write();
    } catch (cause) {
      this.#fail(journalFailed(doing, cause));
    }
    return this.#failure;
  }

  #fail(error: JournalError): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failure);
  }
}

async function* recordsOfSegment(
  fileSystem: JournalFileSystem,
  directory: string,
  segment: Segment,
  fromSequence: number,
): AsyncGenerator<JournalRecord, void> {
  const file = await fileSystem.open(join(directory, segment.name), 'existing');
  try {
    const header = await readSegmentHeader(file, segment.name, null);
    if (header === null) throw journalDamaged(segment.name, 0, 'its header differs');
    let end = startOf(header);
    for await (const frame of readFrames(file, segment.name, end, segment.sizeBytes)) {
      end = frame.end;
      for (const record of frame.records) {
        if (record.sequence >= fromSequence) yield { ...record, payload: Uint8Array.from(record.payload) };
      }
    }
    // All of it was durable once: an unfinished frame in here is damage.
    if (end.offset !== segment.sizeBytes) throw journalDamaged(segment.name, end.offset, 'a frame is not whole');
  } finally {
    await file.close();
  }
}
