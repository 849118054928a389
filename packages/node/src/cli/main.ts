/**
 * The `cairn` command: one module per verb in `commands/`. A command prints its result on standard output and everything
 * else on standard error; it ends by throwing `CommandFailed`, which becomes a message that says what to do, and an exit
 * code (`exit-code.ts`).
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { devCommand } from './commands/dev.ts';
import { deviceCommand } from './commands/device.ts';
import { doctorCommand } from './commands/doctor.ts';
import { feedCommand } from './commands/feed.ts';
import { gatewayCommand } from './commands/gateway.ts';
import { initCommand } from './commands/init.ts';
import { keyCommand } from './commands/key.ts';
import { nodeCommand } from './commands/node.ts';
import { readingsCommand } from './commands/readings.ts';
import { sendCommand } from './commands/send.ts';
import { showCommand } from './commands/show.ts';
import { statusCommand } from './commands/status.ts';
import { verifyCommand } from './commands/verify.ts';
import { CommandFailed, exitCodes, exitCodesHelp } from './exit-code.ts';
import { jsonText, note } from './output.ts';

/** @param args what follows `cairn` on the command line */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietlyOnClosedPipe);
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, args.includes('--json'));
    // Connections kept alive must not hold a command that has ended.
    if (process.exitCode !== exitCodes.done) process.exit();
  }
}

export function createProgram(): Command {
  const program = new Command('cairn')
    .description('A shared ledger for devices: sign readings and payments, agree on them, prove what was recorded.')
    .version(versionText(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(--help shows how)')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  $ cairn dev                                   a network of four nodes on this machine
  $ cairn send temperature=21.5:Cel --wait      sign a reading, wait for its receipt
  $ cairn status                                what the nodes say
${exitCodesHelp}`,
    );
  const commands = [
    devCommand(),
    initCommand(),
    nodeCommand(),
    gatewayCommand(),
    keyCommand(),
    deviceCommand(),
    sendCommand(),
    feedCommand(),
    showCommand(),
    readingsCommand(),
    statusCommand(),
    verifyCommand(),
    doctorCommand(),
  ];
  for (const command of commands) {
    inherit(program, command);
    program.addCommand(command);
  }
  return program;
}

/** Commands made apart take over how the program reports errors. */
function inherit(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(command, child);
}

/** Prints why the command failed; returns its exit code. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof CommandFailed) {
    note(json ? jsonText({ error: error.error }) : `cairn: ${error.error.message} [${error.error.code}]`);
    return error.exitCode;
  }
  note(`cairn: a bug of ours: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return exitCodes.failed;
}

/** `cairn readings | head`, or a terminal that was closed, must not end with a stack trace. */
function endQuietlyOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || error.code === 'EIO') process.exit(exitCodes.done);
  throw error;
}

export function versionText(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
