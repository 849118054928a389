/**
 * revoke key: a person of the member ends the force of one of its keys. What it signed before stays in the history.
 *
 *     [ 5, kid: bstr .size 8, ? untilHeight: uint ]     ; the first height at which it no longer counts
 */
import { uintOf } from '../../bytes/shape.ts';
import { errorOf } from '../errors.ts';
import { effectiveHeight, endKey, findOwnKey, hasOtherPerson } from '../keys.ts';
import { keyKeepingRefusal } from '../permissions.ts';
import { readKid } from '../records.ts';
import { requireCount } from './arguments.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type RevokeKey = { readonly kid: Uint8Array; readonly untilHeight?: number };

export const revokeKey: OperationKind<RevokeKey> = {
  code: 5,
  name: 'revoke key',
  toCbor: ({ kid, untilHeight }) => withOptional([5, kid], untilHeight),
  read(items) {
    requireCount(items, 1, 'revoke key');
    const [kid, untilHeight] = items;
    return { kid: readKid(kid!), ...(untilHeight !== undefined && { untilHeight: uintOf(untilHeight, 'height') }) };
  },
  apply(context, { kid, untilHeight }) {
    const refusal = keyKeepingRefusal(context.actor);
    if (refusal !== null) return refusal;
    const key = findOwnKey(context, kid);
    if (!key.ok) return key.error;
    const { role, member } = key.value;
    if (role === 'person' && !hasOtherPerson(context, member, kid)) return errorOf('key.last-person');
    return endKey(context, kid, key.value, effectiveHeight(context, untilHeight));
  },
};
