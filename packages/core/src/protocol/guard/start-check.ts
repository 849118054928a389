/**
 * The check after a start (protocol.md section 6, "Lost or rolled-back safety record"): before a node signs anything again it hears
 * from a quorum of the epoch, itself included, where they are and what they hold that it has signed. What they show counts only
 * with its own signature; so peers can stop nobody who remembers everything, and a node whose disk was put back learns of it.
 */
import type { ValidatorIndex } from '../../model/brands.ts';
import { retryMs } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';

export class StartCheck {
  readonly #context: ReplicaContext;
  readonly #heard = new Set<ValidatorIndex>();
  #isDone: boolean;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: ReplicaContext, isDone: boolean) {
    this.#context = context;
    this.#isDone = isDone || context.set.quorum <= 1;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** A validator has said where it is, and its recall was looked at. */
  onStatus(peer: ValidatorIndex): void {
    const { set, self } = this.#context;
    if (this.#isDone || peer >= set.validators.length || peer === self) return;
    this.#heard.add(peer);
    const own = self < set.validators.length ? 1 : 0;
    this.#isDone = this.#heard.size + own >= set.quorum;
  }

  /** Whether it is time to ask again; counts as asked if so. */
  isAskDue(): boolean {
    const { now } = this.#context;
    if (this.#isDone || now.ms < this.#askedAtMs + this.#pauseMs) return false;
    this.#askedAtMs = now.ms;
    return true;
  }

  get #pauseMs(): number {
    return retryMs(this.#context.constants) / 4;
  }

  deadline(): number {
    return this.#isDone ? Number.POSITIVE_INFINITY : this.#askedAtMs + this.#pauseMs;
  }
}
