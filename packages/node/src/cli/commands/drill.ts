import { Argument, Command } from 'commander';
import { type AttackName, attackNames } from '../drill/attack.ts';
import { parsePositive } from '../parse.ts';

export type DrillCommandOptions = {
  readonly nodes: number;
  readonly atOnce: number;
  readonly dir?: string;
  readonly keep?: boolean;
  readonly json?: boolean;
};

const defaultNodes = 4;

export function drillCommand(): Command {
  return new Command('drill')
    .description('attack a network on this machine, and tell how it notices, shuts out, repairs and takes back')
    .addArgument(new Argument('[attack...]', 'which attacks (default: all, one after the other)').choices(attackNames))
    .option('--nodes <count>', 'validators of the network', parsePositive, defaultNodes)
    .option('--at-once <count>', 'different attacks at the same time, each on another validator', parsePositive, 1)
    .option('--dir <folder>', 'a development network that runs: only attacks that leave nothing behind')
    .option('--keep', 'leave the folder of the network in place, for looking at logs and data')
    .option(
      '--json',
      'one JSON object at the end: {"attacks":[{"name":"tamper","noticedMs":310,...}]}; the story goes to standard error',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ cairn drill tamper
  $ cairn drill silence flood --nodes 7 --at-once 2
  $ cairn drill --json
  $ cairn drill --nodes 20 --at-once 6

It founds a network of its own in a temporary folder and removes it: nothing of yours is touched. With --dir it attacks one that
\`cairn dev\` runs, only by silence and flood: the others cost a node its data or the good name of its keys. It ends with 1 when a promise
was broken. Throughput can be compared only while the machine does little else.`,
    )
    .action(
      async (attacks: AttackName[], { nodes, atOnce, dir, keep, json }: DrillCommandOptions, command: Command) => {
        const faultsMax = Math.floor((nodes - 1) / 3);
        if (atOnce > faultsMax) {
          const needed = 3 * atOnce + 1;
          command.error(
            `error: ${nodes} validators bear ${faultsMax} attacks at once; --at-once ${atOnce} needs --nodes ${needed}`,
          );
        }
        if (dir !== undefined) await requireHarmless(attacks, command);
        const { drillCommandOf } = await import('../drill/run-drill.ts');
        await drillCommandOf({ attacks, nodes, atOnce, dir: dir ?? null, isKept: keep === true, json: json === true });
      },
    );
}

async function requireHarmless(attacks: readonly AttackName[], command: Command): Promise<void> {
  const { attackByName } = await import('../drill/attack-list.ts');
  const harmful = attacks.find((name) => !attackByName[name].isHarmless);
  const harmless = attackNames.filter((name) => attackByName[name].isHarmless).join(', ');
  if (attacks.length === 0) command.error(`error: --dir: name the attacks, of ${harmless}`);
  if (harmful !== undefined)
    command.error(`error: --dir: ${harmful} costs a node its data or its keys; on a network in use only ${harmless}`);
}
