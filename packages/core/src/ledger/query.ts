/**
 * What the state holds, for queries: records of one thing by its name, and lists by prefix. Nothing here takes part in
 * execution; lists are sorted, so that every node shows them alike.
 */
import { fromHex, toHex } from '../bytes/hex.ts';
import { accountOf, parseAccount, parseDevice } from '../model/names.ts';
import type { Parameters } from '../model/parameters.ts';
import { sortValidators, type Validator } from '../model/validator-set.ts';
import {
  type AnchorRecord,
  type AssetRecord,
  anchorKind,
  assetKind,
  balanceKind,
  type DeviceRecord,
  deviceKind,
  type KeyRecord,
  keyKind,
  type MemberRecord,
  memberKind,
  misbehaviourKind,
  parametersKind,
  paths,
  type QuotaRecord,
  quotaKind,
  type RecordKind,
  validatorKind,
  windowKind,
} from './records.ts';
import { emptyWindow, type ReplayWindow } from './replay-window.ts';
import { keyToPath, type ListingStore, pathToKey, type Store } from './store.ts';
import { decodeRecord } from './working-state.ts';

export type MemberView = { readonly id: string } & MemberRecord;
/** `id` is `member/device`. */
export type DeviceView = { readonly id: string; readonly member: string; readonly device: string } & DeviceRecord;
export type AssetView = { readonly id: string } & AssetRecord;
export type KeyView = { readonly kid: Uint8Array } & KeyRecord;
/** `balances` ascend by asset; assets the account holds none of are left out. */
export type AccountView = {
  readonly id: string;
  readonly balances: readonly { readonly asset: string; readonly amount: bigint }[];
};
export type AnchorView = { readonly member: string } & AnchorRecord;
export type MisbehaviourView = {
  readonly validator: string;
  readonly height: number;
  readonly kind: string;
  /** Height of the block that brought the proof. */
  readonly recordedHeight: number;
};

export function readParameters(store: Store): Parameters | null {
  return readRecord(store, parametersKind, paths.parameters);
}

export function readMember(store: Store, id: string): MemberView | null {
  const record = readRecord(store, memberKind, paths.member(id));
  return record === null ? null : { id, ...record };
}

export function readMembers(store: ListingStore): MemberView[] {
  return listRecords(store, memberKind, 'member/').map(({ names: [id], record }) => ({ id: id!, ...record }));
}

/** @param id `member/device` */
export function readDevice(store: Store, id: string): DeviceView | null {
  const name = parseDevice(id);
  if (name === null) return null;
  const record = readRecord(store, deviceKind, paths.device(name.member, name.device));
  return record === null ? null : { id, ...name, ...record };
}

/** Devices of one member, or of all. */
export function readDevices(store: ListingStore, member?: string): DeviceView[] {
  const prefix = member === undefined ? 'device/' : `device/${member}/`;
  return listRecords(store, deviceKind, prefix).map(({ names, record }) => {
    const [owner, device] = [names[0]!, names[1]!];
    return { id: accountOf(owner, device), member: owner, device, ...record };
  });
}

export function readKey(store: Store, kid: Uint8Array): KeyView | null {
  const record = readRecord(store, keyKind, paths.key(toHex(kid)));
  return record === null ? null : { kid, ...record };
}

/** Every key ever registered: what a node loads at start to verify signatures. */
export function readKeys(store: ListingStore): KeyView[] {
  return listRecords(store, keyKind, 'key/').map(({ names: [kid], record }) => ({ kid: fromHex(kid!)!, ...record }));
}

/** The replay window of a key: tells a device that forgot which counter to go on with. */
export function readReplayWindow(store: Store, kid: Uint8Array): ReplayWindow {
  return readRecord(store, windowKind, paths.window(toHex(kid))) ?? emptyWindow;
}

export function readAsset(store: Store, id: string): AssetView | null {
  const record = readRecord(store, assetKind, paths.asset(id));
  return record === null ? null : { id, ...record };
}

export function readAssets(store: ListingStore): AssetView[] {
  return listRecords(store, assetKind, 'asset/').map(({ names: [id], record }) => ({ id: id!, ...record }));
}

export function readBalance(store: Store, account: string, asset: string): bigint {
  return readRecord(store, balanceKind, paths.balance(account, asset)) ?? 0n;
}

/** An account with all it holds; null when no registered member or device has it. */
export function readAccount(store: ListingStore, id: string): AccountView | null {
  const owner = parseAccount(id);
  if (owner === null) return null;
  const holder = owner.device === null ? readMember(store, owner.member) : readDevice(store, id);
  return holder === null ? null : { id, balances: balancesUnder(store, id).get(id) ?? [] };
}

/** The accounts of a member and its devices that hold something. */
export function readAccounts(store: ListingStore, member: string): AccountView[] {
  return [...balancesUnder(store, member)].map(([id, balances]) => ({ id, balances }));
}

export function readQuota(store: Store, member: string): QuotaRecord | null {
  return readRecord(store, quotaKind, paths.quota(member));
}

/** Who anchored a document, by its hash. */
export function readAnchors(store: ListingStore, hash: Uint8Array): AnchorView[] {
  return listRecords(store, anchorKind, `anchor/${toHex(hash)}/`).map(({ names, record }) => ({
    member: names[1]!,
    ...record,
  }));
}

export function readValidators(store: ListingStore): Validator[] {
  return sortValidators(listRecords(store, validatorKind, 'validator/').map(({ record }) => record));
}

export function readMisbehaviour(store: ListingStore): MisbehaviourView[] {
  return listRecords(store, misbehaviourKind, 'misbehaviour/').map(({ names, record }) => ({
    validator: names[0]!,
    height: Number(names[1]),
    kind: names[2]!,
    recordedHeight: record,
  }));
}

/** Balances by account, of the account `id` and, for a member, of its devices. */
function balancesUnder(store: ListingStore, id: string): Map<string, { asset: string; amount: bigint }[]> {
  const accounts = new Map<string, { asset: string; amount: bigint }[]>();
  for (const { names, record } of listRecords(store, balanceKind, `account/${id}/`)) {
    const account = names.slice(0, -1).join('/');
    const balances = accounts.get(account) ?? [];
    balances.push({ asset: names.at(-1)!, amount: record });
    accounts.set(account, balances);
  }
  return accounts;
}

export function readRecord<T>(store: Store, kind: RecordKind<T>, path: string): T | null {
  const bytes = store.get(pathToKey(path));
  return bytes === null ? null : decodeRecord(kind, bytes, path);
}

/** Records under a prefix, ascending by path; `names` are the parts of the path after the first. */
export function listRecords<T>(
  store: ListingStore,
  kind: RecordKind<T>,
  prefix: string,
): { readonly names: readonly string[]; readonly record: T }[] {
  return [...store.list(pathToKey(prefix))]
    .map(({ key, value }) => ({ path: keyToPath(key), value }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, value }) => ({ names: path.split('/').slice(1), record: decodeRecord(kind, value, path) }));
}
