import { Command } from 'commander';
import { type Check, checkMachine } from '../doctor/checks.ts';
import { CommandFailed } from '../exit-code.ts';
import { type NetworkOptions, withNetworkOptions } from '../network.ts';
import { say, sayJson, style } from '../output.ts';

export function doctorCommand(): Command {
  return withNetworkOptions(
    new Command('doctor').description('is this machine fit to run a node: clock, disk, ports, versions, keys'),
  )
    .argument('[folder]', 'folder of a node, to check its configuration, keys, ports and disk')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn doctor                       this machine, and the network named by --network or found here
  $ cairn doctor /var/lib/cairn        also the node in that folder

Exit code 4 when a check fails; warnings do not.`,
    )
    .action(async (folder: string | undefined, options: NetworkOptions & { json?: boolean }) => {
      const checks = await checkMachine(folder ?? null, options);
      const failed = checks.filter((check) => check.verdict === 'bad');
      if (options.json === true) sayJson({ ok: failed.length === 0, checks });
      else for (const check of checks) printCheck(check);
      if (failed.length > 0) {
        throw new CommandFailed({
          code: 'doctor.unfit',
          message: `${failed.length} of ${checks.length} checks failed: ${failed.map((check) => check.name).join(', ')}`,
        });
      }
    });
}

const marks = { good: style('green', 'ok  '), warn: style('yellow', 'warn'), bad: style('red', 'BAD ') };

function printCheck(check: Check): void {
  say(`${marks[check.verdict]}  ${check.name.padEnd(10)} ${check.found}`);
  if (check.advice !== undefined) say(`                  ${check.advice}`);
}
