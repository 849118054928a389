/**
 * Asks peers for blocks and batches by digest until they come: one peer at a time, the next one after Delta
 * (protocol.md section 7). What comes is checked against the digest, so any peer will do.
 */
import type { Hash, ValidatorIndex } from '../../model/brands.ts';
import type { ReplicaContext } from '../context.ts';
import { nameOf } from '../digest-name.ts';
import type { PeerActivity } from '../guard/peer-activity.ts';

type WantedKind = 'block' | 'batch';

type Wanted = {
  readonly kind: WantedKind;
  readonly digest: Hash;
  /** Who should have it, as far as known; then everybody else. */
  candidates: ValidatorIndex[];
  next: number;
  askAtMs: number;
  /** The step in which it was last wanted. */
  step: number;
};

/** Requests under way at once; more are asked for as these are answered, or are wanted no more. */
const wantedMax = 512;

export class Fetcher {
  readonly #wanted = new Map<string, Wanted>();
  readonly #context: ReplicaContext;
  readonly #activity: PeerActivity;
  #step = 0;

  constructor(context: ReplicaContext, activity: PeerActivity) {
    this.#context = context;
    this.#activity = activity;
  }

  /** Requests under way. */
  get size(): number {
    return this.#wanted.size;
  }

  want(kind: WantedKind, digest: Hash, candidates: readonly ValidatorIndex[]): void {
    const name = `${kind}/${nameOf(digest)}`;
    const known = this.#wanted.get(name);
    if (known !== undefined) {
      known.step = this.#step;
      for (const peer of candidates) if (!known.candidates.includes(peer)) known.candidates.push(peer);
      return;
    }
    if (this.#wanted.size >= wantedMax) return;
    const wanted: Wanted = {
      kind,
      digest,
      candidates: candidates.filter((peer) => peer !== this.#context.self),
      next: 0,
      askAtMs: this.#context.now.ms,
      step: this.#step,
    };
    this.#wanted.set(name, wanted);
  }

  /** Whether a rule wanted this in the last step: what a rule has given up since is not taken in any more. */
  isWanted(kind: WantedKind, digest: Hash): boolean {
    const wanted = this.#wanted.get(`${kind}/${nameOf(digest)}`);
    return wanted !== undefined && wanted.step >= this.#step - 1;
  }

  forget(kind: WantedKind, digest: Hash): void {
    this.#wanted.delete(`${kind}/${nameOf(digest)}`);
  }

  /** Sends the requests that are due; once a step, after its rules: who still needs a thing has just said so. */
  askDue(): void {
    const step = this.#step++;
    for (const [name, wanted] of this.#wanted) {
      if (this.#context.now.ms < wanted.askAtMs) continue;
      if (wanted.step !== step) {
        this.#wanted.delete(name);
        continue;
      }
      const peer = this.#nextPeer(wanted);
      wanted.askAtMs = this.#context.now.ms + this.#context.constants.deltaMs;
      if (peer === null) continue;
      const type = wanted.kind === 'block' ? 'request-block' : 'request-batch';
      this.#context.emit({ type: 'send', to: [peer], message: { type, digest: wanted.digest } });
    }
  }

  #nextPeer(wanted: Wanted): ValidatorIndex | null {
    const everybody = this.#context.set.validators.map((_, i) => i as ValidatorIndex);
    const others = [...everybody, ...this.#activity.guests()].filter((peer) => !wanted.candidates.includes(peer));
    const order = [...wanted.candidates, ...others];
    for (let tried = 0; tried < order.length; tried++) {
      const peer = order[wanted.next % order.length]!;
      wanted.next++;
      if (peer !== this.#context.self && this.#activity.isConnected(peer)) return peer;
    }
    return null;
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const wanted of this.#wanted.values()) at = Math.min(at, wanted.askAtMs);
    return at;
  }
}
