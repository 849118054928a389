/**
 * Suspended validators (protocol.md section 6): their views may be skipped. They still count among the n, may vote, and
 * their batches are listed; so a suspension never makes a quorum smaller.
 *
 * | cause        | begins with                                    | ends with                                        |
 * |--------------|------------------------------------------------|--------------------------------------------------|
 * | proven-fault | a proof in a block                             | removal, or a new voting key                     |
 * | damage       | a proof in a block                             | f + 1 that attest it to be clear; a new voting key |
 * | attested     | attestations of f + 1 within 1,000 heights     | 1,000 heights later; f + 1 clear; a new life or key |
 * | own-notice   | its own word that it is fenced                 | its own word that it is present; a new life or key |
 *
 * At most f are suspended by attestations alone at a time, the oldest makes room: f of them can't silence more, and a
 * suspicion is only an opinion. Each suspension is of a validator with its key and life number as it was; so it ends by
 * itself when an epoch begins in which that validator is somebody else.
 */
import { equalBytes } from '../bytes/hex.ts';
import { quorum, type Validator } from '../model/validator-set.ts';
import type { LedgerEvent } from './events.ts';
import { paths } from './records.ts';
import { type Suspension, type SuspensionCause, suspensionsKind } from './set-records.ts';
import type { WorkingState } from './working-state.ts';

/** Heights after which a suspension by attestations lapses. */
export const attestedHeights = 1_000;

/** What decisions about validators are made from: the state, and the block being executed. */
export type SetScene = {
  readonly state: WorkingState;
  readonly height: number;
  readonly events: LedgerEvent[];
  /** The set of the block's epoch, ascending by id. */
  readonly validators: readonly Validator[];
};

/** A validator whose views the engine may skip. */
export type LeaderHint = { readonly validator: string; readonly suspended: boolean };

/** In the order in which they began. */
export function suspensionsOf(state: WorkingState): readonly Suspension[] {
  return state.get(suspensionsKind, paths.suspensions) ?? [];
}

export function isSuspended(state: WorkingState, id: string, cause: SuspensionCause): boolean {
  return suspensionsOf(state).some((each) => each.validator === id && each.cause === cause);
}

/** f of the block's set. */
export function faultsMaxOf({ validators }: Pick<SetScene, 'validators'>): number {
  return validators.length === 0 ? 0 : validators.length - quorum(validators.length);
}

/** Suspends a validator of the block's set; false when it is suspended for this cause already, or none may be. */
export function suspend(scene: SetScene, { id, votingKey, life }: Validator, cause: SuspensionCause): boolean {
  const { state, height, events } = scene;
  const cap = cause === 'attested' ? faultsMaxOf(scene) : 1;
  if (cap === 0 || isSuspended(state, id, cause)) return false;
  if (cause === 'attested') {
    const attested = suspensionsOf(state).filter((each) => each.cause === 'attested');
    for (const oldest of attested.slice(0, Math.max(0, attested.length + 1 - cap))) {
      lift(scene, oldest.validator, 'attested');
    }
  }
  write(state, [...suspensionsOf(state), { validator: id, cause, sinceHeight: height, votingKey, life }]);
  events.push({ type: 'suspended', validator: id, cause });
  return true;
}

/** Ends a suspension; false when there is none. */
export function lift({ state, events }: SetScene, id: string, cause: SuspensionCause): boolean {
  const suspensions = suspensionsOf(state);
  const others = suspensions.filter((each) => each.validator !== id || each.cause !== cause);
  if (others.length === suspensions.length) return false;
  write(state, others);
  events.push({ type: 'cleared', validator: id, cause });
  return true;
}

/** Ends what has lapsed, and what is about somebody who isn't in the block's set any more. One read when there is none. */
export function endSuspensions(scene: SetScene): void {
  for (const suspension of suspensionsOf(scene.state)) {
    const hasLapsed = suspension.cause === 'attested' && scene.height >= suspension.sinceHeight + attestedHeights;
    if (hasLapsed || !isAbout(suspension, scene.validators)) lift(scene, suspension.validator, suspension.cause);
  }
}

/** Whether a suspension is about a validator of the set as it is there. */
export function isAbout(
  { validator: id, cause, votingKey, life }: Suspension,
  validators: readonly Validator[],
): boolean {
  const validator = validators.find((each) => each.id === id);
  if (validator === undefined || !equalBytes(validator.votingKey, votingKey)) return false;
  // What is proven stays with the key; the rest was of a node that has begun anew.
  return cause === 'proven-fault' || cause === 'damage' || isSameLife(validator.life, life);
}

export function isSameLife(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/** What a block changes for the engine: who is suspended now and was not before it, then who no longer is. */
export function leaderHintsBetween(
  before: readonly Suspension[],
  after: readonly Suspension[],
  validators: readonly Validator[],
): LeaderHint[] {
  if (before === after) return [];
  const [were, are] = [before, after].map((each) => new Set(each.map(({ validator }) => validator)));
  const isMember = (id: string): boolean => validators.some((each) => each.id === id);
  return [
    ...[...are!].filter((id) => !were!.has(id)).map((id) => ({ validator: id, suspended: true })),
    ...[...were!].filter((id) => !are!.has(id)).map((id) => ({ validator: id, suspended: false })),
  ].filter(({ validator }) => isMember(validator));
}

function write(state: WorkingState, suspensions: readonly Suspension[]): void {
  state.set(suspensionsKind, paths.suspensions, suspensions.length === 0 ? null : suspensions);
}
