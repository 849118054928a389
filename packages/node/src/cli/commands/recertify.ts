import { Command, InvalidArgumentError } from 'commander';
import {
  type Recertified,
  type ResultsStanding,
  recertify,
  resultsStandingOf,
} from '../../recertify/recertification.ts';
import { readStopped } from '../../restart/standing.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { note, say, sayJson, style } from '../output.ts';

type Options = { readonly above?: number; readonly round?: number; readonly json?: boolean };

const progressEveryHeights = 10_000;

const examples = `
Examples:
  $ cairn recertify /var/lib/cairn                           at every node, stopped: prints its highest certified height
  $ cairn recertify /var/lib/cairn --above 4711 --round 1    at every node, stopped, with the same height and round; then start it

For a network that stands still because a bug made its results differ, with the mended release installed. The blocks stay as
they are. What lies above the highest certified height is executed again, by this release, and its results are signed in the
round that is given, since no validator may sign two results of a height in one round. All operators must give the same height
and round. The present chain stays beside the new one, as chain.db.superseded.
docs/operations.md, "Certifying results anew", says when this is right.`;

export function recertifyCommand(): Command {
  return new Command('recertify')
    .description('execute again what could not be certified, and sign its results in another round')
    .argument('<folder>', 'folder of the node, which must be stopped')
    .option('--above <height>', 'the highest certified height, the same at every node', parseCount)
    .option('--round <number>', 'the round, the same at every node, and one that none of them has recorded', parseCount)
    .option('--json', 'print one JSON object')
    .addHelpText('after', examples)
    .action(run);
}

async function run(folder: string, options: Options): Promise<void> {
  const stopped = orFail(readStopped(folder));
  const { validatorId } = stopped.config;
  const { above, round } = options;
  if (above === undefined && round === undefined) {
    const standing = orFail(await resultsStandingOf(stopped));
    if (options.json === true) return sayJson({ node: validatorId, ...standing });
    return printStanding(validatorId, folder, standing);
  }
  if (above === undefined || round === undefined)
    throw new CommandFailed({ code: 'usage.no-round', message: '--above and --round belong together' });
  const record = { above, round };
  const done = orFail(
    await recertify(stopped, record, (height, tipHeight) => {
      if (height % progressEveryHeights === 0) note(`block ${height} of ${tipHeight}`);
    }),
  );
  if (options.json === true) return sayJson({ node: validatorId, ...record, ...done });
  printDone(validatorId, record, done);
}

function printStanding(id: string, folder: string, standing: ResultsStanding): void {
  const { certifiedHeight, height, recorded, nextRound } = standing;
  say(`node        ${id}`);
  say(`certified   up to block ${style('bold', String(certifiedHeight))}`);
  say(`executed    up to block ${height}`);
  const rounds = recorded.map(({ above, round }) => `${round} above block ${above}`);
  say(`recorded    ${rounds.length === 0 ? 'no round' : rounds.join(', ')}`);
  say('');
  say('Where all nodes say the same, and none of them goes on by itself with the mended release, at every node:');
  say(`  cairn recertify ${folder} --above ${certifiedHeight} --round ${nextRound}`);
}

function printDone(
  id: string,
  { above, round }: { readonly above: number; readonly round: number },
  done: Recertified,
): void {
  const { executedAgain, height } = done;
  if (executedAgain > 0) say(`executed    blocks ${height - executedAgain + 1} to ${height} again`);
  say(style('green', `${id} signs what lies above block ${above} in round ${round} when it starts.`));
}

function parseCount(text: string): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
  if (value === null) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}
