/**
 * Which network a command talks to. In order: `--network FILE`, `CAIRN_NETWORK`, the development network in `.cairn-dev`;
 * `--node` and `--genesis` take the place of what the file says, or do without one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import {
  type CairnError,
  decodeGenesis,
  fail,
  type Genesis,
  genesisToTrustAnchor,
  ok,
  type Result,
  sha256,
  type TrustAnchor,
} from '@cairn-ledger/core';
import { type Client, createClient, type TrustOptions } from '@cairn-ledger/sdk';
import type { Command } from 'commander';
import { type NetworkFile, type NetworkNode, readNetworkFile } from '../config/network-file.ts';
import { CommandFailed, orFail } from './exit-code.ts';
import { parsePositive } from './parse.ts';

export const devFolder = '.cairn-dev';
const networkName = 'network.json';

export type NetworkOptions = {
  readonly network?: string;
  readonly node?: string[];
  readonly genesis?: string;
  readonly token?: string;
  /** Days. */
  readonly trustPeriod?: number;
};

export type GenesisFile = {
  readonly genesis: Genesis;
  readonly ledgerHash: Uint8Array;
  readonly anchor: TrustAnchor;
  readonly bytes: Uint8Array;
};

/** Adds the options every command that talks to a network has. */
export function withNetworkOptions(command: Command): Command {
  return command
    .option('--network <file>', `network file (default: $CAIRN_NETWORK, else ${join(devFolder, networkName)})`)
    .option('--node <url|id...>', 'nodes to ask, the preferred one first (default: those of the network file)')
    .option('--genesis <file>', 'genesis of the network, the trust anchor (default: the one of the network file)')
    .option('--token <token>', 'bearer token, where nodes ask for one (default: $CAIRN_TOKEN)')
    .option(
      '--trust-period <days>',
      'how long the genesis is trusted before several nodes must confirm what came after it',
      parsePositive,
      30,
    );
}

/** The nodes to ask, those named by `--node` first. */
export function nodesOf(options: NetworkOptions): NetworkNode[] {
  const known = findNetworkFile(options)?.nodes ?? [];
  if (options.node === undefined) {
    if (known.length > 0) return [...known];
    throw new CommandFailed(noNetwork);
  }
  return options.node.map((name) => {
    const found = known.find((node) => node.id === name || node.http === name.replace(/\/+$/, ''));
    if (found !== undefined) return found;
    if (/^https?:\/\//.test(name) && URL.canParse(name))
      return { id: new URL(name).host, http: name.replace(/\/+$/, '') };
    const ids = known.length > 0 ? ` or one of ${known.map((node) => node.id).join(', ')}` : '';
    throw new CommandFailed({ code: 'usage.unknown-node', message: `--node ${name}: give a URL${ids}` });
  });
}

export function tokenOf(options: NetworkOptions): { readonly token?: string } {
  const token = options.token ?? process.env.CAIRN_TOKEN;
  return token === undefined ? {} : { token };
}

/** A client of the network; it verifies receipts where the genesis is at hand. */
export function connect(options: NetworkOptions, genesis?: GenesisFile): Client {
  return createClient({
    nodes: nodesOf(options).map((node) => node.http),
    ...tokenOf(options),
    ...(genesis && trustOf(options, genesis)),
  });
}

/** How a client verifies: from the genesis on, with all nodes that are known as witnesses once that has grown old. */
export function trustOf(options: NetworkOptions, genesis: GenesisFile): TrustOptions {
  const named = nodesOf(options);
  // A token is for the nodes that were named with it.
  const known = tokenOf(options).token === undefined ? (findNetworkFile(options)?.nodes ?? []) : [];
  return {
    anchor: genesis.anchor,
    witnesses: [...named, ...known].map((node) => node.http),
    ...(options.trustPeriod !== undefined && { trustPeriodMs: options.trustPeriod * 86_400_000 }),
  };
}

/** One client per node, for commands that compare what they say. */
export function connectEach(
  options: NetworkOptions,
  timeoutMs: number,
): { readonly node: NetworkNode; readonly client: Client }[] {
  return nodesOf(options).map((node) => ({
    node,
    client: createClient({ nodes: [node.http], ...tokenOf(options), timeoutMs }),
  }));
}

/** The genesis that `--genesis` or the network file names. */
export function genesisOf(options: NetworkOptions): GenesisFile {
  const path = options.genesis ?? findNetworkFile(options)?.genesisPath;
  if (path === undefined) throw new CommandFailed(noGenesis);
  return orFail(readGenesisFile(path));
}

export function readGenesisFile(path: string): Result<GenesisFile, CairnError> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    return fail({ code: 'config.missing', message: `the genesis ${path} cannot be read: ${(error as Error).message}` });
  }
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) return fail({ code: 'config.bad-genesis', message: `${path}: ${genesis.error.message}` });
  const anchor = genesisToTrustAnchor(bytes);
  if (!anchor.ok) return anchor;
  return ok({ genesis: genesis.value, ledgerHash: sha256(bytes), anchor: anchor.value, bytes });
}

/** The network file in use; null when none is named and there is no development network here. */
export function findNetworkFile(options: NetworkOptions): NetworkFile | null {
  const named = options.network ?? process.env.CAIRN_NETWORK;
  if (named !== undefined) return orFail(readNetworkFile(named));
  const dev = join(devFolder, networkName);
  return existsSync(dev) ? orFail(readNetworkFile(dev)) : null;
}

export function networkPathIn(dir: string): string {
  return join(dir, networkName);
}

const noNetwork: CairnError = {
  code: 'usage.no-network',
  message: `no network is named. Start one with \`cairn dev\`, or name yours with --network <file> or --node <url>.`,
};

const noGenesis: CairnError = {
  code: 'usage.no-genesis',
  message: 'the genesis of the network is needed. Name its file with --genesis, or a network file with --network.',
};
