/** What the state holds of proposals and validators, for queries; lists are sorted, so that every node shows them alike. */
import { fromHex, toHex } from '../bytes/hex.ts';
import type { Validator } from '../model/validator-set.ts';
import { listRecords, readRecord } from './query.ts';
import { paths, targetRulesKind } from './records.ts';
import {
  type Attestation,
  admissionKind,
  attestationsKind,
  heightKind,
  type ProposalRecord,
  proposalKind,
  type ReadyRecord,
  type RemovedRecord,
  readyKind,
  removedKind,
  type Suspension,
  suspensionsKind,
  voteKind,
} from './set-records.ts';
import type { ListingStore, Store } from './store.ts';
import { isAbout } from './suspensions.ts';

export type ProposalView = {
  /** The id of its transaction. */
  readonly id: Uint8Array;
  /** Ascending by member. */
  readonly votes: readonly { readonly member: string; readonly isYes: boolean }[];
} & ProposalRecord;

export type AdmissionView = {
  readonly validator: Validator;
  /** Height at which its admission passed. */
  readonly height: number;
  /** What it said when it was ready; null before. */
  readonly ready: ReadyRecord | null;
};

export type AttestationView = { readonly validator: string } & Attestation;
export type RemovedView = { readonly validator: string } & RemovedRecord;
/** `height` of the last sign of life, at most 100 heights late. */
export type PresenceView = { readonly validator: string; readonly height: number };

export function readProposal(store: ListingStore, id: Uint8Array): ProposalView | null {
  const record = readRecord(store, proposalKind, paths.proposal(toHex(id)));
  return record === null ? null : { id, ...record, votes: votesOn(store, id) };
}

/** Every proposal there ever was, in order of opening. */
export function readProposals(store: ListingStore): ProposalView[] {
  return listRecords(store, proposalKind, 'proposal/')
    .map(({ names: [id], record }) => ({ id: fromHex(id!)!, ...record }))
    .sort((a, b) => a.openedHeight - b.openedHeight)
    .map((proposal) => ({ ...proposal, votes: votesOn(store, proposal.id) }));
}

/** Validators that the members have voted in and that have not joined, or not with these keys. */
export function readAdmissions(store: ListingStore): AdmissionView[] {
  return listRecords(store, admissionKind, 'admission/').map(({ record }) => {
    const ready = readReady(store, record.validator.id);
    const isForThis = ready !== null && toHex(ready.linkKey) === toHex(record.validator.linkKey);
    return { ...record, ready: isForThis ? ready : null };
  });
}

/** What a validator that is to join or to return has last said of itself, until its turn comes or it lapses. */
export function readReady(store: Store, id: string): ReadyRecord | null {
  return readRecord(store, readyKind, paths.ready(id));
}

/** What validators say of one another: the last word of each about each, also where it counts no longer. */
export function readAttestations(store: ListingStore): AttestationView[] {
  return listRecords(store, attestationsKind, 'attestations/').flatMap(({ names: [validator], record }) =>
    record.map((attestation) => ({ validator: validator!, ...attestation })),
  );
}

/** Validators that were removed and have not come back. */
export function readRemoved(store: ListingStore): RemovedView[] {
  return listRecords(store, removedKind, 'removed/').map(({ names: [validator], record }) => ({
    validator: validator!,
    ...record,
  }));
}

export function readPresence(store: ListingStore): PresenceView[] {
  return listRecords(store, heightKind, 'presence/').map(({ names: [validator], record }) => ({
    validator: validator!,
    height: record,
  }));
}

/** Why validators' views may be skipped, in the order in which it began; a validator may be suspended for several causes. */
export function readSuspensions(store: Store): readonly Suspension[] {
  return readRecord(store, suspensionsKind, paths.suspensions) ?? [];
}

/**
 * Suspensions of a set as it is there, as the engine needs them. In a new epoch these may be fewer than
 * `readSuspensions` has before its first block is executed: a validator that has come back with new keys, or a new life
 * number, is somebody else.
 */
export function readSuspensionsOf(store: Store, validators: readonly Validator[]): Suspension[] {
  return readSuspensions(store).filter((suspension) => isAbout(suspension, validators));
}

/** Number of the rules that the ledger wants; null before the genesis is written. */
export function readTargetRules(store: Store): number | null {
  return readRecord(store, targetRulesKind, paths.targetRules);
}

function votesOn(store: ListingStore, id: Uint8Array): ProposalView['votes'] {
  return listRecords(store, voteKind, `vote/${toHex(id)}/`).map(({ names, record }) => ({
    member: names[1]!,
    isYes: record,
  }));
}
