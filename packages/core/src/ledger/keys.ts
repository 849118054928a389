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
import { accountOf } from '../model/names.ts';
import { deviceKidsMax, isOwnerOfRole, memberKidsMax, type RegisteredKey } from '../model/registered-key.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import { addDevice } from './devices.ts';
import { errorOf } from './errors.ts';
import type { OperationContext } from './operations/operation.ts';
import { deviceKind, type KeyRecord, keyKind, memberKind, paths } from './records.ts';
import type { WorkingState } from './working-state.ts';

/** The height from which a change counts: the one asked for, at the earliest the next. */
export function effectiveHeight(context: OperationContext, asked: number | undefined): number {
  return Math.max(asked ?? 0, context.height + 1);
}

/** What ending a key needs: besides transactions, a change of the target set ends keys. */
export type KeyScene = Pick<OperationContext, 'state' | 'height' | 'events'>;

/** Why a key can't be registered; null when it can, as far as the number of devices allows. */
export function newKeyRefusal(context: OperationContext, key: RegisteredKey): CairnError | null {
  const { state, parameters } = context;
  if (!isOwnerOfRole(key.role, key.device)) return errorOf('key.bad-owner', `${key.role} key`);
  const kid = keyId(key.algorithm, key.publicKey);
  if (state.get(keyKind, paths.key(toHex(kid))) !== null) return errorOf('key.exists', toHex(kid));
  const checked = context.checkPublicKey(key.algorithm, key.publicKey);
  if (!checked.ok) return errorOf('key.invalid', checked.error.message);
  const keyCount = state.get(memberKind, paths.member(key.member))?.keyCount ?? 0;
  return keyCount >= parameters.keysMax
    ? errorOf('quota.keys', `${parameters.keysMax} keys`)
    : ownerRefusal(state, key);
}

/** Adds a key that nobody ever registered, and its device when that is new. */
export function addKey(context: OperationContext, key: RegisteredKey, fromHeight: number): CairnError | null {
  const { state } = context;
  const refusal = newKeyRefusal(context, key) ?? addMissingDevice(context, key);
  if (refusal !== null) return refusal;
  const kid = keyId(key.algorithm, key.publicKey);
  const member = state.get(memberKind, paths.member(key.member));
  assert(member !== null, 'a key belongs to a registered member');
  state.set(memberKind, paths.member(key.member), { ...member, keyCount: member.keyCount + 1 });
  state.set(keyKind, paths.key(toHex(kid)), { ...key, fromHeight, untilHeight: null });
  context.events.push({ type: 'key-registered', kid, fromHeight, ...key });
  addToOwner(state, key, kid);
  return null;
}

/** Ends the force of a key. One whose end is set already can only be ended earlier. */
export function endKey(
  { state, events }: KeyScene,
  kid: Uint8Array,
  key: KeyRecord,
  untilHeight: number,
): CairnError | null {
  if (key.untilHeight !== null && key.untilHeight <= untilHeight) return errorOf('key.revoked', toHex(kid));
  state.set(keyKind, paths.key(toHex(kid)), { ...key, untilHeight });
  removeFromOwner(state, key, kid);
  events.push({ type: 'key-revoked', kid, member: key.member, untilHeight });
  return null;
}

/** The key an operation is about, if it is one of the signer's own member. */
export function findOwnKey(context: OperationContext, kid: Uint8Array): Result<KeyRecord, CairnError> {
  const key = context.state.get(keyKind, paths.key(toHex(kid)));
  if (key === null) return fail(errorOf('key.unknown', toHex(kid)));
  return key.member === context.actor.member ? ok(key) : fail(errorOf('key.foreign', key.member));
}

/** Whether a node's transaction is signed with this link key. */
export function isSignedBy({ state, actor }: OperationContext, linkKey: Uint8Array): boolean {
  return actor.role === 'node' && equalBytes(state.get(keyKind, paths.key(toHex(actor.kid)))!.publicKey, linkKey);
}

/** Whether the member has a person key besides this one, in force or to be. */
export function hasOtherPerson(context: OperationContext, member: string, kid: Uint8Array): boolean {
  const { state } = context;
  const others = state.get(memberKind, paths.member(member))!.kids.filter((other) => !equalBytes(other, kid));
  return others.some((other) => state.get(keyKind, paths.key(toHex(other)))!.role === 'person');
}

function addMissingDevice(context: OperationContext, { member, device }: RegisteredKey): CairnError | null {
  const isMissing = device !== null && context.state.get(deviceKind, paths.device(member, device)) === null;
  return isMissing ? addDevice(context, member, device) : null;
}

function ownerRefusal(state: WorkingState, { member, device }: RegisteredKey): CairnError | null {
  const [kids, kidsMax] =
    device === null
      ? [state.get(memberKind, paths.member(member))?.kids, memberKidsMax]
      : [state.get(deviceKind, paths.device(member, device))?.kids, deviceKidsMax];
  return (kids?.length ?? 0) >= kidsMax ? errorOf('key.too-many-active', accountOf(member, device)) : null;
}

function addToOwner(state: WorkingState, { member, device }: RegisteredKey, kid: Uint8Array): void {
  if (device === null) {
    const record = state.get(memberKind, paths.member(member))!;
    state.set(memberKind, paths.member(member), { ...record, kids: [...record.kids, kid] });
  } else {
    const record = state.get(deviceKind, paths.device(member, device))!;
    state.set(deviceKind, paths.device(member, device), { ...record, kids: [...record.kids, kid] });
  }
}

function removeFromOwner(state: WorkingState, { member, device }: RegisteredKey, kid: Uint8Array): void {
  const without = (kids: readonly Uint8Array[]) => kids.filter((other) => !equalBytes(other, kid));
  if (device === null) {
    const record = state.get(memberKind, paths.member(member))!;
    state.set(memberKind, paths.member(member), { ...record, kids: without(record.kids) });
  } else {
    const record = state.get(deviceKind, paths.device(member, device))!;
    state.set(deviceKind, paths.device(member, device), { ...record, kids: without(record.kids) });
  }
}
