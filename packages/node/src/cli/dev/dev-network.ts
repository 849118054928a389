/**
 * The folder of a development network: founded at the first start, gone on with at every later one. Ports may change
 * between starts; then nodes find each other through the `peers` of their `node.json`.
 *
 *     <dir>/genesis.cbor  network.json  keys/  nodes/<id>/  dev.pid
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { type CairnError, defaultParameters, fail, ok, type Result } from '@cairn-ledger/core';
import { readNetworkFile, writeNetworkFile } from '../../config/network-file.ts';
import { nodeConfigIn, writeNodeConfig } from '../../config/node-config.ts';
import { orFail } from '../exit-code.ts';
import { foundNetwork } from '../founding/found-network.ts';
import type { NetworkPlan } from '../founding/network-plan.ts';
import { type GenesisFile, networkPathIn, readGenesisFile } from '../network.ts';
import { choosePorts, type DevPorts, defaultBasePort, portsFrom } from './ports.ts';

export type DevNode = { readonly id: string; readonly member: string; readonly dir: string; readonly http: string };

export type DevNetwork = {
  readonly dir: string;
  readonly genesis: GenesisFile;
  readonly nodes: readonly DevNode[];
  readonly mqttPort: number;
  readonly networkPath: string;
  /** True when it was made by this start. */
  readonly isNew: boolean;
  keyPath(owner: string): string;
  /** Lets another `cairn dev` use the folder. */
  release(): void;
};

export type DevOptions = {
  readonly dir: string;
  /** Absent: as many as the folder has, else 4. */
  readonly nodes?: number;
  /** Absent: the ports of last time, else free ones from the default on. */
  readonly port?: number;
};

/** Member whose desk device and person key are for the user to try things with. */
export const userMember = 'alder';
export const fleetMembers = 20;
const defaultNodes = 4;
const HOST = '127.0.0.1';

const names =
  'alder aspen beech birch cedar cherry cypress elm fir ginkgo hazel holly juniper larch linden maple oak olive pine poplar rowan spruce walnut willow yew'.split(
    ' ',
  );

/** Errors: `dev.running`, `dev.other-size`, `dev.port-taken`, and those of founding a network. */
export async function openDevNetwork(options: DevOptions): Promise<Result<DevNetwork, CairnError>> {
  const dir = resolve(options.dir);
  const networkPath = networkPathIn(dir);
  const isNew = !existsSync(networkPath);
  if (isNew) {
    const founded = foundNetwork(
      devPlan(options.nodes ?? defaultNodes, portsFrom(options.port ?? defaultBasePort, options.nodes ?? defaultNodes)),
      dir,
      Date.now(),
    );
    if (!founded.ok) return founded;
  }
  const locked = lock(dir);
  if (!locked.ok) return locked;
  const release = (): void => rmSync(pidPath(dir), { force: true });
  const opened = await prepare(dir, options, isNew, release);
  if (!opened.ok) release();
  return opened;
}

