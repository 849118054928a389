import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import { oneNode } from '../membership/answers.ts';
import { type NetworkOptions, withNetworkOptions } from '../network.ts';
import { say, sayJson, style } from '../output.ts';

type FenceOptions = Omit<NetworkOptions, 'node'> & {
  readonly reason?: string;
  readonly lift?: boolean;
  readonly json?: boolean;
};

export function fenceCommand(): Command {
  const command = new Command('fence')
    .description('take a node of yours out: it signs nothing until that is lifted, and goes on answering queries')
    .argument('<node>', 'URL of the node, or its id in the network file')
    .option('--reason <text>', 'why, for the log and the other members')
    .option('--lift', 'take it back')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn fence node-2 --reason "the disk makes noises"
  $ cairn fence https://alder.example:7701 --reason "keys may have been copied"
  $ cairn fence node-2 --lift

To the others it counts as a validator that failed, so mind how many more may fail (\`cairn status\`). It lasts over restarts.
The node needs a token with the role operate, unless it is on this machine.`,
    );
  withNetworkOptions(command);
  command.action(async (name: string, options: FenceOptions) => {
    const node = oneNode({ ...options, node: [name] });
    if (options.lift === true) {
      const { mode } = orFail(await node.client.post<{ mode: string }>('/v1/unfence', {}));
      if (options.json === true) return sayJson({ node: node.id, lifted: true, mode });
      say(`The fence of ${node.id} is lifted; its mode is ${style('bold', mode)}.`);
      if (mode === 'fenced') say('It signs again after its next start.');
      return;
    }
    if (options.reason === undefined) {
      throw new CommandFailed({
        code: 'usage.no-reason',
        message: 'say why, with --reason "..."; the log and the other members are told',
      });
    }
    const { mode } = orFail(await node.client.post<{ mode: string }>('/v1/fence', { reason: options.reason }));
    if (options.json === true) return sayJson({ node: node.id, fenced: true, mode });
    say(`${node.id} is taken out: ${style('yellow', mode)}. It signs nothing, follows the ledger and answers queries.`);
    say(`  cairn fence ${name} --lift     takes it back`);
  });
  return command;
}
