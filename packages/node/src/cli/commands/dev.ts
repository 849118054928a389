import { Command } from 'commander';
import { devFolder } from '../network.ts';
import { parsePort, parsePositive } from '../parse.ts';

export type DevCommandOptions = {
  readonly nodes?: number;
  readonly dir: string;
  readonly port?: number;
  readonly fleet: boolean;
  readonly restart?: boolean;
  readonly json?: boolean;
};

export function devCommand(): Command {
  return new Command('dev')
    .description('a development network on this machine: nodes as processes, an MQTT broker, a simulated fleet')
    .option('--nodes <count>', 'nodes of a new network (default: 4)', parsePositive)
    .option('--dir <folder>', 'where it lives; starting again goes on from there', devFolder)
    .option(
      '--port <base>',
      'first port: MQTT, then HTTP and links of the nodes (default: 7700, or others if taken)',
      parsePort,
    )
    .option('--no-fleet', 'no simulated devices')
    .option('--restart', 'start a node again also when somebody has stopped or killed it')
    .option(
      '--json',
      'one JSON object per line: {"event":"ready","nodes":[...],"mqtt":"..."} first, when all are in sync',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ cairn dev
  $ cairn dev --nodes 7 --dir /tmp/seven --no-fleet
  $ cairn dev --json | jq -r 'select(.event=="ready").nodes[].http'

Ctrl-C stops everything. A node that fails is started again, after pauses that grow. One that you kill or stop stays down until
\`cairn node <its folder>\` brings it back (or --restart does); the others go on. Deleting the folder makes a new network. It is for development: no tokens, keys on one disk.`,
    )
    .action(async (options: DevCommandOptions) => {
      const { runDev } = await import('../dev/run-dev.ts');
      return runDev(options);
    });
}
