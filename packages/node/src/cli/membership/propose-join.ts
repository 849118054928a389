/**
 * From a request to join to a validator that the members have admitted. A member that is new is voted in first; then its
 * validator is proposed, by the transaction that the joiner signed beforehand with its own person key: a validator is
 * admitted only with the vote of its own member, and proposing is voting. It is handed in here, since the joiner reaches
 * no node yet.
 *
 * Every step looks at what the ledger has, so running it again goes on where it was.
 */
import {
  type CairnError,
  type Change,
  decodeTransaction,
  encodeCbor,
  equalBytes,
  fail,
  keyId,
  ok,
  propose,
  type RawOperation,
  type Result,
  toHex,
  type Validator,
} from '@cairn-ledger/core';
import { Check } from 'typebox/value';
import {
  fieldsToJoinRequest,
  type JoinRequest,
  joinRequestSchema,
  requestedValidator,
} from '../../membership/join-request.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import type { KeyInUse } from '../signing.ts';
import type { InvitationAnswer, MembershipAnswer, ProposalAnswer } from './answers.ts';
import { castVote, membershipOf, type Voting, voteOfAll, waitDecided, waitFor } from './decide.ts';
import { settle, signOperation } from './signed-operation.ts';

export type JoinStep =
  /** A proposal is open; `isNew`: this opened it. */
  | {
      readonly type: 'proposed';
      readonly what: 'member' | 'validator';
      readonly proposal: string;
      readonly isNew: boolean;
    }
  | { readonly type: 'member-added'; readonly member: string }
  | { readonly type: 'admitted'; readonly validator: string }
  /** It votes already, or will with the next epoch. */
  | { readonly type: 'validating'; readonly validator: string };

export type JoinRun = {
  readonly voting: Voting;
  /** Keys to vote yes with, besides the one of `voting`. */
  readonly voters: readonly KeyInUse[];
  /** Wait for the decisions and go on to the end. */
  readonly isWaiting: boolean;
  readonly onStep: (step: JoinStep) => void;
};

/** A key counts some heights after it was registered. */
const KEY_TIMEOUT_MS = 60_000;

/** Takes a request to join as far as it comes. Throws CommandFailed. */
export async function proposeJoin(invited: InvitationAnswer, run: JoinRun): Promise<void> {
  const { client } = run.voting;
  const request = readRequest(invited);
  let membership = await membershipOf(client);
  if (!isMember(membership, invited.member)) {
    const proposal = await proposeMember(invited, request, membership, run);
    if (!run.isWaiting && run.voters.length === 0) return;
    await decide(run, proposal);
    membership = await membershipOf(client);
    if (!isMember(membership, invited.member)) return;
    run.onStep({ type: 'member-added', member: invited.member });
  }
  const validator = requestedValidator(invited.validator, invited.member, request);
  const standing = standingOf(membership, validator);
  if (standing !== null) return run.onStep({ type: standing, validator: validator.id });
  const proposal = await proposeValidator(invited, request, validator, membership, run);
  if (!run.isWaiting && run.voters.length === 0) return;
  await decide(run, proposal);
  const decided = standingOf(await membershipOf(client), validator);
  if (decided !== null) run.onStep({ type: decided, validator: validator.id });
}

function readRequest({ id, state, request }: InvitationAnswer): JoinRequest {
  const read = Check(joinRequestSchema, request) ? fieldsToJoinRequest(request) : null;
  if (read !== null && typeof read !== 'string') return read;
  throw new CommandFailed({
    code: 'usage.no-request',
    message: `nothing was handed in with invitation ${id} yet (it is ${state}): wait for \`cairn join\``,
  });
}

async function proposeMember(
  invited: InvitationAnswer,
  request: JoinRequest,
  membership: MembershipAnswer,
  run: JoinRun,
): Promise<string> {
  const open = membership.proposals.find(
    ({ change }) => change.kind === 'add-member' && change.member === invited.member,
  );
  if (open !== undefined) return support(run, open, 'member');
  if (request.personKey === null) {
    throw new CommandFailed({
      code: 'member.unknown',
      message: `${invited.member} is not on the ledger any more, and the request holds no person key: invite again`,
    });
  }
  const { algorithm, publicKey } = request.personKey;
  const name = invited.memberName ?? invited.member;
  const change: Change = { type: 'add-member', member: invited.member, name, algorithm, publicKey };
  return openProposal(run, change, 'member');
}

