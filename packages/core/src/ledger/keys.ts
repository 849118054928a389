/**
 * Life of a key: registered once, in force from one height to another, remembered for ever.
 *
 * Changes take effect at the next block at the earliest, or at a later height the operation names; so the keys that count
 * in a block are known before it is executed. A kid is never registered again, not even by its former owner: what was
 * signed under it must keep one meaning, and its replay window must not start anew.
 *
 * A member needs no proof that it holds the private key it registers. Registering a stranger's public key gains nothing
 * but the stranger's readings under the own name, and spends only from the own accounts; the stranger takes another key.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import { keyId } from '../crypto/keys.ts';
import { deviceKidsMax, isOwnerOfRole, memberKidsMax, type RegisteredKey } from '../model/registered-key.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import { addDevice } from './devices.ts';
import { errorOf } from './errors.ts';
import type { OperationContext } from './operations/operation.ts';
import { deviceKind, type KeyRecord, keyKind, memberKind, paths } from './records.ts';

/** The height from which a change counts: the one asked for, at the earliest the next. */
export function effectiveHeight(context: OperationContext, asked: number | undefined): number {
  return Math.max(asked ?? 0, context.height + 1);
}

/** Adds a key that nobody ever registered, and its device when that is new. */
export function addKey(context: OperationContext, key: RegisteredKey, fromHeight: number): CairnError | null {
  const { state, parameters } = context;
  if (!isOwnerOfRole(key.role, key.device)) return errorOf('key.bad-owner', `${key.role} key`);
  const kid = keyId(key.algorithm, key.publicKey);
  if (state.get(keyKind, paths.key(toHex(kid))) !== null) return errorOf('key.exists', toHex(kid));
  const checked = context.checkPublicKey(key.algorithm, key.publicKey);
  if (!checked.ok) return errorOf('key.invalid', checked.error.message);
  if (key.device !== null && state.get(deviceKind, paths.device(key.member, key.device)) === null) {
    const refusal = addDevice(context, key.member, key.device);
    if (refusal !== null) return refusal;
  }
  const member = state.get(memberKind, paths.member(key.member));
  assert(member !== null, 'a key belongs to a registered member');
  if (member.keyCount >= parameters.keysMax) return errorOf('quota.keys', `${parameters.keysMax} keys`);
  state.set(memberKind, paths.member(key.member), { ...member, keyCount: member.keyCount + 1 });
  state.set(keyKind, paths.key(toHex(kid)), { ...key, fromHeight, untilHeight: null });
  context.events.push({ type: 'key-registered', kid, fromHeight, ...key });
  return addToOwner(context, key, kid);
}

/** Ends the force of a key. One whose end is set already can only be ended earlier. */
export function endKey(
  context: OperationContext,
  kid: Uint8Array,
  key: KeyRecord,
  untilHeight: number,
): CairnError | null {
  if (key.untilHeight !== null && key.untilHeight <= untilHeight) return errorOf('key.revoked', toHex(kid));
  context.state.set(keyKind, paths.key(toHex(kid)), { ...key, untilHeight });
  removeFromOwner(context, key, kid);
  context.events.push({ type: 'key-revoked', kid, member: key.member, untilHeight });
  return null;
}

/** The key an operation is about, if it is one of the signer's own member. */
export function findOwnKey(context: OperationContext, kid: Uint8Array): Result<KeyRecord, CairnError> {
  const key = context.state.get(keyKind, paths.key(toHex(kid)));
  if (key === null) return fail(errorOf('key.unknown', toHex(kid)));
  return key.member === context.actor.member ? ok(key) : fail(errorOf('key.foreign', key.member));
}

/** Whether the member has a person key besides this one, in force or to be. */
export function hasOtherPerson(context: OperationContext, member: string, kid: Uint8Array): boolean {
  const { state } = context;
  const others = state.get(memberKind, paths.member(member))!.kids.filter((other) => !equalBytes(other, kid));
  return others.some((other) => state.get(keyKind, paths.key(toHex(other)))!.role === 'person');
}

function addToOwner(
  { state }: OperationContext,
  { member, device }: RegisteredKey,
  kid: Uint8Array,
): CairnError | null {
  if (device === null) {
    const record = state.get(memberKind, paths.member(member))!;
    if (record.kids.length >= memberKidsMax) return errorOf('key.too-many-active', member);
    state.set(memberKind, paths.member(member), { ...record, kids: [...record.kids, kid] });
  } else {
    const record = state.get(deviceKind, paths.device(member, device))!;
    if (record.kids.length >= deviceKidsMax) return errorOf('key.too-many-active', `${member}/${device}`);
    state.set(deviceKind, paths.device(member, device), { ...record, kids: [...record.kids, kid] });
  }
  return null;
}

function removeFromOwner({ state }: OperationContext, { member, device }: RegisteredKey, kid: Uint8Array): void {
  const without = (kids: readonly Uint8Array[]) => kids.filter((other) => !equalBytes(other, kid));
  if (device === null) {
    const record = state.get(memberKind, paths.member(member))!;
    state.set(memberKind, paths.member(member), { ...record, kids: without(record.kids) });
  } else {
    const record = state.get(deviceKind, paths.device(member, device))!;
    state.set(deviceKind, paths.device(member, device), { ...record, kids: without(record.kids) });
  }
}
