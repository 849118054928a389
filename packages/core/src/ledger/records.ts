/**
 * What the state holds: one kind of record per path, encoded as strict CBOR.
 *
 *     parameters                              Parameters
 *     member/<member>                         [ name, [* kid], devices, keys ]
 *     device/<member>/<device>                [ since height, [* kid] ]
 *     key/<kid>                               [ RegisteredKey..., from height, until height / null ]
 *     window/<kid>                            replay-window.ts
 *     asset/<asset>                           [ decimals, issuer, issued, retired ]
 *     account/<member>/<asset>                amount; absent when zero
 *     account/<member>/<device>/<asset>       amount; absent when zero
 *     anchor/<hash>/<member>                  [ type, height, transaction id ]
 *     quota/<member>                          [ minute, transactions, bytes ]
 *     validator/<validator>                   Validator, of the target set: the set that the ledger wants
 *     validator-set                           [* id] of the target set, ascending
 *     target-rules                            number of the rules that the ledger wants
 *     misbehaviour/<validator>/<height>/<kind>  height of the block that brought the proof
 *     suspensions                             [* [ validator, cause, since height, voting key, life ]]
 *
 * and, of the members' decisions and the validators (set-records.ts):
 *
 *     member-count                            number of members
 *     open-proposals                          [* [ proposal, member, opened height ]], in order of opening
 *     proposal/<proposal>                     [ Change, member, opened height, outcome, closed height / null, yes, no ]
 *     vote/<proposal>/<member>                1 yes, 0 no
 *     admissions                              [* id] of the validators admitted that have not joined, in order
 *     admission/<validator>                   [ Validator, height ]
 *     ready/<validator>                       [ link key, life, height, own height, history root ]
 *     return/<validator>                      height of its last return with a new life number
 *     removed/<validator>                     [ member, cause, height ]
 *     faulty-key/<key>                        id of the validator that was proven faulty with it
 *     presence/<validator>                    height of its last sign of life, at most 100 heights late
 *     attestations/<validator>                [* [ by, verdict, reason, height ]] about it
 *     set-agenda                              [ faulty, removals, readies, rules / null ]: what will change the target set
 *
 * kids, keys and hashes stand in paths in lower-case hexadecimal. Lists of kids are in order of registration.
 */
