/**
 * How the target set changes (protocol.md section 5). The engine follows a change with an epoch boundary, and only one is
 * ever in flight: at the end of a block the target may change if it is what the block's epoch runs with. Then the first of
 * these that has something to do makes the change, in this order:
 *
 * 1. **Leaving.** Validators proven faulty with the key they have, in order of proof, all of them; then those the members
 *    voted out, at most f of the present set, and not where fewer than a quorum of the others would be present. At least
 *    4 remain: smaller networks can't spare one, and a faulty validator there stays suspended.
 * 2. **Joining.** One validator that has said it is ready, lately: a new one, one with new keys, or one that returns with a
 *    new life number; the first for which a quorum of the next set is present.
 * 3. **Rules** that the members voted for.
 *
 * A block with nothing on the agenda costs one read.
 */
import { equalBytes } from '../bytes/hex.ts';
import { type Validator, validatorSetDigest, validatorSetMax } from '../model/validator-set.ts';
import { admissionOf, dropAdmission, dropReady, endNodeKey, faultyWith, forgetAdmission } from './admissions.ts';
import { agendaOf, dropFromAgenda, isEmptyAgenda, writeAgenda } from './agenda.ts';
import { hasPresentQuorum, isPresent, notePresence } from './presence.ts';
import { paths, targetRulesKind } from './records.ts';
import { heightKind, type ReadyRecord, type RemovalCause, readyKind, removedKind } from './set-records.ts';
import { faultsMaxOf, type SetScene } from './suspensions.ts';
import { targetRulesOf, targetSetOf, writeTargetSet } from './target-set.ts';

/** Smallest set that a removal may leave: the smallest that tolerates a fault. */
const remainMin = 4;
/** Heights for which a `ready` counts. */
export const readyHeights = 1_000;

export type SetChangeScene = SetScene & {
  /** Rules that the block was executed under. */
  readonly rules: number;
};

export type Departure = { readonly validator: Validator; readonly cause: RemovalCause };

type Arrival = {
  /** As it will be in the set. */
  readonly validator: Validator;
  readonly ready: ReadyRecord;
  readonly kind: 'admission' | 'return';
};

/** Changes the target if it is time; to be called once, after the transactions of a block. */
export function changeTarget(scene: SetChangeScene): void {
  const { state } = scene;
  if (isEmptyAgenda(agendaOf(state))) return;
  const target = targetSetOf(state);
  dropWhatIsPast(scene, target);
  if (isEmptyAgenda(agendaOf(state)) || isInFlight(scene, target)) return;
  const departures = departuresOf(scene, target);
  if (departures.length > 0) {
    remove(scene, target, departures);
    return;
  }
  const arrival = arrivalOf(scene, target);
  if (arrival !== null) {
    takeIn(scene, target, arrival);
    return;
  }
  const { rules } = agendaOf(state);
  if (rules !== null) changeRules(scene, rules);
}

/**
 * Puts the set of a restart in place of the target, and with it the rules of the block: a change that is in flight is given up. Whoever
 * is not in that set has left, as by vote.
 */
export function restartTarget(scene: SetChangeScene, validators: readonly Validator[]): void {
  const { state, rules, events } = scene;
  const before = targetSetOf(state);
  const departures = before
    .filter(({ id }) => !validators.some((each) => each.id === id))
    .map((validator): Departure => ({ validator, cause: 'vote' }));
  if (departures.length > 0) noteDepartures(scene, departures);
  for (const { id } of validators) {
    const ready = state.get(readyKind, paths.ready(id));
    if (ready !== null && admissionOf(state, id) === null) dropReady(state, id);
  }
  writeTargetSet(state, validators);
  state.set(targetRulesKind, paths.targetRules, rules);
  const left = departures.map(({ validator, cause }) => ({ validator: validator.id, cause }));
  events.push({ type: 'target-changed', joined: null, left, rules });
}

/** True while the engine has not yet followed the last change. */
function isInFlight({ state, validators, rules }: SetChangeScene, target: readonly Validator[]): boolean {
  const isSameSet = equalBytes(validatorSetDigest(target), validatorSetDigest(validators));
  return !isSameSet || targetRulesOf(state) !== rules;
}

/** Takes off the agenda what is done, or can't be done any more. */
function dropWhatIsPast(scene: SetScene, target: readonly Validator[]): void {
  const { state, events } = scene;
  const agenda = agendaOf(state);
  const faulty = agenda.faulty.filter(({ validator: id, votingKey }) =>
    target.some((each) => each.id === id && equalBytes(each.votingKey, votingKey)),
  );
  const removals = agenda.removals.filter((id) => target.some((each) => each.id === id));
  if (faulty.length < agenda.faulty.length || removals.length < agenda.removals.length) {
    writeAgenda(state, { ...agenda, faulty, removals });
  }
  for (const id of agenda.readies) {
    const arrival = arrivalFor(scene, target, id);
    const isFaulty = arrival !== null && faultyWith(state, arrival.validator) !== null;
    const isCurrent = arrival !== null && scene.height - arrival.ready.height <= readyHeights;
    if (isCurrent && !isFaulty) continue;
    dropReady(state, id);
    if (isFaulty && arrival.kind === 'admission') dropAdmission(scene, id, null);
    events.push({ type: 'ready-lapsed', validator: id });
  }
}

