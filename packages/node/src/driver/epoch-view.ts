/**
 * One epoch as a node sees it: the set, its own place in it, and a number for every peer. Validators have their places in the set;
 * peers that are none get numbers behind them as they come: they follow, and ask.
 *
 * What was decided in one epoch is performed with its view, also when the next one has begun meanwhile: a place means another
 * validator there.
 */
import { type EpochSet, indexIn, type PreviousEpoch, toValidatorIndex, type ValidatorIndex } from '@cairn-ledger/core';

/** Peers beside the validators that get a number in one epoch. */
export const guestsMax = 256;

export class EpochView {
  readonly set: EpochSet;
  readonly previous: PreviousEpoch | null;
  readonly selfId: string;
  readonly self: ValidatorIndex;
  readonly #ids: string[];
  readonly #indices: Map<string, ValidatorIndex>;

  constructor(set: EpochSet, previous: PreviousEpoch | null, selfId: string) {
    this.set = set;
    this.previous = previous;
    this.selfId = selfId;
    this.#ids = set.validators.map(({ id }) => id);
    const place = indexIn(set, selfId);
    // The place behind the last validator is this node's own where it is none.
    if (place === null) this.#ids.push(selfId);
    this.self = place ?? toValidatorIndex(set.validators.length);
    this.#indices = new Map(this.#ids.map((id, i) => [id, toValidatorIndex(i)]));
  }

  get isMember(): boolean {
    return this.self < this.set.validators.length;
  }

  /** The number of a peer; null when there are too many that are no validators. */
  indexOf(id: string): ValidatorIndex | null {
    const known = this.#indices.get(id);
    if (known !== undefined) return known;
    if (this.#ids.length >= this.set.validators.length + guestsMax) return null;
    const index = toValidatorIndex(this.#ids.length);
    this.#ids.push(id);
    this.#indices.set(id, index);
    return index;
  }

  idOf(index: ValidatorIndex): string {
    return this.#ids[index]!;
  }
}
