/**
 * Records about the members' decisions and the validators (records.ts has their paths and everything else). Execution
 * reads by path alone, so whatever it must go through stands in one record that lists it.
 */
import type { Cbor } from '../bytes/cbor.ts';
import { bytesOf, listOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { membersMax, rulesMax } from '../model/genesis.ts';
import { readName } from '../model/registered-key.ts';
import {
  lifeSizeBytes,
  readValidator,
  type Validator,
  validatorSetMax,
  validatorToCbor,
} from '../model/validator-set.ts';
import { type Change, changeToCbor, readChange } from './changes.ts';
import type { RecordKind } from './records.ts';

/** Open proposals of all members, and of one. */
export const openProposalsMax = 64;
export const openProposalsOfMemberMax = 8;
/** Validators that are admitted and not in the target set as they were admitted. */
export const admissionsMax = 64;

const outcomes = ['open', 'passed', 'refused', 'lapsed', 'impossible'] as const;
export type ProposalOutcome = (typeof outcomes)[number];

export type ProposalRecord = {
  readonly change: Change;
  /** Of whoever proposed it. */
  readonly member: string;
  readonly openedHeight: number;
  readonly outcome: ProposalOutcome;
  /** null while it is open. */
  readonly closedHeight: number | null;
  /** Members that vote for it, and against it. */
  readonly yes: number;
  readonly no: number;
};

export type OpenProposal = { readonly id: Uint8Array; readonly member: string; readonly openedHeight: number };

/** A validator that the members want and that has not joined yet. */
export type AdmissionRecord = { readonly validator: Validator; readonly height: number };

/** What a validator has said of itself to join, or to return. */
export type ReadyRecord = {
  /** The key it said so with: tells what it was ready for. */
  readonly linkKey: Uint8Array;
  readonly life: Uint8Array;
  /** Height of the block that holds it. */
  readonly height: number;
  /** Where its copy of the ledger had come to, by its own account. */
  readonly ownHeight: number;
  readonly historyRoot: Uint8Array;
};

const verdicts = ['suspect', 'clear', 'present', 'fenced'] as const;
export type AttestVerdict = (typeof verdicts)[number];

/** The last word of one validator about another. */
export type Attestation = {
  readonly by: string;
  readonly verdict: 'suspect' | 'clear';
  /** A word: what it has seen. */
  readonly reason: string;
  readonly height: number;
};

const causes = ['proven-fault', 'attested', 'own-notice', 'damage'] as const;
export type SuspensionCause = (typeof causes)[number];

/** Why a validator's views may be skipped (protocol.md section 6), and since which height. */
export type Suspension = {
  readonly validator: string;
  readonly cause: SuspensionCause;
  readonly sinceHeight: number;
  /** Which of the validators that had this name is meant. */
  readonly votingKey: Uint8Array;
  readonly life: Uint8Array | null;
};

const removalCauses = ['fault', 'vote'] as const;
export type RemovalCause = (typeof removalCauses)[number];
export type RemovedRecord = { readonly member: string; readonly cause: RemovalCause; readonly height: number };

/** What may change the target set as soon as nothing is in flight; each list in order of its causes. */
export type Agenda = {
  /** Validators proven faulty, with the key they were proven faulty with. */
  readonly faulty: readonly { readonly validator: string; readonly votingKey: Uint8Array }[];
  /** Ids of validators that the members want out. */
  readonly removals: readonly string[];
  /** Ids of validators that have said that they are ready. */
  readonly readies: readonly string[];
  /** Rules that the members want. */
  readonly rules: number | null;
};

export const noAgenda: Agenda = { faulty: [], removals: [], readies: [], rules: null };

const readId = (value: Cbor): string => readName(value, 'validator id');
const readKeyBytes = (value: Cbor): Uint8Array => bytesOf(value, 'key', 32);
const readLife = (value: Cbor): Uint8Array => bytesOf(value, 'life number', lifeSizeBytes);

export const proposalKind: RecordKind<ProposalRecord> = {
  toCbor: ({ change, member, openedHeight, outcome, closedHeight, yes, no }) => [
    changeToCbor(change),
    member,
    openedHeight,
    outcomes.indexOf(outcome),
    closedHeight,
    yes,
    no,
  ],
  read(value) {
    const [change, member, openedHeight, outcome, closedHeight, yes, no] = tupleOf(value, 7, 'proposal');
    return {
      change: readChange(change!),
      member: readName(member!, 'member'),
      openedHeight: uintOf(openedHeight!, 'height'),
      outcome: outcomes[uintOf(outcome!, 'outcome', outcomes.length - 1)]!,
      closedHeight: closedHeight === null ? null : uintOf(closedHeight!, 'height'),
      yes: uintOf(yes!, 'votes', membersMax),
      no: uintOf(no!, 'votes', membersMax),
    };
  },
};

/** One vote of a member on a proposal: true is yes. */
export const voteKind: RecordKind<boolean> = {
  toCbor: (isYes) => (isYes ? 1 : 0),
  read: (value) => uintOf(value, 'vote', 1) === 1,
};

export const openProposalsKind: RecordKind<readonly OpenProposal[]> = {
  toCbor: (proposals) => proposals.map(({ id, member, openedHeight }) => [id, member, openedHeight]),
  read: (value) =>
    listOf(value, openProposalsMax, 'open proposals', (item) => {
      const [id, member, openedHeight] = tupleOf(item, 3, 'open proposal');
      return {
        id: bytesOf(id!, 'proposal', 32),
        member: readName(member!, 'member'),
        openedHeight: uintOf(openedHeight!, 'height'),
      };
    }),
};

export const memberCountKind: RecordKind<number> = {
  toCbor: (count) => count,
  read: (value) => uintOf(value, 'members', membersMax),
};

export const admissionKind: RecordKind<AdmissionRecord> = {
  toCbor: ({ validator, height }) => [validatorToCbor(validator), height],
  read(value) {
    const [validator, height] = tupleOf(value, 2, 'admission');
    return { validator: readValidator(validator!), height: uintOf(height!, 'height') };
  },
};

export const admissionIdsKind: RecordKind<readonly string[]> = {
  toCbor: (ids) => ids,
  read: (value) => listOf(value, admissionsMax, 'admissions', readId),
};

export const readyKind: RecordKind<ReadyRecord> = {
  toCbor: ({ linkKey, life, height, ownHeight, historyRoot }) => [linkKey, life, height, ownHeight, historyRoot],
  read(value) {
    const [linkKey, life, height, ownHeight, historyRoot] = tupleOf(value, 5, 'ready');
    return {
      linkKey: readKeyBytes(linkKey!),
      life: readLife(life!),
      height: uintOf(height!, 'height'),
      ownHeight: uintOf(ownHeight!, 'height'),
      historyRoot: bytesOf(historyRoot!, 'history root', 32),
    };
  },
};

/** A height: of the last sign of life, or of the last return. */
export const heightKind: RecordKind<number> = {
  toCbor: (height) => height,
  read: (value) => uintOf(value, 'height'),
};

export const attestationsKind: RecordKind<readonly Attestation[]> = {
  toCbor: (attestations) =>
    attestations.map(({ by, verdict, reason, height }) => [by, verdictToCode(verdict), reason, height]),
  read: (value) =>
    listOf(value, validatorSetMax, 'attestations', (item) => {
      const [by, verdict, reason, height] = tupleOf(item, 4, 'attestation');
      return {
        by: readId(by!),
        verdict: uintOf(verdict!, 'verdict', 1) === 0 ? 'suspect' : 'clear',
        reason: readName(reason!, 'reason'),
        height: uintOf(height!, 'height'),
      };
    }),
};

export const suspensionsKind: RecordKind<readonly Suspension[]> = {
  toCbor: (suspensions) =>
    suspensions.map(({ validator, cause, sinceHeight, votingKey, life }) => [
      validator,
      causes.indexOf(cause),
      sinceHeight,
      votingKey,
      life,
    ]),
  read: (value) =>
    listOf(value, validatorSetMax * causes.length, 'suspensions', (item) => {
      const [validator, cause, sinceHeight, votingKey, life] = tupleOf(item, 5, 'suspension');
      return {
        validator: readId(validator!),
        cause: causes[uintOf(cause!, 'cause', causes.length - 1)]!,
        sinceHeight: uintOf(sinceHeight!, 'height'),
        votingKey: readKeyBytes(votingKey!),
        life: life === null ? null : readLife(life!),
      };
    }),
};

export const removedKind: RecordKind<RemovedRecord> = {
  toCbor: ({ member, cause, height }) => [member, removalCauses.indexOf(cause), height],
  read(value) {
    const [member, cause, height] = tupleOf(value, 3, 'removed validator');
    return {
      member: readName(member!, 'member'),
      cause: removalCauses[uintOf(cause!, 'cause', removalCauses.length - 1)]!,
      height: uintOf(height!, 'height'),
    };
  },
};

/** The validator that was proven faulty with a key. */
export const faultyKeyKind: RecordKind<string> = { toCbor: (id) => id, read: readId };

export const agendaKind: RecordKind<Agenda> = {
  toCbor: ({ faulty, removals, readies, rules }) => [
    faulty.map(({ validator, votingKey }) => [validator, votingKey]),
    removals,
    readies,
    rules,
  ],
  read(value) {
    const [faulty, removals, readies, rules] = tupleOf(value, 4, 'agenda');
    return {
      faulty: listOf(faulty!, validatorSetMax, 'faulty validators', (item) => {
        const [validator, votingKey] = tupleOf(item, 2, 'faulty validator');
        return { validator: readId(validator!), votingKey: readKeyBytes(votingKey!) };
      }),
      removals: listOf(removals!, validatorSetMax, 'removals', readId),
      readies: listOf(readies!, validatorSetMax + admissionsMax, 'ready validators', readId),
      rules: rules === null ? null : uintOf(rules!, 'rules', rulesMax),
    };
  },
};

export function verdictToCode(verdict: AttestVerdict): number {
  return verdicts.indexOf(verdict);
}

/** For use inside `readShape`. */
export function readVerdict(value: Cbor): AttestVerdict {
  return verdicts[uintOf(value, 'verdict', verdicts.length - 1)]!;
}