/** Who leaves now, those proven faulty first. */
function departuresOf(scene: SetScene, target: readonly Validator[]): Departure[] {
  const { state, height } = scene;
  const { faulty, removals } = agendaOf(state);
  const departures: Departure[] = [];
  let rest = target;
  const leave = (id: string, cause: RemovalCause): void => {
    departures.push({ validator: rest.find((each) => each.id === id)!, cause });
    rest = rest.filter((each) => each.id !== id);
  };
  for (const { validator: id } of faulty) if (rest.length > remainMin) leave(id, 'fault');
  const faultyCount = departures.length;
  for (const id of removals) {
    const mayLeave = rest.length > remainMin && departures.length - faultyCount < faultsMaxOf(scene);
    if (!mayLeave || !rest.some((each) => each.id === id)) continue;
    const others = rest.filter((each) => each.id !== id);
    // Whoever is absent is missed by nobody.
    const isMissed = isPresent(state, height, id) && !hasPresentQuorum(state, height, others, null);
    if (!isMissed) leave(id, 'vote');
  }
  return departures;
}

/** The first that may come now. */
function arrivalOf(scene: SetScene, target: readonly Validator[]): Arrival | null {
  const { state, height } = scene;
  for (const id of agendaOf(state).readies) {
    const arrival = arrivalFor(scene, target, id)!;
    const next = withValidator(target, arrival.validator);
    if (next.length <= validatorSetMax && hasPresentQuorum(state, height, next, id)) return arrival;
  }
  return null;
}

/** What a validator that is ready was ready for; null when that has gone. */
function arrivalFor({ state }: SetScene, target: readonly Validator[], id: string): Arrival | null {
  const ready = state.get(readyKind, paths.ready(id));
  if (ready === null) return null;
  const admitted = admissionOf(state, id)?.validator;
  if (admitted !== undefined && equalBytes(admitted.linkKey, ready.linkKey)) {
    return { validator: { ...admitted, life: ready.life }, ready, kind: 'admission' };
  }
  const present = target.find((each) => each.id === id);
  if (present === undefined || !equalBytes(present.linkKey, ready.linkKey)) return null;
  return { validator: { ...present, life: ready.life }, ready, kind: 'return' };
}

function remove(scene: SetScene, target: readonly Validator[], departures: readonly Departure[]): void {
  noteDepartures(scene, departures);
  const left = departures.map(({ validator, cause }) => ({ validator: validator.id, cause }));
  writeTargetSet(
    scene.state,
    target.filter(({ id }) => !left.some(({ validator }) => validator === id)),
  );
  scene.events.push({ type: 'target-changed', joined: null, left, rules: targetRulesOf(scene.state) });
}

/** Everything of a departure but the target set itself. */
function noteDepartures(scene: SetScene, departures: readonly Departure[]): void {
  const { state, height } = scene;
  const ids = departures.map(({ validator }) => validator.id);
  const removals = agendaOf(state).removals.filter((id) => !ids.includes(id));
  const faulty = agendaOf(state).faulty.filter(({ validator }) => !ids.includes(validator));
  writeAgenda(state, { ...agendaOf(state), faulty, removals });
  for (const { validator, cause } of departures) {
    const { id, member, linkKey } = validator;
    state.set(removedKind, paths.removed(id), { member, cause, height });
    endNodeKey(scene, linkKey);
    const ready = state.get(readyKind, paths.ready(id));
    if (ready !== null && equalBytes(ready.linkKey, linkKey)) dropReady(state, id);
  }
}

function takeIn(scene: SetScene, target: readonly Validator[], { validator, ready, kind }: Arrival): void {
  const { state, height, events } = scene;
  const { id } = validator;
  const before = target.find((each) => each.id === id);
  writeTargetSet(state, withValidator(target, validator));
  dropReady(state, id);
  notePresence(state, ready.height, id);
  state.set(removedKind, paths.removed(id), null);
  if (kind === 'return') {
    state.set(heightKind, paths.lastReturn(id), height);
  } else {
    forgetAdmission(state, id);
    if (before !== undefined && !equalBytes(before.linkKey, validator.linkKey)) endNodeKey(scene, before.linkKey);
    dropFromAgenda(state, 'removals', id);
  }
  events.push({ type: 'target-changed', joined: id, left: [], rules: targetRulesOf(state) });
}

function changeRules({ state, events }: SetScene, rules: number): void {
  writeAgenda(state, { ...agendaOf(state), rules: null });
  state.set(targetRulesKind, paths.targetRules, rules);
  events.push({ type: 'target-changed', joined: null, left: [], rules });
}

function withValidator(target: readonly Validator[], validator: Validator): Validator[] {
  return [...target.filter(({ id }) => id !== validator.id), validator];
}
