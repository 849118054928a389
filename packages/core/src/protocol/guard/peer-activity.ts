/**
 * Who has been heard of lately, to skip the views of a silent leader (protocol.md R1): a leader is silent when nothing
 * came from it for `skipTimeout` while a quorum, this node included, was active all that time. When the whole network is
 * quiet, nobody is silent.
 *
 * A leader whose link has been down for that long, while links to a quorum are up, is skipped as well: otherwise each of
 * its views after a quiet time would cost a full timeout.
 *
 * A peer that is no validator of the epoch has a place at or above the number of validators. It counts for none of this; whether
 * it is linked is known all the same, since it may be asked for blocks.
 */
import type { ValidatorIndex } from '../../model/brands.ts';

export class PeerActivity {
  readonly #heardAtMs: number[];
  readonly #connectedSinceMs: (number | null)[];
  readonly #connectedGuests = new Set<ValidatorIndex>();
  readonly #downSinceMs: number[];
  readonly #self: ValidatorIndex;
  readonly #quorum: number;
  readonly #windowMs: number;
  /** Since when a quorum has been active without a break. */
  #activeSinceMs = Number.POSITIVE_INFINITY;
  #nowMs = 0;

  constructor(validatorsCount: number, self: ValidatorIndex, quorum: number, windowMs: number, nowMs: number) {
    this.#heardAtMs = new Array<number>(validatorsCount).fill(Number.NEGATIVE_INFINITY);
    this.#connectedSinceMs = new Array<number | null>(validatorsCount).fill(null);
    this.#downSinceMs = new Array<number>(validatorsCount).fill(nowMs);
    this.#self = self;
    this.#quorum = quorum;
    this.#windowMs = windowMs;
  }

  onMoment(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#activeCount() < this.#quorum) this.#activeSinceMs = Number.POSITIVE_INFINITY;
  }

  onHeard(peer: ValidatorIndex): void {
    if (this.#isGuest(peer)) return;
    this.#heardAtMs[peer] = this.#nowMs;
    if (this.#activeSinceMs === Number.POSITIVE_INFINITY && this.#activeCount() >= this.#quorum)
      this.#activeSinceMs = this.#nowMs;
  }

  #isGuest(peer: ValidatorIndex): boolean {
    return peer >= this.#heardAtMs.length;
  }

  onConnected(peer: ValidatorIndex): void {
    if (this.#isGuest(peer)) this.#connectedGuests.add(peer);
    else this.#connectedSinceMs[peer] = this.#nowMs;
  }

  onDisconnected(peer: ValidatorIndex): void {
    this.#connectedGuests.delete(peer);
    if (this.#isGuest(peer)) return;
    this.#connectedSinceMs[peer] = null;
    this.#downSinceMs[peer] = this.#nowMs;
  }

  isConnected(peer: ValidatorIndex): boolean {
    return this.#isGuest(peer) ? this.#connectedGuests.has(peer) : this.#connectedSinceMs[peer] !== null;
  }

  /** Peers that are no validators of the epoch and are linked, ascending. */
  guests(): ValidatorIndex[] {
    return [...this.#connectedGuests].sort((a, b) => a - b);
  }

  isSilent(peer: ValidatorIndex, timeoutMs: number): boolean {
    const isUnreachable = !this.isConnected(peer) && this.#nowMs - this.#downSinceMs[peer]! > timeoutMs;
    if (isUnreachable && this.#connectedCount() >= this.#quorum) return true;
    return this.#nowMs - Math.max(this.#heardAtMs[peer]!, this.#activeSinceMs) > timeoutMs;
  }

  #activeCount(): number {
    let count = 0;
    for (let i = 0; i < this.#heardAtMs.length; i++)
      if (i === this.#self || this.#nowMs - this.#heardAtMs[i]! <= this.#windowMs) count++;
    return count;
  }

  #connectedCount(): number {
    return this.#connectedSinceMs.filter((since, i) => i === this.#self || since !== null).length;
  }
}
