/**
 * What this node sees of the other validators of its epoch, for what it says of them on the ledger (protocol.md section 6, level
 * 1): who is out of reach, does not sign checkpoints that a quorum has signed, or lets its views go by; and who does its work
 * again. A verdict takes a whole window, so that a link that breaks for a moment accuses nobody.
 *
 * Only while this node is itself linked with a quorum: else it may be the one that is cut off.
 */

export type PeerConduct = 'silent' | 'working' | 'unclear';

/** Own views in a row that a leader lets go by before that counts as silence. */
const lostViewsMax = 3;

export type Glance = {
  readonly nowMs: number;
  readonly windowMs: number;
  /** Height that a quorum has certified here. */
  readonly certifiedHeight: number;
  /** How many validators are needed, this node included. */
  readonly quorum: number;
  /** The other validators of the epoch. */
  readonly peers: readonly {
    readonly id: string;
    readonly isLinked: boolean;
    /** Highest height of this epoch whose checkpoint it has signed; 0 for none. */
    readonly signedHeight: number;
  }[];
};

type Seen = {
  /** Since when it has been as it is, in the milliseconds of `nowMs`. */
  silentSinceMs: number | null;
  workingSinceMs: number | null;
  lostViews: number;
};

export type PeerWatch = {
  /** Takes a look at all of them; to be called several times within a window. */
  look(glance: Glance): void;
  conductOf(id: string, nowMs: number, windowMs: number): PeerConduct;
  /** A view ended without a block of its leader, who was not late by this node's own doing. */
  onLostView(leader: string): void;
  onLedView(leader: string): void;
  /** A view was skipped because its leader is suspended: it cannot show there that it works, so the views it lost are forgotten. */
  onSkippedView(leader: string): void;
  /** Places and heights begin anew. */
  onEpoch(): void;
};

export function createPeerWatch(): PeerWatch {
  const seen = new Map<string, Seen>();
  /** Certified heights by when they were first seen certified, oldest first; the first is at least a window old. */
  let certified: { readonly height: number; readonly atMs: number }[] = [];
  let isFirstLook = true;

  function seenOf(id: string): Seen {
    let known = seen.get(id);
    if (known === undefined) {
      known = { silentSinceMs: null, workingSinceMs: null, lostViews: 0 };
      seen.set(id, known);
    }
    return known;
  }

  /** The height that everybody has had a window's time to sign; null while there is none in this epoch. */
  function dueHeight({ nowMs, windowMs, certifiedHeight }: Glance): number | null {
    // What was certified before this epoch, or before this node looked, is signed by nobody again.
    if (isFirstLook) certified = [{ height: certifiedHeight, atMs: Number.POSITIVE_INFINITY }];
    isFirstLook = false;
    if (certifiedHeight > (certified.at(-1)?.height ?? 0)) certified.push({ height: certifiedHeight, atMs: nowMs });
    let due: number | null = null;
    for (const { height, atMs } of certified) if (nowMs - atMs >= windowMs) due = height;
    if (due !== null) certified = certified.filter(({ height }) => height >= due);
    return due;
  }

  return {
    look(glance) {
      const { nowMs, peers, quorum } = glance;
      const due = dueHeight(glance);
      const linked = peers.filter(({ isLinked }) => isLinked).length + 1;
      for (const { id, isLinked, signedHeight } of peers) {
        const known = seenOf(id);
        const isIdle = known.lostViews >= lostViewsMax || (due !== null && signedHeight < due);
        const isSilent = linked >= quorum && (!isLinked || isIdle);
        const isWorking = isLinked && (due === null ? signedHeight > 0 : signedHeight >= due);
        known.silentSinceMs = isSilent ? (known.silentSinceMs ?? nowMs) : null;
        known.workingSinceMs = isWorking ? (known.workingSinceMs ?? nowMs) : null;
      }
      const ids = new Set(peers.map(({ id }) => id));
      for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    },
    conductOf(id, nowMs, windowMs) {
      const known = seen.get(id);
      if (known === undefined) return 'unclear';
      const { silentSinceMs, workingSinceMs } = known;
      if (silentSinceMs !== null) return nowMs - silentSinceMs >= windowMs ? 'silent' : 'unclear';
      return workingSinceMs !== null && nowMs - workingSinceMs >= windowMs ? 'working' : 'unclear';
    },
    onLostView(leader) {
      seenOf(leader).lostViews++;
    },
    onLedView(leader) {
      seenOf(leader).lostViews = 0;
    },
    onSkippedView(leader) {
      seenOf(leader).lostViews = 0;
    },
    onEpoch() {
      seen.clear();
      certified = [];
      isFirstLook = true;
    },
  };
}
