/**
 * A data folder that was made together with its keys, for a node that has signed nothing yet. Keys without data and without this are
 * keys whose record was lost: a copy of the keys put on another machine, or a disk that is empty. The first start takes the
 * marker away, once there is a journal.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const markerName = 'unused.json';

/** Throws when the disk fails. */
export function markUnused(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, markerName), `${JSON.stringify({ madeMs: Date.now() })}\n`, { mode: 0o600, flush: true });
}

export function isMarkedUnused(dataDir: string): boolean {
  return existsSync(join(dataDir, markerName));
}

/** Throws when the disk fails. */
export function markUsed(dataDir: string): void {
  rmSync(join(dataDir, markerName), { force: true });
}
