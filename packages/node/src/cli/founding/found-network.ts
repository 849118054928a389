/**
 * Founds a network in a folder: makes the keys that nobody brought, writes the genesis, and a folder for every node whose
 * keys were made here, in the layout of `node-config.ts`.
 *
 *     <dir>/genesis.cbor  <dir>/network.json  <dir>/nodes/<id>/  <dir>/keys/<member>.person.key  <dir>/keys/<member>.<device>.key
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  bytesToBase64url,
  type CairnError,
  decodeGenesis,
  encodeGenesis,
  fail,
  type Genesis,
  ok,
  parseDevice,
  type RegisteredKey,
  type Result,
  sha256,
  type Validator,
} from '@cairn-ledger/core';
import { createKey, type PublicKey } from '@cairn-ledger/sdk';
import { type NetworkFile, writeNetworkFile } from '../../config/network-file.ts';
import { nodeConfigIn, parseAddress, writeNodeConfig } from '../../config/node-config.ts';
import { writeKeyFile } from '../../keys/key-file.ts';
import { createNodeKeys } from '../../keys/node-keys.ts';
import { markUnused } from '../../keys/unused-record.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { networkPathIn } from '../network.ts';
import type { NetworkPlan, PlannedNode } from './network-plan.ts';
import { readNodePublicKeys } from './node-public-keys.ts';

export type FoundedNetwork = {
  readonly dir: string;
  readonly genesisPath: string;
  readonly ledgerHash: Uint8Array;
  /** Key files made here, by whose they are: `alder` (a person of the member), `alder/truck-7`. */
  readonly keyPaths: Readonly<Record<string, string>>;
  /** Folders of the nodes whose keys were made here, by id. */
  readonly nodeDirs: Readonly<Record<string, string>>;
};

/** Epoch 1 begins under these rules. */
const firstRules = 1;

/** Writes a new network. A folder that holds anything is refused; a plan that contradicts itself leaves nothing behind. */
export function foundNetwork(plan: NetworkPlan, dir: string, timeMs: number): Result<FoundedNetwork, CairnError> {
  const folder = resolve(dir);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    return fail({
      code: 'init.not-empty',
      message: `${folder} is not empty; a network is founded in a folder of its own`,
    });
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keyPaths: Record<string, string> = {};
  const nodeDirs: Record<string, string> = {};
  const keys: RegisteredKey[] = [];
  const validators: Validator[] = [];
  for (const node of plan.nodes) {
    const nodeDir = join(folder, 'nodes', node.id);
    const publicKeys = keysOfNode(node, nodeDir);
    if (node.publicPath === null) nodeDirs[node.id] = nodeDir;
    validators.push({
      id: node.id,
      member: node.member,
      linkKey: publicKeys.link.publicKey,
      votingKey: publicKeys.voting.publicKey,
      checkpointKey: publicKeys.checkpoint.publicKey,
      addresses: [node.address],
      life: null,
    });
    keys.push({ role: 'gateway', ...publicKeys.gateway, member: node.member, device: null });
  }
  for (const member of plan.members) {
    const key = member.person ?? newKey(join(folder, 'keys', `${member.id}.person.key`), keyPaths, member.id);
    keys.push({ role: 'person', ...key, member: member.id, device: null });
  }
  for (const device of plan.devices) {
    const name = parseDevice(device.id)!;
    const key = device.key ?? newKey(join(folder, 'keys', `${name.member}.${name.device}.key`), keyPaths, device.id);
    keys.push({ role: 'device', ...key, ...name });
  }
  const genesis: Genesis = {
    name: plan.name,
    timeMs,
    rules: firstRules,
    parameters: plan.parameters,
    validators,
    members: plan.members.map(({ id, name }) => ({ id, name })),
    keys,
    assets: plan.assets,
    balances: plan.balances,
  };
  const bytes = encodeGenesis(genesis);
  const checked = decodeGenesis(bytes);
  if (!checked.ok)
    return fail({
      code: 'init.contradiction',
      message: `the plan contradicts itself: ${checked.error.message} Correct it and begin again in an empty folder.`,
    });
  const genesisPath = join(folder, 'genesis.cbor');
  writeFileSync(genesisPath, bytes);
  for (const node of plan.nodes) if (nodeDirs[node.id] !== undefined) writeNodeFolder(node, nodeDirs[node.id]!, bytes);
  const ledgerHash = sha256(bytes);
  const network: NetworkFile = {
    name: plan.name,
    ledger: bytesToBase64url(ledgerHash.subarray(0, 8)),
    genesisPath,
    nodes: plan.nodes.map((node) => ({ id: node.id, http: `http://${hostText(node.http.host)}:${node.http.port}` })),
    ...(plan.nodes[0]?.mqtt && { mqtt: plan.nodes[0].mqtt }),
  };
  writeNetworkFile(networkPathIn(folder), network);
  return ok({ dir: folder, genesisPath, ledgerHash, keyPaths, nodeDirs });
}

function keysOfNode(
  node: PlannedNode,
  nodeDir: string,
): Record<'link' | 'voting' | 'checkpoint' | 'gateway', PublicKey> {
  if (node.publicPath === null) {
    const { link, voting, checkpoint, gateway } = orFail(createNodeKeys(join(nodeDir, 'keys')));
    return {
      link: publicPart(link),
      voting: publicPart(voting),
      checkpoint: publicPart(checkpoint),
      gateway: publicPart(gateway),
    };
  }
  const keys = orFail(readNodePublicKeys(node.publicPath));
  if (Object.values(keys).every((key) => key.algorithm === 'ed25519')) return keys;
  throw new CommandFailed({
    code: 'config.invalid-field',
    message: `${node.publicPath}: the keys of a node are Ed25519`,
  });
}

function newKey(path: string, keyPaths: Record<string, string>, owner: string): PublicKey {
  const key = createKey('ed25519');
  orFail(writeKeyFile(path, key));
  keyPaths[owner] = path;
  return publicPart(key);
}

function publicPart({ algorithm, publicKey }: PublicKey): PublicKey {
  return { algorithm, publicKey };
}

function writeNodeFolder(node: PlannedNode, nodeDir: string, genesis: Uint8Array): void {
  markUnused(join(nodeDir, 'data'));
  writeFileSync(join(nodeDir, 'genesis.cbor'), genesis);
  const { host, port } = parseAddress(node.address)!;
  const listen = { host: host === '127.0.0.1' || host === 'localhost' ? '127.0.0.1' : '0.0.0.0', port };
  const config = nodeConfigIn(nodeDir, {
    validatorId: node.id,
    listen,
    http: node.http,
    ...(node.mqtt !== null && { mqtt: { brokerUrl: node.mqtt } }),
    logLevel: 'info',
  });
  writeNodeConfig(nodeDir, config);
}

function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
