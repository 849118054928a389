/** Who belongs to the network and how they stand, read from the ledger's state. */
import {
  assert,
  type ListingStore,
  readMembers,
  readParameters,
  readSuspensions,
  readValidators,
  type Validator,
} from '@cairn-ledger/core';
import type { NodeStatus } from '../http/edge-port.ts';
import type { MembershipView, ValidatorStanding, ValidatorState } from '../http/membership-port.ts';

export type StandingParts = {
  /** Of the present epoch. */
  readonly validators: readonly Validator[];
  readonly status: NodeStatus;
};

export function membershipOf(store: ListingStore, { validators, status }: StandingParts): MembershipView {
  const parameters = readParameters(store);
  assert(parameters !== null, 'the genesis writes the parameters');
  const members = readMembers(store).map(({ id, name }) => ({ id, name }));
  const target = new Map(readValidators(store).map((validator) => [validator.id, validator]));
  const suspensions = Map.groupBy(readSuspensions(store), ({ validator }) => validator);
  const present = new Set(validators.map(({ id }) => id));

  const standings = validators.map((validator): ValidatorStanding => {
    const why = suspensions.get(validator.id) ?? [];
    const state = !target.has(validator.id) ? 'leaving' : why.length > 0 ? 'suspended' : 'active';
    return standing(validator, state, {
      causes: why.map(({ cause }) => cause),
      sinceHeight: why[0]?.sinceHeight ?? null,
    });
  });
  for (const validator of target.values())
    if (!present.has(validator.id)) standings.push(standing(validator, 'joining'));

  return {
    height: status.executedHeight,
    epoch: status.epoch,
    isChanging: standings.some(({ state }) => state === 'leaving' || state === 'joining'),
    votesNeeded: votesNeeded(members.length, parameters.memberVotesPercent),
    members,
    validators: standings.sort((a, b) => (a.id < b.id ? -1 : 1)),
    guests: status.peers.filter(({ id, connected }) => connected && !present.has(id)).map(({ id }) => id),
    proposals: [],
  };
}

/** The fewest that pass: yes * 100 >= percent * members. */
export function votesNeeded(membersCount: number, percent: number): number {
  return Math.ceil((percent * membersCount) / 100);
}

function standing(
  { id, member, addresses, host, operator }: Validator,
  state: ValidatorState,
  more: Pick<ValidatorStanding, 'causes' | 'sinceHeight'> = { causes: [], sinceHeight: null },
): ValidatorStanding {
  return { id, member, state, ...more, addresses, host: host ?? null, operator: operator ?? null };
}
