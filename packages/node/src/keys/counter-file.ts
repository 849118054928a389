/**
 * Counters of a key, never handed out twice: `<key file>.counter` holds the next one. Numbers are reserved durably
 * before they are used, so a crash may skip some, which the replay window allows, and can never repeat one.
 *
 * Two processes may sign with one key at the same time: each reservation holds a lock file for its moment.
 */
import { closeSync, openSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { writeDurably } from '../durable-file.ts';

const LOCK_WAIT_MS = 5;
const LOCK_TRIES_MAX = 1000;
/** A reservation takes milliseconds; a lock this old was left by a process that died. */
const LOCK_STALE_MS = 10_000;

export const firstCounter = 1n;

/** Where the counters of the key at `keyPath` are kept. */
export function counterPathOf(keyPath: string): string {
  return `${keyPath}.counter`;
}

/**
 * Reserves `count` consecutive counters and returns the first.
 *
 * @param atLeast continue from here when the file is behind, for example when the ledger has seen later ones
 * Errors: `counter.locked`, `counter.malformed`, `counter.unwritable`
 */
export async function reserveCounters(
  keyPath: string,
  count: number,
  atLeast: bigint = firstCounter,
): Promise<Result<bigint, CairnError>> {
  const path = counterPathOf(keyPath);
  const lock = `${path}.lock`;
  const locked = await takeLock(lock);
  if (!locked.ok) return locked;
  try {
    const next = readCounter(path);
    if (!next.ok) return next;
    const first = next.value > atLeast ? next.value : atLeast;
    writeDurably(path, `${first + BigInt(count)}\n`);
    return ok(first);
  } catch (error) {
    return fail({
      code: 'counter.unwritable',
      message: `the counter file ${path} cannot be written: ${(error as Error).message}`,
    });
  } finally {
    unlinkSync(lock);
  }
}

function readCounter(path: string): Result<bigint, CairnError> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(firstCounter);
    throw error;
  }
  if (/^\d{1,20}$/.test(text)) return ok(BigInt(text));
  return fail({ code: 'counter.malformed', message: `${path} must hold one number, the next counter of its key` });
}

async function takeLock(lock: string): Promise<Result<void, CairnError>> {
  for (let tries = 0; tries < LOCK_TRIES_MAX; tries++) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return ok(undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        return fail({
          code: 'counter.unwritable',
          message: `the lock ${lock} cannot be made: ${(error as Error).message}`,
        });
      }
    }
    dropStaleLock(lock);
    await sleep(LOCK_WAIT_MS);
  }
  return fail({
    code: 'counter.locked',
    message: `another process holds ${lock}; if none runs any more, delete the file`,
  });
}

function dropStaleLock(lock: string): void {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) unlinkSync(lock);
  } catch {
    // Gone meanwhile: the next try takes it.
  }
}
