/**
 * propose: a person of a member asks the members to decide on a change. It votes for it by proposing.
 *
 *     [ 7, Change ]     ; changes.ts; the proposal is named by the id of its transaction, so there is one in each
 */
import { requireShape } from '../../bytes/shape.ts';
import { type Change, changeToCbor, readChange } from '../changes.ts';
import { votingRefusal } from '../permissions.ts';
import { openProposal } from '../proposals.ts';
import type { OperationKind } from './operation.ts';

export type Propose = { readonly change: Change };

export const propose: OperationKind<Propose> = {
  code: 7,
  name: 'propose',
  toCbor: ({ change }) => [7, changeToCbor(change)],
  read(items) {
    requireShape(items.length === 1, 'propose takes 1 argument');
    return { change: readChange(items[0]!) };
  },
  apply: (context, { change }) => votingRefusal(context.actor) ?? openProposal(context, change),
};
