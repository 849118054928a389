/**
 * Proposals and votes of the members (protocol.md section 5). A member votes through any of its person keys, once: who
 * changes its mind replaces its vote. Proposing is voting for it.
 *
 * Passed when yes * 100 >= memberVotesPercent * members, refused as soon as the members that haven't voted against it are
 * too few for that. A validator is admitted only with the vote of its own member, whose node key its link key becomes.
 * What passes and isn't possible any more ends as `impossible`. A proposal lapses 100,000 heights after it was opened.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import type { CairnError } from '../result.ts';
import type { Change } from './changes.ts';
import { changeRefusal, enact, memberCountOf } from './enactment.ts';
import { errorOf } from './errors.ts';
import type { LedgerEvent } from './events.ts';
import type { OperationContext } from './operations/operation.ts';
import { paths } from './records.ts';
import {
  type OpenProposal,
  openProposalsKind,
  openProposalsMax,
  openProposalsOfMemberMax,
  type ProposalOutcome,
  type ProposalRecord,
  proposalKind,
  voteKind,
} from './set-records.ts';
import type { WorkingState } from './working-state.ts';

/** Heights for which a proposal is open. */
export const proposalHeights = 100_000;

/** Opens a proposal, named by its transaction, with the vote of the proposer's member. */
export function openProposal(context: OperationContext, change: Change): CairnError | null {
  const { state, actor, height, transaction: id, events } = context;
  const path = paths.proposal(toHex(id));
  if (state.get(proposalKind, path) !== null) return errorOf('proposal.one-each');
  const open = openProposals(state);
  if (open.length >= openProposalsMax) return errorOf('proposal.too-many-open', `${openProposalsMax} of all members`);
  const { member } = actor;
  if (open.filter((each) => each.member === member).length >= openProposalsOfMemberMax) {
    return errorOf('proposal.too-many-open', `${openProposalsOfMemberMax} of ${member}`);
  }
  const refusal = changeRefusal(context, change);
  if (refusal !== null) return refusal;
  state.set(proposalKind, path, {
    ...{ change, member, openedHeight: height, outcome: 'open', closedHeight: null },
    ...{ yes: 0, no: 0 },
  });
  writeOpen(state, [...open, { id, member, openedHeight: height }]);
  events.push({ type: 'proposal-opened', proposal: id, member, change: change.type });
  return castVote(context, id, true);
}

/** Counts the vote of the signer's member, and closes the proposal when that decides it. */
export function castVote(context: OperationContext, id: Uint8Array, isYes: boolean): CairnError | null {
  const { state, actor, events } = context;
  const proposal = state.get(proposalKind, paths.proposal(toHex(id)));
  if (proposal === null) return errorOf('proposal.unknown', toHex(id));
  if (proposal.outcome !== 'open') return errorOf('proposal.closed', proposal.outcome);
  const votePath = paths.vote(toHex(id), actor.member);
  const before = state.get(voteKind, votePath);
  if (before === isYes) return null;
  state.set(voteKind, votePath, isYes);
  const counted = {
    ...proposal,
    yes: proposal.yes + (isYes ? 1 : before === null ? 0 : -1),
    no: proposal.no + (isYes ? (before === null ? 0 : -1) : 1),
  };
  state.set(proposalKind, paths.proposal(toHex(id)), counted);
  events.push({ type: 'proposal-voted', proposal: id, member: actor.member, isYes });
  settle(context, id, counted);
  return null;
}

/** Closes what has been open for too long; they stand in order of opening, so this looks at the first. */
export function lapseProposals(scene: Scene): void {
  for (let [first] = openProposals(scene.state); first !== undefined; [first] = openProposals(scene.state)) {
    if (scene.height - first.openedHeight < proposalHeights) return;
    close(scene, first.id, 'lapsed', null);
  }
}

type Scene = { readonly state: WorkingState; readonly height: number; readonly events: LedgerEvent[] };

function settle(context: OperationContext, id: Uint8Array, { change, yes, no }: ProposalRecord): void {
  const { state, parameters } = context;
  const needed = parameters.memberVotesPercent * memberCountOf(state);
  if ((memberCountOf(state) - no) * 100 < needed) {
    close(context, id, 'refused', null);
    return;
  }
  if (yes * 100 < needed || !hasOwnVote(state, id, change)) return;
  const refusal = changeRefusal(context, change);
  close(context, id, refusal === null ? 'passed' : 'impossible', refusal);
  if (refusal === null) enact(context, change);
}

function hasOwnVote(state: WorkingState, id: Uint8Array, change: Change): boolean {
  if (change.type !== 'admit-validator') return true;
  return state.get(voteKind, paths.vote(toHex(id), change.validator.member)) === true;
}

function close(
  { state, height, events }: Scene,
  id: Uint8Array,
  outcome: Exclude<ProposalOutcome, 'open'>,
  error: CairnError | null,
): void {
  const path = paths.proposal(toHex(id));
  state.set(proposalKind, path, { ...state.get(proposalKind, path)!, outcome, closedHeight: height });
  writeOpen(
    state,
    openProposals(state).filter((each) => !equalBytes(each.id, id)),
  );
  events.push({ type: 'proposal-closed', proposal: id, outcome, code: error?.code ?? null });
}

function openProposals(state: WorkingState): readonly OpenProposal[] {
  return state.get(openProposalsKind, paths.openProposals) ?? [];
}

function writeOpen(state: WorkingState, open: readonly OpenProposal[]): void {
  state.set(openProposalsKind, paths.openProposals, open.length === 0 ? null : open);
}