import type { Cbor, Encodable } from '../bytes/cbor.ts';
import { bytesOf, listOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { displayNameMax, rulesMax, uint64Max } from '../model/genesis.ts';
import { type Parameters, parametersToCbor, readParametersShape } from '../model/parameters.ts';
import {
  deviceKidsMax,
  memberKidsMax,
  type RegisteredKey,
  readName,
  readRegisteredKey,
  registeredKeyToCbor,
} from '../model/registered-key.ts';
import { readValidator, type Validator, validatorSetMax, validatorToCbor } from '../model/validator-set.ts';
import { emptyWindow, type ReplayWindow, readWindow, windowToCbor } from './replay-window.ts';

export interface RecordKind<T> {
  toCbor(record: T): Encodable;
  read(value: Cbor): T;
}

export type MemberRecord = {
  readonly name: string;
  /** Keys in force, or to be, of the member as a whole. */
  readonly kids: readonly Uint8Array[];
  readonly deviceCount: number;
  /** Keys ever registered. */
  readonly keyCount: number;
};

export type DeviceRecord = {
  /** Height at which the device was registered, or first attested. */
  readonly sinceHeight: number;
  /** Keys in force, or to be. */
  readonly kids: readonly Uint8Array[];
};

export type KeyRecord = RegisteredKey & {
  /** First height at which the key is in force. */
  readonly fromHeight: number;
  /** First height at which it no longer is; null while it is not revoked. */
  readonly untilHeight: number | null;
};

export type AssetRecord = {
  readonly decimals: number;
  readonly issuer: string;
  /** Base units ever issued, and ever retired; their difference is what all accounts hold. */
  readonly issued: bigint;
  readonly retired: bigint;
};

export type AnchorRecord = { readonly type: string; readonly height: number; readonly transaction: Uint8Array };

/** What a member has used in one minute of block time, counted from 1970. */
export type QuotaRecord = { readonly minute: number; readonly transactions: number; readonly bytes: number };

export const anchorTypeMax = 100;

export const paths = {
  parameters: 'parameters',
  member: (member: string) => `member/${member}`,
  device: (member: string, device: string) => `device/${member}/${device}`,
  key: (kid: string) => `key/${kid}`,
  window: (kid: string) => `window/${kid}`,
  asset: (asset: string) => `asset/${asset}`,
  balance: (account: string, asset: string) => `account/${account}/${asset}`,
  anchor: (hash: string, member: string) => `anchor/${hash}/${member}`,
  quota: (member: string) => `quota/${member}`,
  validator: (id: string) => `validator/${id}`,
  validatorSet: 'validator-set',
  targetRules: 'target-rules',
  misbehaviour: (validator: string, height: number, kind: string) => `misbehaviour/${validator}/${height}/${kind}`,
  suspensions: 'suspensions',
  memberCount: 'member-count',
  openProposals: 'open-proposals',
  proposal: (id: string) => `proposal/${id}`,
  vote: (proposal: string, member: string) => `vote/${proposal}/${member}`,
  admissions: 'admissions',
  admission: (validator: string) => `admission/${validator}`,
  ready: (validator: string) => `ready/${validator}`,
  lastReturn: (validator: string) => `return/${validator}`,
  removed: (validator: string) => `removed/${validator}`,
  faultyKey: (key: string) => `faulty-key/${key}`,
  presence: (validator: string) => `presence/${validator}`,
  attestations: (validator: string) => `attestations/${validator}`,
  agenda: 'set-agenda',
} as const;

export const parametersKind: RecordKind<Parameters> = { toCbor: parametersToCbor, read: readParametersShape };
export const validatorKind: RecordKind<Validator> = { toCbor: validatorToCbor, read: readValidator };
export const validatorIdsKind: RecordKind<readonly string[]> = {
  toCbor: (ids) => ids,
  read: (value) => listOf(value, validatorSetMax, 'validator ids', (id) => readName(id, 'validator id')),
};
export const windowKind: RecordKind<ReplayWindow> = { toCbor: windowToCbor, read: readWindow };
export const balanceKind: RecordKind<bigint> = {
  toCbor: (amount) => amount,
  read: (value) => uint64Of(value, 'balance'),
};
export const misbehaviourKind: RecordKind<number> = {
  toCbor: (height) => height,
  read: (value) => uintOf(value, 'height'),
};

export const targetRulesKind: RecordKind<number> = {
  toCbor: (rules) => rules,
  read: (value) => uintOf(value, 'rules', rulesMax),
};

export const memberKind: RecordKind<MemberRecord> = {
  toCbor: ({ name, kids, deviceCount, keyCount }) => [name, kids, deviceCount, keyCount],
  read(value) {
    const [name, kids, deviceCount, keyCount] = tupleOf(value, 4, 'member');
    return {
      name: textOf(name!, 'display name', displayNameMax),
      kids: listOf(kids!, memberKidsMax, 'kids', readKid),
      deviceCount: uintOf(deviceCount!, 'devices'),
      keyCount: uintOf(keyCount!, 'keys'),
    };
  },
};

export const deviceKind: RecordKind<DeviceRecord> = {
  toCbor: ({ sinceHeight, kids }) => [sinceHeight, kids],
  read(value) {
    const [sinceHeight, kids] = tupleOf(value, 2, 'device');
    return { sinceHeight: uintOf(sinceHeight!, 'height'), kids: listOf(kids!, deviceKidsMax, 'kids', readKid) };
  },
};

export const keyKind: RecordKind<KeyRecord> = {
  toCbor: (key) => [...registeredKeyToCbor(key), key.fromHeight, key.untilHeight],
  read(value) {
    const items = tupleOf(value, 7, 'key');
    return {
      ...readRegisteredKey(items.slice(0, 5)),
      fromHeight: uintOf(items[5]!, 'height'),
      untilHeight: items[6] === null ? null : uintOf(items[6]!, 'height'),
    };
  },
};

export const assetKind: RecordKind<AssetRecord> = {
  toCbor: ({ decimals, issuer, issued, retired }) => [decimals, issuer, issued, retired],
  read(value) {
    const [decimals, issuer, issued, retired] = tupleOf(value, 4, 'asset');
    return {
      decimals: uintOf(decimals!, 'decimals'),
      issuer: readName(issuer!, 'issuer'),
      issued: uint64Of(issued!, 'issued'),
      retired: uint64Of(retired!, 'retired'),
    };
  },
};

export const anchorKind: RecordKind<AnchorRecord> = {
  toCbor: ({ type, height, transaction }) => [type, height, transaction],
  read(value) {
    const [type, height, transaction] = tupleOf(value, 3, 'anchor');
    return {
      type: textOf(type!, 'type', anchorTypeMax),
      height: uintOf(height!, 'height'),
      transaction: bytesOf(transaction!, 'transaction id', 32),
    };
  },
};

export const quotaKind: RecordKind<QuotaRecord> = {
  toCbor: ({ minute, transactions, bytes }) => [minute, transactions, bytes],
  read(value) {
    const [minute, transactions, bytes] = tupleOf(value, 3, 'quota');
    return {
      minute: uintOf(minute!, 'minute'),
      transactions: uintOf(transactions!, 'transactions'),
      bytes: uintOf(bytes!, 'bytes'),
    };
  },
};

/** What stands for a record that is absent. */
export const absentWindow = emptyWindow;
export const absentQuota: QuotaRecord = { minute: 0, transactions: 0, bytes: 0 };

/** An unsigned integer of 64 bits. */
export function uint64Of(value: Cbor, what: string): bigint {
  requireShape(typeof value === 'number' || typeof value === 'bigint', `${what} must be an integer`);
  requireShape(value >= 0 && value <= uint64Max, `${what} must be from 0 to 2^64 - 1`);
  return BigInt(value);
}

export function readKid(value: Cbor): Uint8Array {
  return bytesOf(value, 'kid', 8);
}
