/** Arguments that several operations have: amounts, assets, accounts. All readers are for use inside `readShape`. */
import type { Cbor } from '../../bytes/cbor.ts';
import { requireShape, textOf } from '../../bytes/shape.ts';
import { readName } from '../../model/registered-key.ts';
import { type CairnError, fail, ok, type Result } from '../../result.ts';
import { errorOf } from '../errors.ts';
import { type AssetRecord, assetKind, paths, uint64Of } from '../records.ts';
import type { WorkingState } from '../working-state.ts';

/** Longest text of an account: two names and the slash. */
const accountLengthMax = 65;

export function readAmount(value: Cbor): bigint {
  return uint64Of(value, 'amount');
}

export function readAsset(value: Cbor): string {
  return readName(value, 'asset');
}

/** Whether it is the name of an account is found when the operation is applied, with an error of its own. */
export function readAccount(value: Cbor): string {
  return textOf(value, 'account', accountLengthMax);
}

/** The items of an operation that has `count` arguments and at most one more. */
export function requireCount(items: readonly Cbor[], count: number, what: string): void {
  requireShape(
    items.length === count || items.length === count + 1,
    `${what} takes ${count} or ${count + 1} arguments`,
  );
}

/** The asset of an operation that moves `amount` of it. */
export function findAsset(state: WorkingState, asset: string, amount: bigint): Result<AssetRecord, CairnError> {
  const record = state.get(assetKind, paths.asset(asset));
  if (record === null) return fail(errorOf('asset.unknown', asset));
  return amount === 0n ? fail(errorOf('asset.zero-amount')) : ok(record);
}
