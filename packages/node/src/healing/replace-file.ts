/**
 * A database that was built beside another one takes its place, whole or not at all (storage/chain-replacement.ts says how, and ends
 * at the next start what a crash has interrupted). The old file stays beside it, for who wants to know what happened to it.
 */
import { existsSync, renameSync } from 'node:fs';
import { adoptDraft, removeDatabase } from '../storage/chain-replacement.ts';

/** Where the file of before lies, once another one has taken its place. */
export function damagedPathOf(path: string): string {
  return `${path}.damaged`;
}

/** Where a new file is built; what was left there is deleted. */
export function draftPathOf(path: string): string {
  const draft = `${path}.draft`;
  removeDatabase(draft);
  return draft;
}

/** The draft, closed by now and complete, takes the place of the file at `path`, which nobody may have open. */
export function replaceDatabase(path: string): void {
  adoptDraft(path, () => {
    const damaged = damagedPathOf(path);
    removeDatabase(damaged);
    for (const suffix of ['-wal', '-shm', '']) {
      if (existsSync(path + suffix)) renameSync(path + suffix, damaged + suffix);
    }
  });
}
