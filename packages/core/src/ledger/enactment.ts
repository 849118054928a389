/**
 * What a change that has passed does. Members and parameters change at once; of validators and rules the target changes
 * when its turn comes (set-changes.ts).
 *
 * Whether a change is possible is asked when it is proposed and again when it passes, since much may have happened between.
 */
import { membersMax } from '../model/genesis.ts';
import type { Parameters } from '../model/parameters.ts';
import type { RegisteredKey } from '../model/registered-key.ts';
import { assert, type CairnError, unreachable } from '../result.ts';
import { admissionOf, admissionRefusal, admit, dropAdmission } from './admissions.ts';
import { addToAgenda, agendaOf, writeAgenda } from './agenda.ts';
import type { Change } from './changes.ts';
import { errorOf } from './errors.ts';
import { addKey, effectiveHeight, newKeyRefusal } from './keys.ts';
import type { OperationContext } from './operations/operation.ts';
import { memberKind, parametersKind, paths, validatorKind } from './records.ts';
import { memberCountKind } from './set-records.ts';
import { targetRulesOf } from './target-set.ts';
import type { WorkingState } from './working-state.ts';

type NewMember = Extract<Change, { type: 'add-member' }>;

/** Why a change isn't possible as things stand; null when it is. */
export function changeRefusal(context: OperationContext, change: Change): CairnError | null {
  const { state } = context;
  switch (change.type) {
    case 'add-member':
      return memberRefusal(context, change);
    case 'admit-validator':
      return admissionRefusal(context, change.validator);
    case 'remove-validator': {
      const { validator: id } = change;
      const isKnown = state.get(validatorKind, paths.validator(id)) !== null || admissionOf(state, id) !== null;
      return isKnown ? null : errorOf('validator.unknown', id);
    }
    case 'change-parameters':
      return parametersRefusal(state, change.parameters);
    case 'change-rules': {
      const next = targetRulesOf(state) + 1;
      return change.rules === next ? null : errorOf('proposal.not-next-rules', `the next are ${next}`);
    }
    default:
      return unreachable(change);
  }
}

/** To be called when `changeRefusal` finds nothing. */
export function enact(context: OperationContext, change: Change): void {
  const { state, events } = context;
  switch (change.type) {
    case 'add-member':
      addMember(context, change);
      return;
    case 'admit-validator':
      admit(context, change.validator);
      return;
    case 'remove-validator': {
      const { validator: id } = change;
      dropAdmission(context, id, null);
      if (state.get(validatorKind, paths.validator(id)) !== null) addToAgenda(state, 'removals', id);
      return;
    }
    case 'change-parameters':
      state.set(parametersKind, paths.parameters, change.parameters);
      events.push({ type: 'parameters-changed', parameters: change.parameters });
      return;
    case 'change-rules':
      writeAgenda(state, { ...agendaOf(state), rules: change.rules });
      return;
    default:
      unreachable(change);
  }
}

export function memberCountOf(state: WorkingState): number {
  const count = state.get(memberCountKind, paths.memberCount);
  assert(count !== null, 'the genesis counts its members');
  return count;
}

function memberRefusal(context: OperationContext, change: NewMember): CairnError | null {
  const { state } = context;
  if (state.get(memberKind, paths.member(change.member)) !== null) return errorOf('member.exists', change.member);
  if (memberCountOf(state) >= membersMax) return errorOf('member.too-many', `${membersMax} members`);
  return newKeyRefusal(context, firstKeyOf(change));
}

function addMember(context: OperationContext, change: NewMember): void {
  const { state, events } = context;
  const { member, name } = change;
  state.set(memberCountKind, paths.memberCount, memberCountOf(state) + 1);
  state.set(memberKind, paths.member(member), { name, kids: [], deviceCount: 0, keyCount: 0 });
  events.push({ type: 'member-added', member, name });
  const refusal = addKey(context, firstKeyOf(change), effectiveHeight(context, undefined));
  assert(refusal === null, 'the first key of a new member can be registered');
}

function firstKeyOf({ member, algorithm, publicKey }: NewMember): RegisteredKey {
  return { role: 'person', algorithm, publicKey, member, device: null };
}

function parametersRefusal(state: WorkingState, { checkpointLag, retentionHeights }: Parameters): CairnError | null {
  const present = state.get(parametersKind, paths.parameters)!;
  if (checkpointLag !== present.checkpointLag) return errorOf('proposal.fixed-parameter', 'checkpointLag');
  if (retentionHeights !== present.retentionHeights) return errorOf('proposal.fixed-parameter', 'retentionHeights');
  return null;
}
