/** How many validators fall together, because one host or operator runs them (protocol.md section 1). */

import type { ValidatorState } from './http/membership-port.ts';

export type Placed = {
  readonly id: string;
  readonly member: string;
  readonly host?: string | null | undefined;
  readonly operator?: string | null | undefined;
};

/** Those of the present set: suspended and leaving ones vote, and count, until the epoch ends. */
export function votersOf<T extends { readonly state: ValidatorState }>(standings: readonly T[]): T[] {
  return standings.filter(({ state }) => state === 'active' || state === 'suspended' || state === 'leaving');
}

/** Validators that one host or operator runs. */
export type Concentration = {
  readonly place: 'host' | 'operator';
  readonly name: string;
  readonly validators: readonly string[];
};

/** Hosts and operators, as the validators' records name them, with more than one validator; the largest first. */
export function concentrationsOf(validators: readonly Placed[]): Concentration[] {
  const found: Concentration[] = [];
  for (const place of ['host', 'operator'] as const) {
    const byName = new Map<string, string[]>();
    for (const validator of validators) {
      // Whoever names no operator runs it itself.
      const name = place === 'host' ? validator.host : (validator.operator ?? validator.member);
      if (name !== undefined && name !== null) byName.set(name, [...(byName.get(name) ?? []), validator.id]);
    }
    for (const [name, ids] of byName) if (ids.length > 1) found.push({ place, name, validators: ids });
  }
  return found.sort((a, b) => b.validators.length - a.validators.length);
}
