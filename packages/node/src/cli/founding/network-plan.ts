/**
 * What a network is founded from: members, their nodes, devices and people, assets and first balances. `cairn init` reads
 * it from a small file or flags, `cairn dev` makes one up. Where a public key is missing, a key is made.
 *
 *     { "name": "cold chain",
 *       "members":  [ { "id": "alder", "name": "Alder Logistics", "person": "ed25519:..." } ],
 *       "nodes":    [ { "id": "alder-1", "member": "alder", "address": "alder.example:7700", "http": "127.0.0.1:7701", "public": "alder.public.json" } ],
 *       "devices":  [ { "id": "alder/truck-7", "public": "p256:..." } ],
 *       "assets":   [ { "id": "eur", "decimals": 2, "issuer": "alder" } ],
 *       "balances": [ { "account": "alder", "asset": "eur", "amount": "1000000" } ],
 *       "parameters": { "deltaMs": 500 } }
 */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import {
  type CairnError,
  defaultParameters,
  type GenesisAsset,
  type GenesisBalance,
  isName,
  type Parameters,
  parseAccount,
  parseDevice,
  type Result,
} from '@cairn-ledger/core';
import type { PublicKey } from '@cairn-ledger/sdk';
import {
  type Field,
  fieldsOf,
  integerOf,
  listOf,
  readJsonFile,
  refuse,
  required,
  textOf,
} from '../../config/json-file.ts';
import { type HostPort, parseAddress } from '../../config/node-config.ts';
import { readPublicKey } from './node-public-keys.ts';

export type PlannedMember = { readonly id: string; readonly name: string; readonly person: PublicKey | null };

export type PlannedNode = {
  readonly id: string;
  readonly member: string;
  /** Where peers reach it. */
  readonly address: string;
  /** Where its HTTP listens, as its own machine sees it. */
  readonly http: HostPort;
  readonly mqtt: string | null;
  /** `public.json` of keys that its operator has made; null: keys are made here. */
  readonly publicPath: string | null;
};

export type PlannedDevice = { readonly id: string; readonly key: PublicKey | null };

export type NetworkPlan = {
  readonly name: string;
  readonly members: readonly PlannedMember[];
  readonly nodes: readonly PlannedNode[];
  readonly devices: readonly PlannedDevice[];
  readonly assets: readonly GenesisAsset[];
  readonly balances: readonly GenesisBalance[];
  readonly parameters: Parameters;
};

export const defaultHttpPort = 7701;

export function readNetworkPlan(path: string): Result<NetworkPlan, CairnError> {
  const folder = dirname(resolve(path));
  return readJsonFile(path, (root) => {
    const fields = fieldsOf(root, ['name', 'members', 'nodes', 'devices', 'assets', 'balances', 'parameters']);
    return {
      name: textOf(required(fields.name, root, 'name')),
      members: listOf(required(fields.members, root, 'members'), readMember),
      nodes: listOf(required(fields.nodes, root, 'nodes'), (field) => readNode(field, folder)),
      devices: fields.devices ? listOf(fields.devices, readDevice) : [],
      assets: fields.assets ? listOf(fields.assets, readAsset) : [],
      balances: fields.balances ? listOf(fields.balances, readBalance) : [],
      parameters: fields.parameters ? readParameters(fields.parameters) : defaultParameters,
    };
  });
}

/** Reads `id=host:port`, the short form of a member with one node of the same name. */
export function plannedNodeOf(text: string): PlannedNode | null {
  const [id, address, ...rest] = text.split('=');
  if (id === undefined || address === undefined || rest.length > 0 || !isName(id) || parseAddress(address) === null)
    return null;
  return { id, member: id, address, http: { host: '127.0.0.1', port: defaultHttpPort }, mqtt: null, publicPath: null };
}

function readMember(field: Field): PlannedMember {
  const fields = fieldsOf(field, ['id', 'name', 'person']);
  const id = nameOf(required(fields.id, field, 'id'));
  return {
    id,
    name: fields.name ? textOf(fields.name) : id,
    person: fields.person ? readPublicKey(fields.person) : null,
  };
}

function readNode(field: Field, folder: string): PlannedNode {
  const fields = fieldsOf(field, ['id', 'member', 'address', 'http', 'mqtt', 'public']);
  const id = nameOf(required(fields.id, field, 'id'));
  const address = required(fields.address, field, 'address');
  addressOf(address);
  const publicPath = fields.public && textOf(fields.public);
  return {
    id,
    member: fields.member ? nameOf(fields.member) : id,
    address: textOf(address),
    http: fields.http ? addressOf(fields.http) : { host: '127.0.0.1', port: defaultHttpPort },
    mqtt: fields.mqtt ? textOf(fields.mqtt) : null,
    publicPath: publicPath === undefined ? null : isAbsolute(publicPath) ? publicPath : join(folder, publicPath),
  };
}

function readDevice(field: Field): PlannedDevice {
  const fields = fieldsOf(field, ['id', 'public']);
  const id = required(fields.id, field, 'id');
  if (parseDevice(textOf(id)) === null) refuse(id, 'must be member/device, each of 1 to 32 of a-z, 0-9 and -');
  return { id: textOf(id), key: fields.public ? readPublicKey(fields.public) : null };
}

function readAsset(field: Field): GenesisAsset {
  const fields = fieldsOf(field, ['id', 'decimals', 'issuer']);
  return {
    id: nameOf(required(fields.id, field, 'id')),
    decimals: integerOf(required(fields.decimals, field, 'decimals'), 0, 18),
    issuer: nameOf(required(fields.issuer, field, 'issuer')),
  };
}

function readBalance(field: Field): GenesisBalance {
  const fields = fieldsOf(field, ['account', 'asset', 'amount']);
  const account = required(fields.account, field, 'account');
  if (parseAccount(textOf(account)) === null) refuse(account, 'must be member or member/device');
  const amount = required(fields.amount, field, 'amount');
  if (!/^[1-9]\d{0,19}$/.test(textOf(amount))) refuse(amount, 'must be a whole number of base units, as text');
  return {
    account: textOf(account),
    asset: nameOf(required(fields.asset, field, 'asset')),
    amount: BigInt(textOf(amount)),
  };
}

function readParameters(field: Field): Parameters {
  const names = Object.keys(defaultParameters) as (keyof Parameters)[];
  const fields = fieldsOf(field, names);
  const given = names.flatMap((name) =>
    fields[name] ? [[name, integerOf(fields[name], 0, Number.MAX_SAFE_INTEGER)]] : [],
  );
  return { ...defaultParameters, ...(Object.fromEntries(given) as Partial<Parameters>) };
}

function nameOf(field: Field): string {
  const text = textOf(field);
  if (!isName(text)) refuse(field, 'must have 1 to 32 of a-z, 0-9 and -');
  return text;
}

function addressOf(field: Field): HostPort {
  const address = parseAddress(textOf(field));
  if (address === null) refuse(field, 'must be host:port');
  return address;
}
