/**
 * How fast an audit reads: counts bytes, lets others have their turn, keeps below a rate, and ends when it is told to. The
 * checks between two calls are synchronous and read at most a few MiB.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';

export type PaceOptions = {
  /** Without it the disk is the limit. */
  readonly maxBytesPerSecond?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Pace = {
  /** Counts bytes that were read; resolves when the next ones may be. Rejects with the signal's reason. */
  spend(bytes: number): Promise<void>;
  readonly readBytes: () => number;
};

/** Longest time without a turn for others. */
const turnMs = 10;

export function createPace({ maxBytesPerSecond, signal }: PaceOptions): Pace {
  const startedMs = performance.now();
  let lastTurnMs = startedMs;
  let total = 0;
  return {
    readBytes: () => total,
    async spend(bytes) {
      total += bytes;
      signal?.throwIfAborted();
      const nowMs = performance.now();
      const dueMs = maxBytesPerSecond === undefined ? 0 : startedMs + (total / maxBytesPerSecond) * 1000;
      if (dueMs <= nowMs && nowMs - lastTurnMs < turnMs) return;
      if (dueMs > nowMs) await setTimeout(dueMs - nowMs, undefined, { signal });
      else await setImmediate();
      signal?.throwIfAborted();
      lastTurnMs = performance.now();
    },
  };
}
