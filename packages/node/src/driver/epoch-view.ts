/**
 * One epoch as a node sees it: the set, its own place in it, and a number for every peer. Validators have their places in the set;
 * peers that are none get numbers behind them as they come: they follow, and ask.
 *
 * What was decided in one epoch is performed with its view, also when the next one has begun meanwhile: a place means another
 * validator there.
 */
import { type EpochSet, indexIn, type PreviousEpoch, toValidatorIndex, type ValidatorIndex } from '@cairn-ledger/core';

/** Peers that are let in by a key alone (membership/roster.ts), and so many of each: leavers, joiners, admitted ones. */
export const guestsMax = 256;
/** Numbers that peers have at one time which are no validators of the epoch. */
export const numbersMax = 4 * guestsMax;

export class EpochView {
  readonly set: EpochSet;
  readonly previous: PreviousEpoch | null;
  readonly selfId: string;
  readonly self: ValidatorIndex;
  readonly #ids = new Map<ValidatorIndex, string>();
  readonly #indices = new Map<string, ValidatorIndex>();
  /** Guests whose links are gone, the one first that has been away longest: they keep their numbers while there is room. */
  readonly #away = new Set<string>();
  /** No number is given twice: what was decided for one peer must not come to another, or be counted as its doing. */
  #next: number;

  constructor(set: EpochSet, previous: PreviousEpoch | null, selfId: string) {
    this.set = set;
    this.previous = previous;
    this.selfId = selfId;
    for (const [i, { id }] of set.validators.entries()) this.#enter(id, i);
    this.#next = set.validators.length;
    const place = indexIn(set, selfId);
    // The place behind the last validator is this node's own where it is none.
    this.self = place ?? this.#enter(selfId, this.#next++);
  }

  #enter(id: string, number: number): ValidatorIndex {
    const index = toValidatorIndex(number);
    this.#ids.set(index, id);
    this.#indices.set(id, index);
    return index;
  }

  get isMember(): boolean {
    return this.self < this.set.validators.length;
  }

  /** The number of a peer; null when too many that are linked are no validators. */
  indexOf(id: string): ValidatorIndex | null {
    const known = this.#indices.get(id);
    if (known !== undefined) return known;
    if (this.#indices.size >= this.set.validators.length + numbersMax && !this.#forgetOne()) return null;
    return this.#enter(id, this.#next++);
  }

  /** As `indexOf`, for a peer whose link is up. */
  onConnected(id: string): ValidatorIndex | null {
    this.#away.delete(id);
    return this.indexOf(id);
  }

  /** The number of a peer whose link is gone; null where it has none. */
  onDisconnected(id: string): ValidatorIndex | null {
    const index = this.#indices.get(id) ?? null;
    if (index !== null && index >= this.set.validators.length && index !== this.self) this.#away.add(id);
    return index;
  }

  #forgetOne(): boolean {
    const [id] = this.#away;
    if (id === undefined) return false;
    this.#away.delete(id);
    this.#ids.delete(this.#indices.get(id)!);
    this.#indices.delete(id);
    return true;
  }

  /** Null for a guest that is gone, and forgotten. */
  idOf(index: ValidatorIndex): string | null {
    return this.#ids.get(index) ?? null;
  }
}
