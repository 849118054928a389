/**
 * The `cairn` command: one module per verb in `commands/`. A command prints its result on standard output and everything
 * else on standard error; it ends by throwing `CommandFailed`, which becomes a message that says what to do, and an exit
 * code (`exit-code.ts`).
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { CommandFailed, exitCodes, exitCodesHelp } from './exit-code.ts';
import { jsonText, note } from './output.ts';

/** One module per verb, in the order of the help. */
const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./commands/dev.ts')).devCommand(),
  init: async () => (await import('./commands/init.ts')).initCommand(),
  node: async () => (await import('./commands/node.ts')).nodeCommand(),
  gateway: async () => (await import('./commands/gateway.ts')).gatewayCommand(),
  invite: async () => (await import('./commands/invite.ts')).inviteCommand(),
  join: async () => (await import('./commands/join.ts')).joinCommand(),
  members: async () => (await import('./commands/members.ts')).membersCommand(),
  propose: async () => (await import('./commands/propose.ts')).proposeCommand(),
  vote: async () => (await import('./commands/vote.ts')).voteCommand(),
  restart: async () => (await import('./commands/restart.ts')).restartCommand(),
  recertify: async () => (await import('./commands/recertify.ts')).recertifyCommand(),
  fence: async () => (await import('./commands/fence.ts')).fenceCommand(),
  events: async () => (await import('./commands/events.ts')).eventsCommand(),
  key: async () => (await import('./commands/key.ts')).keyCommand(),
  device: async () => (await import('./commands/device.ts')).deviceCommand(),
  send: async () => (await import('./commands/send.ts')).sendCommand(),
  feed: async () => (await import('./commands/feed.ts')).feedCommand(),
  show: async () => (await import('./commands/show.ts')).showCommand(),
  readings: async () => (await import('./commands/readings.ts')).readingsCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
  audit: async () => (await import('./commands/audit.ts')).auditCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  drill: async () => (await import('./commands/drill.ts')).drillCommand(),
};

/** The command of a verb alone, so that a node need not hold the others in memory; all of them for help and mistakes. */
export async function loadCommands(verb: string | undefined): Promise<Command[]> {
  const isVerb = verb !== undefined && Object.hasOwn(loaders, verb);
  return Promise.all((isVerb ? [loaders[verb]!] : Object.values(loaders)).map((load) => load()));
}

/** @param args what follows `cairn` on the command line */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietlyOnClosedPipe);
  try {
    const program = createProgram(await loadCommands(args[0]));
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, args.includes('--json'));
    // Connections kept alive must not hold a command that has ended.
    if (process.exitCode !== exitCodes.done) process.exit();
  }
}

export function createProgram(commands: readonly Command[]): Command {
  const program = new Command('cairn')
    .description('A shared ledger for devices: sign readings and payments, agree on them, prove what was recorded.')
    .version(versionText(), '-V, --version')
    .exitOverride()
    // A command and those under it may have options of the same name.
    .enablePositionalOptions()
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
