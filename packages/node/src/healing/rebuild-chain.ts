/**
 * A new chain.db in place of one that is missing or cannot be mended: founded on a certified snapshot of now. What was before comes out of
 * the old file, as far as it is true, and from peers; where that takes longer than a moment, the chain begins at its snapshot, and
 * the node collects its past while it lives (past-collector.ts).
 */
import { type CairnError, ok, type Result } from '@cairn-ledger/core';
import { removeDatabase } from '../storage/chain-replacement.ts';
import { mergePast, pastPathOf } from '../storage/past-merge.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { ChainFile } from './chain-file.ts';
import { collectPast } from './collect-past.ts';
import { localStateOf } from './mend-state.ts';
import type { Mending } from './mending.ts';
import { draftPathOf, replaceDatabase } from './replace-file.ts';
import { openScratchFile } from './scratch-file.ts';
import { type SyncOptions, syncState } from './sync-state.ts';

export type RebuildOptions = Pick<SyncOptions, 'from' | 'pauseMs' | 'roundsMax'> & {
  readonly onReplacing: () => void;
  /** How long to wait for what was before the snapshot, in milliseconds. */
  readonly pastMs?: number | undefined;
};

export type Rebuilt = {
  readonly height: number;
  /** Whether it has everything from the genesis on. */
  readonly isComplete: boolean;
};

/** So long a node waits for its past before it goes on without: a short one is had by then, and a long one comes while it lives. */
const pastMsDefault = 5_000;

/**
 * @param source the old file, as far as SQLite opens it; it is closed before its place is taken
 */
export async function rebuildChain(
  path: string,
  source: ChainFile | null,
  mending: Mending,
  { onReplacing, pastMs = pastMsDefault, ...sync }: RebuildOptions,
): Promise<Result<Rebuilt, CairnError>> {
  const { anchor, peers, verifier, cache, onProgress } = mending;
  const local = source === null ? null : localStateOf(source);
  const synced = await syncState({
    ...sync,
    anchor,
    peers,
    verifier,
    cache,
    local,
    onProgress: ({ stage, done, total }) => onProgress(stage, done, total),
  });
  if (!synced.ok) return synced;
  const draft = draftPathOf(path);
  const file = openScratchFile(draft, anchor.ledgerHash);
  let isComplete = false;
  try {
    onProgress('writing', 0, null);
    const imported = file.chain.importSnapshot(synced.value.snapshot);
    if (!imported.ok) return imported;
    mending.onWritten('state', countOf(file, 'state'));
    isComplete = await isPastHad(file, source, pastPathOf(path), mending, pastMs);
    file.database.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    file.close();
  }
  source?.close();
  // Without its past it is a chain all the same.
  if (isComplete) isComplete = mergePast(draft, pastPathOf(path)).ok;
  onReplacing();
  replaceDatabase(path);
  if (isComplete) removeDatabase(pastPathOf(path));
  return ok({ height: synced.value.height, isComplete });
}

/** Whether all of the past could be had in that time; what was had is kept beside the chain either way. */
async function isPastHad(
  founded: ChainFile,
  source: ChainFile | null,
  pastPath: string,
  { anchor, peers, verifier, onWritten, onProgress }: Mending,
  withinMs: number,
): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  let past: ChainFile | null = null;
  try {
    past = openScratchFile(pastPath, anchor.ledgerHash);
    return await collectPast({
      founded,
      past,
      source,
      anchor,
      peers,
      verifier,
      onWritten,
      onProgress(stage, done, total) {
        if (performance.now() > endMs) throw new NoTimeLeft();
        onProgress(stage, done, total);
      },
    });
  } catch (cause) {
    // A chain without its past is one all the same.
    if (cause instanceof NoTimeLeft || cause instanceof StorageError) return false;
    throw cause;
  } finally {
    past?.close();
  }
}

class NoTimeLeft extends Error {}

function countOf({ database }: ChainFile, table: string): number {
  return (database.sqlite.prepare(`SELECT COUNT(*) AS count FROM ${table}`).get() as { count: number }).count;
}
