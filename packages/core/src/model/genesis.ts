/**
 * The genesis document: what the founding members agreed on before the first block. Its SHA-256 is the ledger hash, which
 * everything signed on this network is bound to.
 *
 *     Genesis = { 1 => 1, 2 => name: tstr, 3 => timeMs: uint, 4 => rules: uint, 5 => Parameters, 6 => ValidatorSet,
 *                 7 => [+ Member], 8 => [* RegisteredKey], 9 => [* Asset], 10 => [* Balance] }
 *     Member  = [ id, display name: tstr ]
 *     Asset   = [ id, decimals: uint, issuer: member id ]
 *     Balance = [ account, asset id, amount: 1..2^64-1 ]
 *
 * Every list ascends by what identifies its items (ids; keys by kid in hexadecimal; balances by account, then asset), so
 * one content has one encoding and nothing is listed twice.
 *
 * Genesis is height 0 and epoch 0's end: the validators listed sign from epoch 1. It writes two leaves of the history
 * tree, so that no inclusion path is ever empty: the ledger hash, and the digest of the validator set.
 *
 * The link keys of its validators are keys of their members too, with the role node: they sign what a node itself has to
 * tell the ledger (`ready`, `attest`).
 */
import { type Cbor, type Encodable, encodeCbor } from '../bytes/cbor.ts';
import { toHex } from '../bytes/hex.ts';
import { decodeShape, listOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import { keyId } from '../crypto/keys.ts';
import type { Verifier } from '../crypto/verifier.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';
import type { Hash } from './brands.ts';
import { accountOf, parseAccount } from './names.ts';
import { type Parameters, parametersToCbor, readParametersShape } from './parameters.ts';
import {
  deviceKidsMax,
  isOwnerOfRole,
  memberKidsMax,
  type RegisteredKey,
  readName,
  readRegisteredKey,
  registeredKeyToCbor,
} from './registered-key.ts';
import {
  readValidatorSet,
  sortValidators,
  type Validator,
  validatorSetDigest,
  validatorToCbor,
} from './validator-set.ts';

export type GenesisMember = { readonly id: string; readonly name: string };
export type GenesisAsset = { readonly id: string; readonly decimals: number; readonly issuer: string };
export type GenesisBalance = { readonly account: string; readonly asset: string; readonly amount: bigint };

export type Genesis = {
  /** Display name of the network. */
  readonly name: string;
  /** Block time of height 0, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Number of the rule set the first block is executed under. */
  readonly rules: number;
  readonly parameters: Parameters;
  readonly validators: readonly Validator[];
  readonly members: readonly GenesisMember[];
  readonly keys: readonly RegisteredKey[];
  readonly assets: readonly GenesisAsset[];
  readonly balances: readonly GenesisBalance[];
};

const formatVersion = 1;
export const membersMax = 1_000;
export const displayNameMax = 100;
export const decimalsMax = 18;
export const rulesMax = 65_535;
export const uint64Max = (1n << 64n) - 1n;
const keysMax = 100_000;
const assetsMax = 1_000;
const balancesMax = 100_000;
/** More than the longest lists take: six items for a key, four for a balance. */
const itemsMax = 1_200_000;

/** Encodes a genesis, putting its lists in order. A genesis with contradictions encodes too, but does not decode. */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  return encodeCbor(
    new Map<number, Encodable>([
      [1, formatVersion],
      [2, genesis.name],
      [3, genesis.timeMs],
      [4, genesis.rules],
      [5, parametersToCbor(genesis.parameters)],
      [6, sortValidators(genesis.validators).map(validatorToCbor)],
      [7, sortedBy(genesis.members, memberIdentity).map(({ id, name }) => [id, name])],
      [8, sortedBy(genesis.keys, keyIdentity).map(registeredKeyToCbor)],
      [9, sortedBy(genesis.assets, assetIdentity).map(({ id, decimals, issuer }) => [id, decimals, issuer])],
      [10, sortedBy(genesis.balances, balanceIdentity).map(({ account, asset, amount }) => [account, asset, amount])],
    ]),
  );
}

/** Decodes a genesis and checks that it contradicts itself nowhere. Points of keys: `checkGenesisKeys`. */
export function decodeGenesis(bytes: Uint8Array): Result<Genesis, CairnError> {
  const genesis = decodeShape(
    'genesis.malformed',
    bytes,
    (value): Genesis => {
      requireShape(value instanceof Map && value.size === 10, 'a genesis must be a map of 10 fields');
      const field = (key: number): Cbor => value.get(key) ?? null;
      requireShape(field(1) === formatVersion, `the format of the genesis must be ${formatVersion}`);
      const read: Genesis = {
        name: textOf(field(2), 'name', displayNameMax),
        timeMs: uintOf(field(3), 'time'),
        rules: uintOf(field(4), 'rules', rulesMax),
        parameters: readParametersShape(field(5)),
        validators: readValidatorSet(field(6)),
        members: listOf(field(7), membersMax, 'members', readMember),
        keys: listOf(field(8), keysMax, 'keys', readRegisteredKey),
        assets: listOf(field(9), assetsMax, 'assets', readAsset),
        balances: listOf(field(10), balancesMax, 'balances', readBalance),
      };
      requireAscending(read.members, memberIdentity, 'members');
      requireAscending(read.keys, keyIdentity, 'keys');
      requireAscending(read.assets, assetIdentity, 'assets');
      requireAscending(read.balances, balanceIdentity, 'balances');
      requireConsistent(read);
      return read;
    },
    itemsMax,
  );
  if (genesis.ok) return genesis;
  return fail({ code: 'genesis.malformed', message: `This is no valid genesis document: ${genesis.error.message}.` });
}

