/**
 * The note that the operator has taken this node out: it lies in the data folder, so the fence lasts over restarts until the
 * operator lifts it.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';

const noteName = 'operator-fence.json';
const reasonLengthMax = 200;

/** The reason that was given; null when the operator has not fenced this node. A note that cannot be read fences too. */
export function operatorFenceReason(dataDir: string): string | null {
  let text: string;
  try {
    text = readFileSync(join(dataDir, noteName), 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : unreadable;
  }
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown };
    return typeof reason === 'string' && reason !== '' ? reason.slice(0, reasonLengthMax) : unreadable;
  } catch {
    return unreadable;
  }
}

/** Throws when the disk fails. */
export function noteOperatorFence(dataDir: string, reason: string): void {
  writeDurably(join(dataDir, noteName), `${JSON.stringify({ reason, sinceMs: Date.now() })}\n`);
}

/** Throws when the disk fails. */
export function liftOperatorFence(dataDir: string): void {
  rmSync(join(dataDir, noteName), { force: true });
}

const unreadable = 'the note of the reason cannot be read';
