/**
 * Whose readings a transaction carries, and who vouches for them (wire-format.md section 3, "Provenance").
 *
 * All readings of one transaction are of one device, and are kept and shown under its name. Names without `bn` resolve
 * under it. A base name may be anything the device likes, except a name under another device of a member.
 *
 * - A device signs its own: *device-signed*. So does a gateway that has a name and does not name another device.
 * - A gateway signs for a device that cannot, and names it, `member/device`, in claim sub (2): *gateway-attested*. The
 *   device must be of the gateway's member. It need not be registered: the first attested reading puts it on the ledger.
 *
 * For other transactions claim sub means nothing to the ledger (the SCITT profile uses it).
 */
import { deviceOfBaseName } from '../bytes/senml.ts';
import { accountOf, parseDevice } from '../model/names.ts';
import { readingsOf, type Transaction } from '../model/transaction.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { addDevice } from './devices.ts';
import { errorOf } from './errors.ts';
import type { OperationContext } from './operations/operation.ts';
import type { Actor } from './permissions.ts';
import { deviceKind, memberKind, paths } from './records.ts';
import type { WorkingState } from './working-state.ts';

/** A summary of a pack holds at most this many names (bytes/senml-pack.ts); fewer are all there are. */
const summaryNamesMax = 4;

export type Provenance = 'device-signed' | 'gateway-attested';

/** `device` is the second part of `member/device`. */
export type ReadingSource = { readonly member: string; readonly device: string; readonly provenance: Provenance };

export function readingSourceOf(actor: Actor, subject: string | undefined): Result<ReadingSource, CairnError> {
  const own = actor.device;
  if (actor.role === 'device' || (actor.role === 'gateway' && subject === undefined)) {
    if (own === null) return fail(errorOf('reading.no-device', 'the gateway has no name of its own'));
    return ok({ member: actor.member, device: own, provenance: 'device-signed' });
  }
  if (actor.role !== 'gateway') return fail(errorOf('reading.no-device', `a ${actor.role} key signed`));
  const named = parseDevice(subject!);
  if (named === null) return fail(errorOf('reading.no-device', 'claim sub names no device'));
  if (named.member !== actor.member) return fail(errorOf('reading.foreign-device', subject));
  return ok({ ...named, provenance: named.device === own ? 'device-signed' : 'gateway-attested' });
}

/** Why the names of the readings may not stand under `source`; null when they may. */
export function namesRefusal(state: WorkingState, transaction: Transaction, source: ReadingSource): CairnError | null {
  const own = accountOf(source.member, source.device);
  for (const name of namesWithBase(transaction, own)) {
    const device = deviceOfBaseName(name);
    if (device === null || device === own) continue;
    // Names of other schemes may look alike; they are free as long as they begin with no member.
    const isMember = state.get(memberKind, paths.member(device.slice(0, device.indexOf('/')))) !== null;
    if (isMember) return errorOf('reading.foreign-name', `${name} in readings of ${own}`);
  }
  return null;
}

/** Names that do not lie under `device` by themselves: those with a base name. */
function namesWithBase(transaction: Transaction, device: string): readonly string[] {
  const { baseName, isOneBaseName, names } = transaction.summary!;
  if (isOneBaseName && baseName === null) return [];
  const isComplete = isOneBaseName && names.length < summaryNamesMax;
  return isComplete ? names : readingsOf(transaction, device).map(({ name }) => name);
}

/** Puts an attested device on the ledger when its first reading arrives. */
export function recordSource(context: OperationContext, source: ReadingSource): CairnError | null {
  if (source.provenance === 'device-signed') return null;
  const isKnown = context.state.get(deviceKind, paths.device(source.member, source.device)) !== null;
  return isKnown ? null : addDevice(context, source.member, source.device);
}
