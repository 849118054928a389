/**
 * issue: the issuer of an asset creates units of it.
 *
 *     [ 1, asset, amount: 1..2^64-1, ? to: account ]     ; to: the issuer's account when left out
 *
 * All that is ever issued of an asset is at most 2^64 - 1 units, whether or not some were retired.
 */
import { uint64Max } from '../../model/genesis.ts';
import { accountRefusal, deposit } from '../balances.ts';
import { errorOf } from '../errors.ts';
import { issuingRefusal } from '../permissions.ts';
import { assetKind, paths } from '../records.ts';
import { findAsset, readAccount, readAmount, readAsset, requireCount } from './arguments.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type Issue = { readonly asset: string; readonly amount: bigint; readonly to?: string };

export const issue: OperationKind<Issue> = {
  code: 1,
  name: 'issue',
  toCbor: ({ asset, amount, to }) => withOptional([1, asset, amount], to),
  read(items) {
    requireCount(items, 2, 'issue');
    const [asset, amount, to] = items;
    return {
      asset: readAsset(asset!),
      amount: readAmount(amount!),
      ...(to !== undefined && { to: readAccount(to) }),
    };
  },
  apply({ state, actor, events }, { asset, amount, to: named }) {
    const found = findAsset(state, asset, amount);
    if (!found.ok) return found.error;
    if (found.value.issuer !== actor.member)
      return errorOf('asset.not-issuer', `${found.value.issuer} issues ${asset}`);
    const to = named ?? actor.member;
    const refusal = issuingRefusal(actor) ?? accountRefusal(state, to);
    if (refusal !== null) return refusal;
    const issued = found.value.issued + amount;
    if (issued > uint64Max) return errorOf('asset.overflow', `${found.value.issued} of ${asset} were issued before`);
    state.set(assetKind, paths.asset(asset), { ...found.value, issued });
    deposit(state, to, asset, amount);
    events.push({ type: 'issued', asset, amount, to });
    return null;
  },
};
