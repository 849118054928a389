/** Devices of a member: each has a record, and with it an account, once it is registered or first attested. */
import type { CairnError } from '../result.ts';
import { assert } from '../result.ts';
import { errorOf } from './errors.ts';
import type { OperationContext } from './operations/operation.ts';
import { deviceKind, memberKind, paths } from './records.ts';

/** Puts a new device on the ledger, without keys. */
export function addDevice(context: OperationContext, member: string, device: string): CairnError | null {
  const { state, height, parameters } = context;
  const record = state.get(memberKind, paths.member(member));
  assert(record !== null, 'a key belongs to a registered member');
  if (record.deviceCount >= parameters.devicesMax) return errorOf('quota.devices', `${parameters.devicesMax} devices`);
  state.set(memberKind, paths.member(member), { ...record, deviceCount: record.deviceCount + 1 });
  state.set(deviceKind, paths.device(member, device), { sinceHeight: height, kids: [] });
  context.events.push({ type: 'device-added', member, device });
  return null;
}
