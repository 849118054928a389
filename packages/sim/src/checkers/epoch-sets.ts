/**
 * Who votes in each epoch of a world, by the numbers of nodes: as the first honest node that began the epoch has it. All others must
 * have it the same way.
 */
import { type EpochSet, toHex } from '@cairn-ledger/core';
import type { Violations } from '../checkers.ts';
import { indexOfName } from '../virtual-chain.ts';

export class EpochSets {
  readonly #sets = new Map<number, { readonly node: number; readonly set: EpochSet; readonly validators: number[] }>();
  readonly #violations: Violations;

  constructor(first: EpochSet, violations: Violations) {
    this.#violations = violations;
    this.onEpoch(0, first);
  }

  get count(): number {
    return this.#sets.size;
  }

  onEpoch(node: number, set: EpochSet): void {
    const known = this.#sets.get(set.epoch);
    if (known === undefined) {
      const validators = set.validators.map(({ id }) => indexOfName(id));
      this.#sets.set(set.epoch, { node, set, validators });
      return;
    }
    if (textOf(known.set) !== textOf(set))
      this.#violations.add(`nodes ${known.node} and ${node} begin epoch ${set.epoch} differently`);
  }

  /** Numbers of the nodes that are the validators of an epoch, in order; null where nobody honest has begun it. */
  validatorsOf(epoch: number): readonly number[] | null {
    return this.#sets.get(epoch)?.validators ?? null;
  }

  setOf(epoch: number): EpochSet | null {
    return this.#sets.get(epoch)?.set ?? null;
  }

  /** Whether a node is a validator of some epoch after one. */
  isMemberAfter(epoch: number, node: number): boolean {
    return [...this.#sets].some(([each, { validators }]) => each > epoch && validators.includes(node));
  }
}

function textOf({ digest, genesis, rules }: EpochSet): string {
  return `${toHex(digest)} ${toHex(genesis.digest)} ${genesis.height} ${rules}`;
}
