/** When a node of a development network is started again that ended without being asked to, and after which pause. */
import type { NodeExit } from './node-process.ts';

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** A node that ran for so long did not end by what ended it before. */
const goodRunMs = 120_000;

/** Whoever kills a node, or stops it, wants to see it down: it stays down, and the others go on. */
export function isEndedByPeople({ code, signal }: NodeExit): boolean {
  return signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' || (signal === null && code === 0);
}

export type RestartPauses = {
  /** How long to wait before the next start, in ms: twice as long after each run that was short. */
  next(ranMs: number): number;
};

export function createRestartPauses(): RestartPauses {
  let pauseMs = firstPauseMs;
  return {
    next(ranMs) {
      if (ranMs >= goodRunMs) pauseMs = firstPauseMs;
      const present = pauseMs;
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      return present;
    },
  };
}
