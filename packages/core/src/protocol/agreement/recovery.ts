/**
 * Recovery (protocol.md section 3): own votes come back from the journal before anything else happens, and are sent again.
 * What an own vote forbids, it forbids after a restart too.
 */
import type { ValidatorIndex } from '../../model/brands.ts';
import { toView } from '../../model/brands.ts';
import type { Message } from '../../model/message.ts';
import { isSameProposal, type Vote, viewOfVote } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';
import { leaderOf } from '../epochs/epoch.ts';
import type { BlockTree } from './block-tree.ts';
import type { ViewState } from './view-state.ts';
import type { Views } from './views.ts';

/** Restores the mark of an own vote of this epoch. Views at or below a finalized one are never voted in again. */
export function restoreVote(views: Views, vote: Vote): void {
  if (viewOfVote(vote) <= views.lastFinalized) return;
  const state = views.at(viewOfVote(vote));
  if (vote.type === 'nullify') state.own.isNullified = true;
  else if (vote.type === 'notarize') state.own.notarize = vote.proposal;
  else state.own.finalize = vote.proposal;
  // What was notarized stays the proposal here: a leader sends the same one again, and another one is an equivocation.
  if (vote.type === 'notarize') {
    if (state.proposal !== null && !isSameProposal(state.proposal, vote.proposal)) state.proposalStatus = 'equivocated';
    state.proposal ??= vote.proposal;
  }
  views.current = toView(Math.max(views.current, state.view));
}

/** The own votes of a view, in the order they are cast. */
export function ownVotesOf({ own, view }: ViewState, { set }: ReplicaContext): Vote[] {
  const votes: Vote[] = [];
  if (own.notarize !== null) votes.push({ type: 'notarize', proposal: own.notarize });
  if (own.isNullified) votes.push({ type: 'nullify', epoch: set.epoch, view });
  if (own.finalize !== null) votes.push({ type: 'finalize', proposal: own.finalize });
  return votes;
}

/**
 * Sends a peer that has just connected the certificates and own votes that still matter. The newest finalization is among
 * them: after a fork, nodes that have finalized the same view would not find out otherwise.
 */
export function resendTo(peer: ValidatorIndex, context: ReplicaContext, views: Views, tree: BlockTree): void {
  const send = (message: Message) => context.emit({ type: 'send', to: [peer], message });
  if (views.lastFinalization !== null) send({ type: 'certificate', certificate: views.lastFinalization });
  for (const state of views.open()) {
    for (const certificate of [state.notarization, state.nullification])
      if (certificate !== null) send({ type: 'certificate', certificate });
    for (const votes of Object.values(state.tally)) {
      const own = votes.get(context.self);
      if (own === undefined) continue;
      const block = own.vote.type === 'notarize' ? tree.get(own.vote.proposal.digest) : undefined;
      const isProposal = block !== undefined && leaderOf(context.set, state.view) === context.self;
      send(isProposal ? { type: 'proposal', vote: own, block } : { type: 'vote', vote: own, entry: null });
    }
  }
}
