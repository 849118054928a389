/**
 * transfer: moves units of an asset from an account the signer may spend from to any account that exists.
 *
 *     [ 0, to: account, asset, amount: 1..2^64-1, ? from: account ]     ; from: the signer's own account when left out
 */
import { accountRefusal, deposit, withdraw } from '../balances.ts';
import { ownAccountOf, spendingRefusal } from '../permissions.ts';
import { findAsset, readAccount, readAmount, readAsset, requireCount } from './arguments.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type Transfer = {
  readonly to: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly from?: string;
};

export const transfer: OperationKind<Transfer> = {
  code: 0,
  name: 'transfer',
  toCbor: ({ to, asset, amount, from }) => withOptional([0, to, asset, amount], from),
  read(items) {
    requireCount(items, 3, 'transfer');
    const [to, asset, amount, from] = items;
    return {
      to: readAccount(to!),
      asset: readAsset(asset!),
      amount: readAmount(amount!),
      ...(from !== undefined && { from: readAccount(from) }),
    };
  },
  apply({ state, actor, events }, { to, asset, amount, from: named }) {
    const from = named ?? ownAccountOf(actor);
    const found = findAsset(state, asset, amount);
    if (!found.ok) return found.error;
    const refusal = spendingRefusal(actor, from) ?? accountRefusal(state, to) ?? withdraw(state, from, asset, amount);
    if (refusal !== null) return refusal;
    deposit(state, to, asset, amount);
    events.push({ type: 'transferred', from, to, asset, amount });
    return null;
  },
};
