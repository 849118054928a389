/**
 * Balances of accounts. Every change goes through `withdraw` and `deposit`, whose amounts operations keep equal, or equal
 * to what is issued or retired; so the sum over accounts of an asset always equals what was issued less what was retired.
 * That sum is at most 2^64 - 1 (`issue` sees to it), so no balance overflows.
 */

import { uint64Max } from '../model/genesis.ts';
import { parseAccount } from '../model/names.ts';
import { assert, type CairnError } from '../result.ts';
import { errorOf } from './errors.ts';
import { balanceKind, deviceKind, memberKind, paths } from './records.ts';
import type { WorkingState } from './working-state.ts';

/** Why nothing can be deposited to `account`; null when it exists. */
export function accountRefusal(state: WorkingState, account: string): CairnError | null {
  const owner = parseAccount(account);
  if (owner === null) return errorOf('account.malformed', account);
  const isKnown =
    owner.device === null
      ? state.get(memberKind, paths.member(owner.member)) !== null
      : state.get(deviceKind, paths.device(owner.member, owner.device)) !== null;
  return isKnown ? null : errorOf('account.unknown', account);
}

export function withdraw(state: WorkingState, account: string, asset: string, amount: bigint): CairnError | null {
  const path = paths.balance(account, asset);
  const held = state.get(balanceKind, path) ?? 0n;
  if (held < amount) return errorOf('asset.insufficient', `${account} holds ${held} of ${asset}, ${amount} are needed`);
  state.set(balanceKind, path, held === amount ? null : held - amount);
  return null;
}

/** The account must exist (`accountRefusal`), the amount be above zero and within the asset's supply. */
export function deposit(state: WorkingState, account: string, asset: string, amount: bigint): void {
  const path = paths.balance(account, asset);
  const held = (state.get(balanceKind, path) ?? 0n) + amount;
  assert(amount > 0n && held <= uint64Max, 'the supply of an asset bounds every balance');
  state.set(balanceKind, path, held);
}
