/**
 * What can go wrong with a database. All of it stops the node, and nothing is retried: after a failed write only a restart
 * tells what is on disk.
 *
 * - `storage.failed`: a read or write failed, among others because the disk is full.
 * - `storage.damaged`: the file is not what was written.
 * - `storage.foreign`: it belongs to another ledger or to another release.
 */
import type { CairnError } from '@cairn-ledger/core';
import type { Finding, FindingClass } from '../audit/finding.ts';

export type StorageErrorCode = 'storage.failed' | 'storage.damaged' | 'storage.foreign';

/** An Error, so that a read inside execution can throw it, and a `CairnError`. */
export class StorageError extends Error implements CairnError {
  override name = 'StorageError';
  readonly code: StorageErrorCode;
  /** What of the chain it is about, where that is known. */
  readonly kind: FindingClass;

  constructor(code: StorageErrorCode, message: string, cause?: unknown, kind: FindingClass = 'database') {
    super(message, { cause });
    this.code = code;
    this.kind = kind;
  }
}

/** Something that was read is not what was written. */
export function damageOf(kind: FindingClass, what: string): StorageError {
  return new StorageError('storage.damaged', `${what}: repair it from peers`, undefined, kind);
}

/** What a column of bytes holds: an edited file may have anything there. */
export function bytesRead(value: unknown, kind: FindingClass, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw damageOf(kind, `${what} is not what was written`);
}

/** Damage as an audit tells it; null for anything else that was thrown. */
export function findingOf(cause: unknown): Finding | null {
  const { code, message, kind } = (cause ?? {}) as Partial<StorageError>;
  if (code !== 'storage.damaged') return null;
  return { class: kind ?? 'database', code, what: message ?? '', where: {} };
}

const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;
/** Extended code: a page ends before its time. The disk works; the file was cut. */
const sqliteShortRead = 522;

/** A number beyond those that are written here, where a page or a byte of it is another one. */
export function isNumberDamaged(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === 'ERR_OUT_OF_RANGE';
}

/** Names what SQLite (or the operating system) threw. */
export function storageErrorOf(doing: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as { errcode?: number } | null)?.errcode ?? 0;
  const primaryCode = code & 0xff;
  const isCorrupt = primaryCode === sqliteCorrupt || primaryCode === sqliteNotADatabase || code === sqliteShortRead;
  if (isCorrupt || isNumberDamaged(cause)) {
    return new StorageError('storage.damaged', `${doing}: the file is damaged (${why}): repair it from peers`, cause);
  }
  const message = `${doing} failed (${why}): make room or replace the disk, then restart the node`;
  return new StorageError('storage.failed', message, cause);
}
