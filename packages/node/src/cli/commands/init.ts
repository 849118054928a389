import { bytesToBase64url, defaultParameters, toHex } from '@cairn-ledger/core';
import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import { foundNetwork } from '../founding/found-network.ts';
import { type NetworkPlan, plannedNodeOf, readNetworkPlan } from '../founding/network-plan.ts';
import { say, sayJson } from '../output.ts';

type InitOptions = {
  readonly from?: string;
  readonly dir: string;
  readonly name: string;
  readonly member?: string[];
  readonly json?: boolean;
};

export function initCommand(): Command {
  return new Command('init')
    .description('write the genesis and the keys of a real network')
    .option('--from <file>', 'a small JSON file: members, nodes, devices, assets, balances')
    .option('--member <id=host:port...>', 'without a file: a member with one node, and where its peers reach it')
    .option('--name <text>', 'without a file: name of the network', 'cairn')
    .option('--dir <folder>', 'where to write; must be empty or absent', 'network')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn init --name "cold chain" --member alder=10.0.0.1:7700 --member birch=10.0.0.2:7700 \\
      --member cedar=10.0.0.3:7700 --member elm=10.0.0.4:7700
  $ cairn init --from network.json --dir cold-chain

network.json:
  { "name": "cold chain",
    "members":  [ { "id": "alder", "name": "Alder Logistics" }, ... ],
    "nodes":    [ { "id": "alder-1", "member": "alder", "address": "10.0.0.1:7700", "public": "alder.public.json" }, ... ],
    "devices":  [ { "id": "alder/truck-7" } ],
    "assets":   [ { "id": "eur", "decimals": 2, "issuer": "alder" } ],
    "balances": [ { "account": "alder", "asset": "eur", "amount": "1000000" } ] }

Each organisation makes its node's keys itself (\`cairn key new --node <folder>\`) and gives only public.json away.
Keys that nobody brought are made here; then hand every folder to its owner over a safe way.`,
    )
    .action((options: InitOptions) => {
      const plan = options.from === undefined ? planOfFlags(options) : orFail(readNetworkPlan(options.from));
      const founded = orFail(foundNetwork(plan, options.dir, Date.now()));
      if (options.json === true) {
        sayJson({ ...founded, ledger: bytesToBase64url(founded.ledgerHash.subarray(0, 8)) });
        return;
      }
      say(`The network "${plan.name}" is founded in ${founded.dir}.`);
      say(`genesis  ${founded.genesisPath}`);
      say(`ledger   ${toHex(founded.ledgerHash)}`);
      if (plan.nodes.length < 4)
        say(`With ${plan.nodes.length} nodes it withstands no faulty one: production needs at least 4.`);
      say('');
      say('Next:');
      say('  1. Compare the ledger hash with the other founders, by another way than the files came.');
      for (const [id, dir] of Object.entries(founded.nodeDirs)) say(`  2. on the machine of ${id}:  cairn node ${dir}`);
      if (plan.nodes.some((node) => node.publicPath !== null)) {
        say('  2. who brought keys: put genesis.cbor and a node.json beside them, then `cairn node <folder>`');
      }
      say(`  3. cairn status --network ${founded.dir}/network.json`);
    });
}

function planOfFlags(options: InitOptions): NetworkPlan {
  if (options.member === undefined) {
    throw new CommandFailed({
      code: 'usage.no-members',
      message: 'name the members with --member id=host:port, or a file with --from. `cairn init --help` shows both.',
    });
  }
  const nodes = options.member.map((text) => {
    const node = plannedNodeOf(text);
    if (node !== null) return node;
    throw new CommandFailed({
      code: 'usage.bad-member',
      message: `--member ${text}: write it as id=host:port, for example alder=10.0.0.1:7700`,
    });
  });
  return {
    name: options.name,
    members: nodes.map(({ id }) => ({ id, name: id, person: null })),
    nodes,
    devices: [],
    assets: [],
    balances: [],
    parameters: defaultParameters,
  };
}
