/** Why a node signs nothing: there may be several reasons at once, and it signs again when the last one is over. */
import type { FenceReason } from './ports.ts';

/** The gravest first: where there are several, that is the one that is told. */
const byGravity: readonly FenceReason[] = ['diverged', 'damaged', 'rolled-back', 'restart', 'operator'];

export class Fences {
  readonly #reasons = new Set<FenceReason>();

  get isFenced(): boolean {
    return this.#reasons.size > 0;
  }

  /** The gravest first. */
  get reasons(): readonly FenceReason[] {
    return byGravity.filter((reason) => this.#reasons.has(reason));
  }

  /** False where it is fenced for that already. */
  add(reason: FenceReason): boolean {
    if (this.#reasons.has(reason)) return false;
    this.#reasons.add(reason);
    return true;
  }

  /** False where it was not fenced for that. */
  lift(reason: FenceReason): boolean {
    return this.#reasons.delete(reason);
  }
}
