/**
 * The highest that a node has signed of each kind (protocol.md section 6, "Lost or rolled-back safety record"). It is kept
 * beside the keys, apart from the safety record: where it is ahead of what the record remembers, the record was lost or
 * put back, and whoever signs on may sign something else for the same view.
 */

export type SigningMark = {
  readonly epoch: number;
  /** Of the epoch: the highest view voted in, and the highest number of an own batch. */
  readonly view: number;
  /** How far it has voted in `view` (`voteRank`); absent while nothing is known of that. */
  readonly vote?: number;
  readonly seq: number;
  readonly checkpointHeight: number;
};

/** Votes of one view in the order in which one may follow another; after `finalize`, and once it is final, none does. */
export const voteRank = { notarize: 1, nullify: 2, finalize: 3 } as const;

export const nothingSigned: SigningMark = { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 };

export type Signed =
  | { readonly epoch: number; readonly view: number; readonly vote?: number }
  | { readonly epoch: number; readonly seq: number }
  | { readonly checkpointHeight: number };

/** The mark with one more thing signed; the very same mark when that was covered already. */
export function raiseMark(mark: SigningMark, signed: Signed): SigningMark {
  if ('checkpointHeight' in signed) {
    return signed.checkpointHeight > mark.checkpointHeight
      ? { ...mark, checkpointHeight: signed.checkpointHeight }
      : mark;
  }
  if (signed.epoch < mark.epoch) return mark;
  const current = signed.epoch === mark.epoch ? mark : { ...mark, epoch: signed.epoch, view: 0, seq: 0 };
  if ('view' in signed) {
    const { view, vote = 0 } = signed;
    if (view < current.view || (view === current.view && vote <= (current.vote ?? 0))) return current;
    const { vote: _before, ...rest } = current;
    return vote === 0 ? { ...rest, view } : { ...rest, view, vote };
  }
  return signed.seq > current.seq ? { ...current, seq: signed.seq } : current;
}

/** Whether a mark says more than is remembered: then the safety record was lost or rolled back. */
export function isAhead(mark: SigningMark, remembered: SigningMark): boolean {
  if (mark.checkpointHeight > remembered.checkpointHeight) return true;
  if (mark.epoch !== remembered.epoch) return mark.epoch > remembered.epoch;
  // A disk put back within a view remembers the view, and not all that was voted in it.
  if (mark.view === remembered.view && (mark.vote ?? 0) > (remembered.vote ?? 0)) return true;
  return mark.view > remembered.view || mark.seq > remembered.seq;
}
