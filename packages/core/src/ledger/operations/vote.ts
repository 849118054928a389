/**
 * vote: a person of a member votes for it on an open proposal. Voting again replaces the vote.
 *
 *     [ 8, proposal: bstr .size 32, 1 yes / 0 no ]
 */
import { bytesOf, requireShape, uintOf } from '../../bytes/shape.ts';
import { votingRefusal } from '../permissions.ts';
import { castVote } from '../proposals.ts';
import type { OperationKind } from './operation.ts';

export type MemberVote = { readonly proposal: Uint8Array; readonly isYes: boolean };

export const vote: OperationKind<MemberVote> = {
  code: 8,
  name: 'vote',
  toCbor: ({ proposal, isYes }) => [8, proposal, isYes ? 1 : 0],
  read(items) {
    requireShape(items.length === 2, 'vote takes 2 arguments');
    return { proposal: bytesOf(items[0]!, 'proposal', 32), isYes: uintOf(items[1]!, 'vote', 1) === 1 };
  },
  apply: (context, { proposal, isYes }) => votingRefusal(context.actor) ?? castVote(context, proposal, isYes),
};