async function prepare(
  dir: string,
  options: DevOptions,
  isNew: boolean,
  release: () => void,
): Promise<Result<DevNetwork, CairnError>> {
  const networkPath = networkPathIn(dir);
  const network = readNetworkFile(networkPath);
  if (!network.ok) return network;
  const genesis = readGenesisFile(network.value.genesisPath);
  if (!genesis.ok) return genesis;
  const { validators } = genesis.value.genesis;
  if (options.nodes !== undefined && options.nodes !== validators.length) {
    return fail({
      code: 'dev.other-size',
      message: `${dir} holds a network of ${validators.length} nodes, not ${options.nodes}. Leave --nodes out, choose another --dir, or delete the folder.`,
    });
  }
  const lastBase = Number(new URL(network.value.nodes[0]!.http).port) - 1;
  const ports = await choosePorts(options.port ?? lastBase, options.port !== undefined, validators.length);
  if (!ports.ok) return ports;
  // Validators stand in the order of their ids in the genesis; ports go by the order of the network file.
  const ids = network.value.nodes.map((node) => node.id);
  const nodes = ids.map((id, index) => ({
    id,
    member: validators.find((validator) => validator.id === id)!.member,
    dir: join(dir, 'nodes', id),
    http: `http://${HOST}:${ports.value.http[index]}`,
  }));
  for (const [index, node] of nodes.entries()) writeDevConfig(node, index, ids, ports.value);
  writeNetworkFile(networkPath, {
    ...network.value,
    nodes: nodes.map(({ id, http }) => ({ id, http })),
    mqtt: `mqtt://${HOST}:${ports.value.mqtt}`,
  });
  return ok({
    dir,
    genesis: genesis.value,
    nodes,
    mqttPort: ports.value.mqtt,
    networkPath,
    isNew,
    keyPath: (owner) =>
      join(dir, 'keys', owner.includes('/') ? `${owner.replace('/', '.')}.key` : `${owner}.person.key`),
    release,
  });
}

function writeDevConfig(node: DevNode, index: number, ids: readonly string[], ports: DevPorts): void {
  const peers = Object.fromEntries(
    ids.flatMap((id, at) => (at === index ? [] : [[id, [`${HOST}:${ports.link[at]}`]]])),
  );
  writeNodeConfig(
    node.dir,
    nodeConfigIn(node.dir, {
      validatorId: node.id,
      listen: { host: HOST, port: ports.link[index]! },
      http: { host: HOST, port: ports.http[index]! },
      mqtt: { brokerUrl: `mqtt://${HOST}:${ports.mqtt}` },
      logLevel: 'info',
      peers,
    }),
  );
}

/** Members with a device each, as many of them with a node as asked for, one asset, and something to pay with. */
export function devPlan(nodes: number, ports: DevPorts): NetworkPlan {
  const members = Array.from(
    { length: Math.max(fleetMembers, nodes) },
    (_, index) => names[index] ?? `member-${index + 1}`,
  );
  const devices = [`${userMember}/desk`, ...members.slice(0, fleetMembers).map((member) => `${member}/sensor`)];
  const width = String(nodes).length;
  return {
    name: 'development',
    members: members.map((id) => ({ id, name: id[0]!.toUpperCase() + id.slice(1), person: null })),
    nodes: Array.from({ length: nodes }, (_, index) => ({
      id: `node-${String(index + 1).padStart(width, '0')}`,
      member: members[index]!,
      address: `${HOST}:${ports.link[index]}`,
      http: { host: HOST, port: ports.http[index]! },
      mqtt: `mqtt://${HOST}:${ports.mqtt}`,
      publicPath: null,
    })),
    devices: devices.map((id) => ({ id, key: null })),
    assets: [{ id: 'eur', decimals: 2, issuer: members[0]! }],
    balances: [
      ...members.map((account) => ({ account, asset: 'eur', amount: 100_000_000n })),
      ...devices.map((account) => ({ account, asset: 'eur', amount: 10_000_000n })),
    ],
    // All on one machine: the delays of a local network.
    parameters: { ...defaultParameters, deltaMs: 100 },
  };
}

function lock(dir: string): Result<void, CairnError> {
  const path = pidPath(dir);
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: 'wx' });
      return ok(undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = Number(readFileSync(path, 'utf8'));
    if (isAlive(pid)) {
      return fail({
        code: 'dev.running',
        message: `a development network runs in ${dir} already (process ${pid}). Stop it with Ctrl-C there, or choose another --dir.`,
      });
    }
    rmSync(path, { force: true });
  }
  return fail({ code: 'dev.running', message: `another process is starting a development network in ${dir}` });
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function pidPath(dir: string): string {
  return join(dir, 'dev.pid');
}

/** Throws what `openDevNetwork` refuses. */
export async function requireDevNetwork(options: DevOptions): Promise<DevNetwork> {
  return orFail(await openDevNetwork(options));
}