async function proposeValidator(
  invited: InvitationAnswer,
  request: JoinRequest,
  validator: Validator,
  membership: MembershipAnswer,
  run: JoinRun,
): Promise<string> {
  const linkKey = toHex(validator.linkKey);
  const open = membership.proposals.find(
    ({ change }) => change.kind === 'admit-validator' && change.linkKey === linkKey,
  );
  if (open !== undefined) return support(run, open, 'validator');
  const change: Change = { type: 'admit-validator', validator };
  const signed = ownProposal(invited, request, change);
  if (signed === null) return openProposal(run, change, 'validator');
  const id = orFail(await handIn(signed, run));
  run.onStep({ type: 'proposed', what: 'validator', proposal: id, isNew: true });
  orFail(await castVote(run.voting, run.voting.key, id, true));
  return id;
}

/** The joiner's own transaction, checked to propose what the request says and nothing else; null where it has none. */
function ownProposal({ id, member }: InvitationAnswer, request: JoinRequest, change: Change): Uint8Array | null {
  if (request.proposal === null || request.personKey === null) return null;
  const decoded = decodeTransaction(request.proposal);
  const { algorithm, publicKey } = request.personKey;
  const expected = encodeCbor(propose.toCbor({ change }));
  const isAsAsked =
    decoded.ok &&
    equalBytes(decoded.value.header.kid, keyId(algorithm, publicKey)) &&
    isOnly(decoded.value.body.operations, expected);
  if (isAsAsked) return request.proposal;
  throw new CommandFailed({
    code: 'join.other-proposal',
    message: `what ${member} signed with request ${id} is not the proposal of the validator that it asks for: cancel it, and invite again`,
  });
}

function isOnly(operations: readonly RawOperation[], expected: Uint8Array): boolean {
  return operations.length === 1 && equalBytes(encodeCbor([...operations[0]!]), expected);
}

async function handIn(transaction: Uint8Array, { voting }: JoinRun): Promise<Result<string, CairnError>> {
  const deadline = Math.min(voting.deadline, performance.now() + KEY_TIMEOUT_MS);
  return waitFor(deadline, 'the new person key to count', async () => {
    const settled = await settle(voting.client, transaction, voting.deadline - performance.now());
    const isEarly = !settled.ok && ['tx.unknown-key', 'tx.key-not-effective'].includes(settled.error.code);
    return isEarly ? ok(null) : settled;
  });
}

async function openProposal(run: JoinRun, change: Change, what: 'member' | 'validator'): Promise<string> {
  const { client, ledgerHash, key, deadline } = run.voting;
  const transaction = await signOperation(ledgerHash, key, propose.toCbor({ change }));
  const id = orFail(await settle(client, transaction, deadline - performance.now()));
  run.onStep({ type: 'proposed', what, proposal: id, isNew: true });
  return id;
}

async function support(run: JoinRun, { id }: ProposalAnswer, what: 'member' | 'validator'): Promise<string> {
  run.onStep({ type: 'proposed', what, proposal: id, isNew: false });
  orFail(await castVote(run.voting, run.voting.key, id, true));
  return id;
}

async function decide({ voting, voters, isWaiting }: JoinRun, proposal: string): Promise<void> {
  await voteOfAll(voting, voters, proposal, true);
  if (!isWaiting) return;
  const decided = orFail(await waitDecided(voting, proposal));
  if (decided.outcome === 'passed') return;
  orFail(
    fail<CairnError>({ code: 'proposal.closed', message: `proposal ${proposal.slice(0, 16)} is ${decided.outcome}` }),
  );
}

function isMember(membership: MembershipAnswer, id: string): boolean {
  return membership.members.some((member) => member.id === id);
}

/** How a validator with these keys stands; null when nobody has admitted it. */
function standingOf(membership: MembershipAnswer, validator: Validator): 'admitted' | 'validating' | null {
  const linkKey = toHex(validator.linkKey);
  const found = membership.validators.find((each) => each.linkKey === linkKey && each.state !== 'removed');
  if (found === undefined) return null;
  return found.state === 'admitted' || found.state === 'ready' ? 'admitted' : 'validating';
}
