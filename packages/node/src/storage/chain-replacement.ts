/**
 * Puts a chain founded from a snapshot in the place of the one that a node has, as where that is damaged or too far behind.
 * A crash at any moment leaves one of the two, whole:
 *
 *     chain.db.draft   being written; worth nothing, and removed when another one is begun
 *     chain.db.next    whole and durable: from here on it is the chain, and takes the old one's place at the next opening
 *
 * The log of the old database goes first. SQLite would otherwise read it into the new one.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { syncDirectoryOf } from '../durable-file.ts';
import { openChainDb } from './chain-db.ts';
import type { ChainSnapshot } from './snapshot-import.ts';
import { storageErrorOf } from './storage-error.ts';

const suffixes = ['', '-wal', '-shm'];

/**
 * Nobody may have the database open: who reads it would go on with files that are not there any more.
 *
 * Errors: `snapshot.differs`, and those of writing; the old chain is as it was then.
 */
export function replaceChainDb(
  path: string,
  ledgerHash: Uint8Array,
  snapshot: ChainSnapshot,
): Result<void, CairnError> {
  const draft = `${path}.draft`;
  try {
    removeDatabase(draft);
    const written = writeDraft(draft, ledgerHash, snapshot);
    if (!written.ok) {
      removeDatabase(draft);
      return written;
    }
    adoptDraft(path);
    return ok(undefined);
  } catch (cause) {
    // What is thrown while the snapshot is read belongs to who gave it.
    if ((cause as { syscall?: unknown } | null)?.syscall === undefined) throw cause;
    return fail(storageErrorOf(`replacing ${path}`, cause));
  }
}

/**
 * The draft, whole and closed, becomes the chain.
 *
 * @param moveOld takes the old one away, where it is not to be deleted; called when the new one can't be lost any more
 */
export function adoptDraft(path: string, moveOld: () => void = () => {}): void {
  const draft = `${path}.draft`;
  syncFile(draft);
  renameSync(draft, `${path}.next`);
  syncDirectoryOf(path);
  moveOld();
  finishReplacement(path);
}

function writeDraft(draft: string, ledgerHash: Uint8Array, snapshot: ChainSnapshot): Result<void, CairnError> {
  const opened = openChainDb(draft, { ledgerHash });
  if (!opened.ok) return opened;
  try {
    return opened.value.importSnapshot(snapshot);
  } finally {
    // Closed by its only user, a database is one file: its log is folded in.
    opened.value.close();
  }
}

/** Whether there is a chain, also where a crash has kept it from its place. */
export function hasChainFile(path: string): boolean {
  return existsSync(path) || existsSync(`${path}.next`);
}

/** Ends what a crash has interrupted; to be called before the database is opened for writing. Throws what the system throws. */
export function finishReplacement(path: string): void {
  const next = `${path}.next`;
  if (!existsSync(next)) return;
  removeDatabase(path);
  renameSync(next, path);
  syncDirectoryOf(path);
}

/** The log first, the file last: one without its log is older, a log without its file is nothing. */
export function removeDatabase(path: string): void {
  for (const suffix of [...suffixes].reverse()) rmSync(path + suffix, { force: true });
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
