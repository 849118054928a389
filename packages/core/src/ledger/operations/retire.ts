/**
 * retire: the issuer of an asset takes units out of an account of its own, for good.
 *
 *     [ 2, asset, amount: 1..2^64-1, ? from: account ]     ; from: the issuer's account when left out
 */
import { withdraw } from '../balances.ts';
import { errorOf } from '../errors.ts';
import { issuingRefusal, spendingRefusal } from '../permissions.ts';
import { assetKind, paths } from '../records.ts';
import { findAsset, readAccount, readAmount, readAsset, requireCount } from './arguments.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type Retire = { readonly asset: string; readonly amount: bigint; readonly from?: string };

export const retire: OperationKind<Retire> = {
  code: 2,
  name: 'retire',
  toCbor: ({ asset, amount, from }) => withOptional([2, asset, amount], from),
  read(items) {
    requireCount(items, 2, 'retire');
    const [asset, amount, from] = items;
    return {
      asset: readAsset(asset!),
      amount: readAmount(amount!),
      ...(from !== undefined && { from: readAccount(from) }),
    };
  },
  apply({ state, actor, events }, { asset, amount, from: named }) {
    const found = findAsset(state, asset, amount);
    if (!found.ok) return found.error;
    if (found.value.issuer !== actor.member)
      return errorOf('asset.not-issuer', `${found.value.issuer} issues ${asset}`);
    const from = named ?? actor.member;
    const refusal = issuingRefusal(actor) ?? spendingRefusal(actor, from) ?? withdraw(state, from, asset, amount);
    if (refusal !== null) return refusal;
    state.set(assetKind, paths.asset(asset), { ...found.value, retired: found.value.retired + amount });
    events.push({ type: 'retired', asset, amount, from });
    return null;
  },
};
