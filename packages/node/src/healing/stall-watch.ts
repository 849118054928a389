/**
 * Notices that a node which knows that it is behind does not come nearer: nobody it is linked with gives the blocks that come next, since
 * all of them began later, or have lost them. Then a certified state is the only way on.
 */

export type SyncProgress = {
  /** A quorum has finalized something that is not known here yet. */
  readonly isSyncing: boolean;
  readonly finalizedHeight: number;
  readonly executedHeight: number;
  /** Somebody could give what is lacking. */
  readonly isLinked: boolean;
};

export type StallWatch = {
  /** True once it has lasted too long; from then on it is counted anew. */
  tick(nowMs: number, progress: SyncProgress): boolean;
};

/** @param stallMs without a step forward */
export function createStallWatch(stallMs: number): StallWatch {
  let sinceMs: number | null = null;
  let reached = -1;
  return {
    tick(nowMs, { isSyncing, finalizedHeight, executedHeight, isLinked }) {
      const height = finalizedHeight + executedHeight;
      const isStalled = isSyncing && isLinked && height === reached;
      reached = height;
      sinceMs = isStalled ? (sinceMs ?? nowMs) : null;
      if (sinceMs === null || nowMs - sinceMs < stallMs) return false;
      sinceMs = null;
      return true;
    },
  };
}
