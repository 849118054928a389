/**
 * What can go wrong with the journal. All of it stops the node: nothing here is retried.
 *
 * - `journal.failed`: a write or sync failed, or the disk fell too far behind. What is on disk is known again only after
 *   a restart.
 * - `journal.damaged`: stored bytes are not what was written. Repaired from peers, never cut off.
 * - `journal.in-use`: another process holds the directory.
 */
import type { CairnError } from '@cairn-ledger/core';

export type JournalErrorCode = 'journal.failed' | 'journal.damaged' | 'journal.in-use';

/** An Error, so that `sync` can reject with it, and a `CairnError`. */
export class JournalError extends Error implements CairnError {
  override name = 'JournalError';
  readonly code: JournalErrorCode;
  /** File name of the damaged segment, and where in it the damaged frame begins. */
  readonly segment: string | null;
  readonly offset: number | null;

  constructor(code: JournalErrorCode, message: string, place?: { segment: string; offset: number }, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.segment = place?.segment ?? null;
    this.offset = place?.offset ?? null;
  }
}

export function journalFailed(doing: string, cause: unknown): JournalError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(
    'journal.failed',
    `${doing} failed (${why}): make room or replace the disk, then restart the node`,
    undefined,
    cause,
  );
}

export function journalDamaged(segment: string, offset: number, what: string): JournalError {
  return new JournalError(
    'journal.damaged',
    `the journal is damaged in ${segment} at byte ${offset} (${what}): leave the file as it is and repair from peers`,
    { segment, offset },
  );
}
