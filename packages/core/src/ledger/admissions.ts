/**
 * Admissions: validators that the members have voted in. One joins, or takes the place of the one with its id, when it has
 * said that it is ready (`ready`); until then its link key is a node key of its member, so that it can say so, and peers
 * link with it.
 *
 * No key serves two validators, and none that a validator was proven faulty with is ever admitted again.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import { keyId } from '../crypto/keys.ts';
import { nodeKeysOf } from '../model/genesis.ts';
import { type Validator, validatorSetMax } from '../model/validator-set.ts';
import { assert, type CairnError } from '../result.ts';
import { dropFromAgenda } from './agenda.ts';
import { errorOf } from './errors.ts';
import { addKey, effectiveHeight, endKey, type KeyScene, newKeyRefusal } from './keys.ts';
import type { OperationContext } from './operations/operation.ts';
import { keyKind, memberKind, paths, validatorKind } from './records.ts';
import {
  type AdmissionRecord,
  admissionIdsKind,
  admissionKind,
  admissionsMax,
  faultyKeyKind,
  readyKind,
  removedKind,
} from './set-records.ts';
import { targetSetOf } from './target-set.ts';
import type { WorkingState } from './working-state.ts';

export function admissionOf(state: WorkingState, id: string): AdmissionRecord | null {
  return state.get(admissionKind, paths.admission(id));
}

/** Why a validator can't be admitted; null when it can. */
export function admissionRefusal(context: OperationContext, validator: Validator): CairnError | null {
  const { state } = context;
  const { id, member } = validator;
  if (state.get(memberKind, paths.member(member)) === null) return errorOf('member.unknown', member);
  const owner = ownerOf(state, id);
  if (owner !== null && owner !== member) return errorOf('validator.foreign', `${id} is of ${owner}`);
  const target = targetSetOf(state);
  const ids = admissionIds(state);
  const joining = ids.filter((each) => !target.some((present) => present.id === each));
  const isNew = !target.some((present) => present.id === id) && !joining.includes(id);
  if (isNew && target.length + joining.length >= validatorSetMax) {
    return errorOf('validator.too-many', `${validatorSetMax} validators`);
  }
  if (!ids.includes(id) && ids.length >= admissionsMax) {
    return errorOf('validator.too-many', `${admissionsMax} admitted ones have not joined yet`);
  }
  const admitted = ids.map((each) => admissionOf(state, each)!.validator);
  return keysRefusal(context, validator, [...target, ...admitted]) ?? linkKeyRefusal(context, validator);
}

/** To be called when `admissionRefusal` finds nothing. */
export function admit(context: OperationContext, validator: Validator): void {
  const { state, height, events } = context;
  const { id, member } = validator;
  dropAdmission(context, id, validator.linkKey);
  // What it said before, it was ready for something else.
  dropReady(state, id);
  state.set(admissionKind, paths.admission(id), { validator, height });
  state.set(admissionIdsKind, paths.admissions, [...admissionIds(state), id]);
  // The later decision counts.
  dropFromAgenda(state, 'removals', id);
  if (state.get(keyKind, kidPath(validator.linkKey)) === null) {
    const [key] = nodeKeysOf([validator]);
    const refusal = addKey(context, key!, effectiveHeight(context, undefined));
    assert(refusal === null, 'the link key of an admitted validator can be registered');
  }
  events.push({ type: 'validator-admitted', validator: id, member });
}

/**
 * Withdraws an admission, and its link key with it unless the validator has that key in the target set, or keeps it
 * (`keptKey`). Does nothing when there is none.
 */
export function dropAdmission(scene: KeyScene, id: string, keptKey: Uint8Array | null): void {
  const { state } = scene;
  const admission = admissionOf(state, id);
  if (admission === null) return;
  const { linkKey } = admission.validator;
  const present = state.get(validatorKind, paths.validator(id));
  const isKept = [keptKey, present?.linkKey ?? null].some((key) => key !== null && equalBytes(key, linkKey));
  if (!isKept) endNodeKey(scene, linkKey);
  forgetAdmission(state, id);
  dropReady(state, id);
}

/** The admission has been acted on. */
export function forgetAdmission(state: WorkingState, id: string): void {
  const ids = admissionIds(state).filter((each) => each !== id);
  state.set(admissionKind, paths.admission(id), null);
  state.set(admissionIdsKind, paths.admissions, ids.length === 0 ? null : ids);
}

export function dropReady(state: WorkingState, id: string): void {
  state.set(readyKind, paths.ready(id), null);
  dropFromAgenda(state, 'readies', id);
}

/** Revokes the node key of a validator that has left, or has another one. */
export function endNodeKey(scene: KeyScene, linkKey: Uint8Array): void {
  const kid = keyId('ed25519', linkKey);
  const key = scene.state.get(keyKind, paths.key(toHex(kid)));
  // Its member may have revoked it before; then there is nothing left to do.
  if (key !== null) endKey(scene, kid, key, scene.height + 1);
}

/** The validator that was proven faulty with one of these keys; null when none was. */
export function faultyWith(state: WorkingState, validator: Validator): string | null {
  for (const { key } of keysOf(validator)) {
    const faulty = state.get(faultyKeyKind, paths.faultyKey(toHex(key)));
    if (faulty !== null) return faulty;
  }
  return null;
}

/** Ids, in order of admission. */
function admissionIds(state: WorkingState): readonly string[] {
  return state.get(admissionIdsKind, paths.admissions) ?? [];
}

/** The member that a validator of this id is, or was, of; null when there never was one. */
function ownerOf(state: WorkingState, id: string): string | null {
  const admitted = admissionOf(state, id)?.validator;
  const known = state.get(validatorKind, paths.validator(id)) ?? admitted ?? state.get(removedKind, paths.removed(id));
  return known?.member ?? null;
}

const keysOf = ({ linkKey, votingKey, checkpointKey }: Validator) => [
  { what: 'link key', key: linkKey },
  { what: 'voting key', key: votingKey },
  { what: 'checkpoint key', key: checkpointKey },
];

function keysRefusal(
  { state, checkPublicKey }: OperationContext,
  validator: Validator,
  known: readonly Validator[],
): CairnError | null {
  const foreign = known.filter(({ id }) => id !== validator.id).flatMap(keysOf);
  for (const { what, key } of keysOf(validator)) {
    const checked = checkPublicKey('ed25519', key);
    if (!checked.ok) return errorOf('key.invalid', `${what}: ${checked.error.message}`);
    if (foreign.some((other) => equalBytes(other.key, key))) return errorOf('validator.key-in-use', what);
  }
  const faulty = faultyWith(state, validator);
  return faulty === null ? null : errorOf('validator.faulty-key', `${faulty} was proven faulty`);
}

/** Its link key is new, or in force as a node key of its member. */
function linkKeyRefusal(context: OperationContext, validator: Validator): CairnError | null {
  const key = context.state.get(keyKind, kidPath(validator.linkKey));
  if (key === null) return newKeyRefusal(context, nodeKeysOf([validator])[0]!);
  const isUsable = key.role === 'node' && key.member === validator.member && key.untilHeight === null;
  return isUsable ? null : errorOf('key.exists', 'as link key');
}

function kidPath(linkKey: Uint8Array): string {
  return paths.key(toHex(keyId('ed25519', linkKey)));
}