/** Checks that every public key is a proper point; slow (up to 1 ms for each), once at the start of a node. */
export function checkGenesisKeys(
  genesis: Genesis,
  checkPublicKey: Verifier['checkPublicKey'],
): Result<void, CairnError> {
  for (const { algorithm, publicKey, member } of genesis.keys) {
    const checked = checkPublicKey(algorithm, publicKey);
    if (!checked.ok)
      return fail({ ...checked.error, message: `A key of ${member} in the genesis: ${checked.error.message}` });
  }
  for (const { id, linkKey, votingKey, checkpointKey } of genesis.validators) {
    for (const publicKey of [linkKey, votingKey, checkpointKey]) {
      const checked = checkPublicKey('ed25519', publicKey);
      if (!checked.ok) return fail({ ...checked.error, message: `A key of validator ${id}: ${checked.error.message}` });
    }
  }
  return ok(undefined);
}

/** The ledger hash: SHA-256 of the genesis document. */
export function genesisToLedgerHash(genesis: Genesis): Hash {
  return sha256(encodeGenesis(genesis));
}

/** The entries of the two leaves that genesis writes: the ledger hash, and the digest of the first validator set. */
export function genesisEntries(genesis: Genesis): [Hash, Hash] {
  return [genesisToLedgerHash(genesis), validatorSetDigest(genesis.validators)];
}

/** The link keys of validators, as keys of their members. */
export function nodeKeysOf(validators: readonly Validator[]): RegisteredKey[] {
  return validators.map(({ member, linkKey }) => ({
    role: 'node',
    algorithm: 'ed25519',
    publicKey: linkKey,
    member,
    device: null,
  }));
}

const memberIdentity = (member: GenesisMember): string => member.id;
const keyIdentity = (key: RegisteredKey): string => toHex(keyId(key.algorithm, key.publicKey));
const assetIdentity = (asset: GenesisAsset): string => asset.id;
const balanceIdentity = (balance: GenesisBalance): string => `${balance.account} ${balance.asset}`;

function readMember(value: Cbor): GenesisMember {
  const [id, name] = tupleOf(value, 2, 'member');
  return { id: readName(id!, 'member id'), name: textOf(name!, 'display name', displayNameMax) };
}

function readAsset(value: Cbor): GenesisAsset {
  const [id, decimals, issuer] = tupleOf(value, 3, 'asset');
  return {
    id: readName(id!, 'asset id'),
    decimals: uintOf(decimals!, 'decimals', decimalsMax),
    issuer: readName(issuer!, 'issuer'),
  };
}

function readBalance(value: Cbor): GenesisBalance {
  const [account, asset, amount] = tupleOf(value, 3, 'balance');
  const name = textOf(account!, 'account', 65);
  requireShape(parseAccount(name) !== null, 'an account must be "member" or "member/device"');
  requireShape(typeof amount === 'number' || typeof amount === 'bigint', 'an amount must be an integer');
  requireShape(amount >= 1 && amount <= uint64Max, 'an amount must be from 1 to 2^64 - 1');
  return { account: name, asset: readName(asset!, 'asset id'), amount: BigInt(amount) };
}

function requireConsistent(genesis: Genesis): void {
  const members = new Set(genesis.members.map(memberIdentity));
  /** Accounts that exist, with their number of keys. */
  const accounts = new Map([...members].map((member) => [member, 0]));
  requireShape(members.size > 0, 'there must be a member');
  for (const { id, member, life } of genesis.validators) {
    requireShape(members.has(member), `validator ${id} names no member`);
    requireShape(life === null, `validator ${id} has a life number, which only a returning one has`);
  }
  for (const { role, member, device } of nodeKeysOf(genesis.validators).concat(genesis.keys)) {
    requireShape(members.has(member), `a key names ${member}, which is no member`);
    requireShape(isOwnerOfRole(role, device), 'device keys must name a device, person and node keys none');
    const owner = accountOf(member, device);
    accounts.set(owner, (accounts.get(owner) ?? 0) + 1);
    const keysOfOwnerMax = device === null ? memberKidsMax : deviceKidsMax;
    requireShape(accounts.get(owner)! <= keysOfOwnerMax, `${owner} has more than ${keysOfOwnerMax} keys`);
  }
  const kids = new Set(genesis.keys.map(keyIdentity));
  for (const key of nodeKeysOf(genesis.validators)) {
    requireShape(!kids.has(keyIdentity(key)), `a link key of ${key.member} is listed among the keys as well`);
  }
  for (const { id, issuer } of genesis.assets) requireShape(members.has(issuer), `the issuer of ${id} is no member`);
  const issued = new Map(genesis.assets.map(({ id }) => [id, 0n]));
  for (const { account, asset, amount } of genesis.balances) {
    const before = issued.get(asset);
    requireShape(before !== undefined, `a balance is of ${asset}, which is no asset`);
    requireShape(accounts.has(account), `a balance is of ${account}, which is no member and no device with a key`);
    requireShape(before + amount <= uint64Max, `more than 2^64 - 1 units of ${asset}`);
    issued.set(asset, before + amount);
  }
}

function requireAscending<T>(items: readonly T[], identity: (item: T) => string, what: string): void {
  items.forEach((item, i) => {
    requireShape(i === 0 || identity(items[i - 1]!) < identity(item), `${what} must be in order, none twice`);
  });
}

/** Identities are ascii, so the order of their UTF-16 units is the order of their bytes. */
function sortedBy<T>(items: readonly T[], identity: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, key: identity(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}
