/**
 * The finished segments of a journal one after the other, frame by frame: every byte against its checksum and the chain of the
 * frames. The last segment is being written, and is left to the next start; one that is taken away meanwhile was not
 * needed any more.
 */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place } from '../audit/finding.ts';
import { readOnlyFile } from '../audit/journal-audit.ts';
import { JournalError } from '../journal/journal-error.ts';
import { readSegmentHeader, startOf } from '../journal/recovery.ts';
import { type Frame, readFrames, type SegmentEnd } from '../journal/segment-reader.ts';

export type JournalLane = {
  /** Looks at a part of all bytes, at least one frame; returns how many rounds ended. */
  tick(part: number): Promise<number>;
  close(): void;
};

type Open = {
  readonly name: string;
  readonly handle: FileHandle;
  readonly frames: AsyncGenerator<Frame, SegmentEnd>;
};

const segmentNamePattern = /^\d{16}\.journal$/;

export function createJournalLane(directory: string, onDamage: (what: string, where: Place) => void): JournalLane {
  let lastName = '';
  let current: Open | null = null;

  async function finishedSegments(): Promise<string[]> {
    const names = (await readdir(directory)).filter((name) => segmentNamePattern.test(name)).sort();
    return names.slice(0, -1);
  }

  async function openNext(names: readonly string[]): Promise<boolean> {
    const name = names.find((each) => each > lastName);
    if (name === undefined) {
      lastName = '';
      return false;
    }
    lastName = name;
    const handle = await open(join(directory, name), 'r');
    const file = readOnlyFile(handle);
    const header = await readSegmentHeader(file, name, null);
    if (header === null) {
      await handle.close();
      onDamage(`${name} does not begin as a segment does`, { file: name, offset: 0 });
      return true;
    }
    current = { name, handle, frames: readFrames(file, name, startOf(header), await file.sizeBytes()) };
    return true;
  }

  async function closeCurrent(): Promise<void> {
    await current?.handle.close();
    current = null;
  }

  return {
    async tick(part) {
      let rounds = 0;
      try {
        const names = await finishedSegments();
        let bytes = 0;
        for (const name of names) bytes += (await stat(join(directory, name))).size;
        let left = Math.ceil(bytes * part);
        do {
          if (current === null && !(await openNext(names))) {
            rounds++;
            break;
          }
          if (current === null) break;
          const { name, frames }: Open = current;
          const frame = await frames.next();
          if (frame.done !== true) left -= frame.value.bytes.length;
          else {
            if (frame.value.unfinishedBytes > 0) onDamage(`the last frame of ${name} is not whole`, { file: name });
            await closeCurrent();
          }
        } while (left > 0);
      } catch (cause) {
        const name = (current as Open | null)?.name;
        await closeCurrent();
        if ((cause as { code?: string }).code === 'ENOENT') return rounds;
        if (cause instanceof JournalError) onDamage(cause.message, name === undefined ? {} : { file: name });
        else if ((cause as { syscall?: string }).syscall === undefined) throw cause;
        else
          onDamage(`the journal cannot be read: ${(cause as Error).message}`, name === undefined ? {} : { file: name });
      }
      return rounds;
    },
    close() {
      void closeCurrent();
    },
  };
}
