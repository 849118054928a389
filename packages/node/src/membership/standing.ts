/** Who belongs to the network, how validators stand, and what is voted on: read from the ledger's state. */
import {
  assert,
  type Change,
  equalBytes,
  type ProposalView as LedgerProposal,
  type ListingStore,
  type Parameters,
  readAdmissions,
  readMembers,
  readParameters,
  readProposal,
  readProposals,
  readRemoved,
  readSuspensionsOf,
  readTargetRules,
  readValidators,
  toHex,
  unreachable,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { publicKeyToText } from '@cairn-ledger/sdk';
import type { NodeStatus } from '../http/edge-port.ts';
import type {
  MembershipView,
  ProposalView,
  ProposedChange,
  ValidatorStanding,
  ValidatorState,
} from '../http/membership-port.ts';

export type StandingParts = {
  /** Of the present epoch. */
  readonly validators: readonly Validator[];
  readonly status: NodeStatus;
};

/** Heights for which a proposal is open (wire-format.md, section 3). */
const proposalHeights = 100_000;

export function membershipOf(store: ListingStore, { validators, status }: StandingParts): MembershipView {
  const parameters = parametersOf(store);
  const members = readMembers(store).map(({ id, name }) => ({ id, name }));
  const present = new Set(validators.map(({ id }) => id));
  const target = readValidators(store);
  const isSetChanging = !equalBytes(validatorSetDigest(validators), validatorSetDigest(target));
  return {
    height: status.executedHeight,
    epoch: status.epoch,
    isChanging: isSetChanging || (readTargetRules(store) ?? status.rules) !== status.rules,
    votesNeeded: votesNeeded(members.length, parameters.memberVotesPercent),
    parameters,
    rules: status.rules,
    members,
    validators: standingsOf(store, validators, target),
    guests: status.peers.filter(({ id, connected }) => connected && !present.has(id)).map(({ id }) => id),
    proposals: readProposals(store)
      .filter(({ outcome }) => outcome === 'open')
      .map(proposalToView),
  };
}

/** A proposal and how many must say yes; null where there is none. */
export function proposalWith(
  store: ListingStore,
  id: Uint8Array,
): { readonly proposal: ProposalView; readonly votesNeeded: number } | null {
  const proposal = readProposal(store, id);
  if (proposal === null) return null;
  const needed = votesNeeded(readMembers(store).length, parametersOf(store).memberVotesPercent);
  return { proposal: proposalToView(proposal), votesNeeded: needed };
}

/** The fewest that pass: yes * 100 >= percent * members. */
export function votesNeeded(membersCount: number, percent: number): number {
  return Math.ceil((percent * membersCount) / 100);
}

function standingsOf(
  store: ListingStore,
  validators: readonly Validator[],
  target: readonly Validator[],
): ValidatorStanding[] {
  const wanted = new Set(target.map(({ id }) => id));
  const present = new Map(validators.map((validator) => [validator.id, validator]));
  const suspensions = Map.groupBy(readSuspensionsOf(store, validators), ({ validator }) => validator);
  const standings = validators.map((validator): ValidatorStanding => {
    const why = suspensions.get(validator.id) ?? [];
    const state = !wanted.has(validator.id) ? 'leaving' : why.length > 0 ? 'suspended' : 'active';
    return standing(validator, state, {
      causes: why.map(({ cause }) => cause),
      sinceHeight: why[0]?.sinceHeight ?? null,
    });
  });
  for (const validator of target) {
    const before = present.get(validator.id);
    if (before === undefined || !equalBytes(before.linkKey, validator.linkKey))
      standings.push(standing(validator, 'joining'));
  }
  for (const { validator, height, ready } of readAdmissions(store)) {
    if (target.some(({ linkKey }) => equalBytes(linkKey, validator.linkKey))) continue;
    standings.push(standing(validator, ready === null ? 'admitted' : 'ready', { causes: [], sinceHeight: height }));
  }
  for (const { validator: id, member, cause, height } of readRemoved(store)) {
    if (present.has(id) || wanted.has(id)) continue;
    const gone = { linkKey: null, addresses: [], host: null, operator: null };
    standings.push({ id, member, state: 'removed', causes: [cause], sinceHeight: height, ...gone });
  }
  return standings.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function standing(
  { id, member, linkKey, addresses, host, operator }: Validator,
  state: ValidatorState,
  more: Pick<ValidatorStanding, 'causes' | 'sinceHeight'> = { causes: [], sinceHeight: null },
): ValidatorStanding {
  return { id, member, state, ...more, linkKey, addresses, host: host ?? null, operator: operator ?? null };
}

function proposalToView({
  id,
  votes,
  change,
  member,
  openedHeight,
  outcome,
  closedHeight,
}: LedgerProposal): ProposalView {
  const votedBy = (wanted: boolean): string[] =>
    votes.filter(({ isYes }) => isYes === wanted).map((each) => each.member);
  return {
    id,
    member,
    openedHeight,
    lapsesHeight: openedHeight + proposalHeights,
    outcome,
    closedHeight,
    change: changeToView(change),
    yes: votedBy(true),
    no: votedBy(false),
  };
}

function changeToView(change: Change): ProposedChange {
  switch (change.type) {
    case 'add-member': {
      const { member, name, algorithm, publicKey } = change;
      return { kind: change.type, member, name, personKey: publicKeyToText({ algorithm, publicKey }) };
    }
    case 'admit-validator': {
      const { id, member, linkKey, votingKey, checkpointKey, addresses, host, operator } = change.validator;
      return {
        kind: change.type,
        validator: id,
        member,
        linkKey: toHex(linkKey),
        votingKey: toHex(votingKey),
        checkpointKey: toHex(checkpointKey),
        addresses,
        ...(host !== undefined && { host }),
        ...(operator !== undefined && { operator }),
      };
    }
    case 'remove-validator':
      return { kind: change.type, validator: change.validator };
    case 'change-parameters':
      return { kind: change.type, parameters: change.parameters };
    case 'change-rules':
      return { kind: change.type, rules: change.rules };
    default:
      return unreachable(change);
  }
}

function parametersOf(store: ListingStore): Parameters {
  const parameters = readParameters(store);
  assert(parameters !== null, 'the genesis writes the parameters');
  return parameters;
}
