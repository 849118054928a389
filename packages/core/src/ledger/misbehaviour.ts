/**
 * Faults and damage of validators, proven in a block (protocol.md section 6). One record for each, however often it is
 * proven. Whoever is proven faulty is suspended in that block, goes on the agenda to be removed, and can never again be
 * admitted with a key it had then.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import { isName } from '../model/names.ts';
import { assert } from '../result.ts';
import { admissionOf, dropAdmission, faultyWith } from './admissions.ts';
import { agendaOf, writeAgenda } from './agenda.ts';
import { misbehaviourKind, paths } from './records.ts';
import { attestationsKind, faultyKeyKind } from './set-records.ts';
import { type SetScene, suspend } from './suspensions.ts';

/** Something wrong that a validator did, proven to the engine; `kind` is a word of the engine's. */
export type Misbehaviour = {
  readonly validator: string;
  readonly member: string;
  /** `damage` for a wrong result that an honest node with damaged storage may sign too; all others are faults. */
  readonly kind: string;
  readonly height: number;
};

export function recordMisbehaviour(scene: SetScene, { validator: id, member, kind, height }: Misbehaviour): void {
  const areNames = isName(id) && isName(member) && isName(kind);
  assert(areNames && Number.isSafeInteger(height), 'the engine names faults in words of its own');
  const validator = scene.validators.find((each) => each.id === id);
  assert(validator !== undefined, 'the engine accuses validators of the present set');
  const { state, events } = scene;
  const path = paths.misbehaviour(id, height, kind);
  if (state.get(misbehaviourKind, path) !== null) return;
  state.set(misbehaviourKind, path, scene.height);
  events.push({ type: 'misbehaviour', validator: id, member, kind, height });
  if (kind === 'damage') {
    state.set(attestationsKind, paths.attestations(id), null);
    suspend(scene, validator, 'damage');
    return;
  }
  suspend(scene, validator, 'proven-fault');
  const { votingKey, linkKey, checkpointKey } = validator;
  for (const key of [votingKey, linkKey, checkpointKey]) state.set(faultyKeyKind, paths.faultyKey(toHex(key)), id);
  const admitted = admissionOf(state, id)?.validator;
  // With one of these keys it can't join either; the members have to vote again, for others.
  if (admitted !== undefined && faultyWith(state, admitted) !== null) dropAdmission(scene, id, null);
  const agenda = agendaOf(state);
  const others = agenda.faulty.filter((each) => each.validator !== id);
  const known = agenda.faulty.find((each) => each.validator === id);
  if (known !== undefined && equalBytes(known.votingKey, votingKey)) return;
  writeAgenda(state, { ...agenda, faulty: [...others, { validator: id, votingKey }] });
}
