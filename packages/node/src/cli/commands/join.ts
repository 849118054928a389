import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { toHex } from '@cairn-ledger/core';
import { Command } from 'commander';
import { parseAddress } from '../../config/node-config.ts';
import { decodeInvitation, fingerprintOf, type Invitation, invitationTextMax } from '../../membership/invitation.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { type Joined, joinNetwork } from '../membership/join-network.ts';
import { note, plainText, say, sayJson, style } from '../output.ts';

type JoinOptions = {
  readonly dir: string;
  readonly listen: string;
  readonly address?: string[];
  readonly http?: string;
  readonly full?: boolean;
  readonly host?: string;
  readonly operator?: string;
  readonly person?: string;
  readonly anchor?: string;
  readonly fingerprint?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
};

export function joinCommand(): Command {
  return new Command('join')
    .description('join a network by an invitation: makes keys and the folder of a node, and hands the public keys in')
    .argument('<invitation>', 'the text that `cairn invite` printed, or a file with it; - reads standard input')
    .requiredOption('--dir <folder>', 'folder of the node to be')
    .requiredOption('--listen <host:port>', 'where this machine listens for the other nodes')
    .option('--address <host:port...>', 'where the other nodes reach it (default: as --listen)')
    .option('--http <host:port>', 'where its HTTP listens, on this machine only (default: 127.0.0.1, the next port)')
    .option('--full', 'fetch and execute every block, instead of starting from a certified state')
    .option('--host <text>', 'where it runs, shown to all: "Rack 4, Hamburg"')
    .option('--operator <text>', 'who runs it, if not the member itself')
    .option('--person <key file>', 'person key of a new member (default: one is made, keys/person.key)')
    .option('--anchor <file>', 'believe only validators that this trust anchor leads to (`cairn verify --save-anchor`)')
    .option('--fingerprint <digits>', 'what the inviter told you by another way: it must be that of the invitation')
    .option('--yes', 'do not ask whether the fingerprint is right')
    .option('--json', 'print one JSON object; does not ask')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn join maple-1.invitation --dir /var/lib/cairn --listen 0.0.0.0:7700 --address maple.example:7700
  $ cairn join maple-1.invitation --dir node --listen 10.0.0.9:7700 --fingerprint "12345 67890 12345 67890 12345"

The fingerprint is what makes the invitation trustworthy: ask whoever invited you for it by another way, best by voice.
If it fails on the way, run it again: the keys that were made are used.`,
    )
    .action(async (source: string, options: JoinOptions) => {
      const invitation = orFail(decodeInvitation(await readInvitationText(source)));
      await confirmFingerprint(invitation, options);
      const joined = orFail(
        await joinNetwork(invitation, {
          dir: options.dir,
          ...addressesOf(options),
          sync: options.full === true ? 'full' : 'state',
          ...(options.host !== undefined && { host: options.host }),
          ...(options.operator !== undefined && { operator: options.operator }),
          ...(options.person !== undefined && { personPath: options.person }),
          ...(options.anchor !== undefined && { anchorPath: options.anchor }),
        }),
      );
      if (options.json === true) sayJson({ ...joined, fingerprint: fingerprintOf(invitation) });
      else tellNext(invitation, joined);
    });
}

async function readInvitationText(source: string): Promise<string> {
  if (source.startsWith('cairn-invitation:')) return source;
  try {
    if (source !== '-') return readFileSync(source, 'utf8');
    let text = '';
    for await (const chunk of process.stdin.setEncoding('utf8')) {
      text += chunk;
      if (text.length > invitationTextMax) break;
    }
    return text;
  } catch (error) {
    throw new CommandFailed({
      code: 'usage.unreadable',
      message: `${source} is neither an invitation nor a file that can be read: ${(error as Error).message}`,
    });
  }
}

/** Shows it; goes on only when somebody has compared it, or says so with `--yes`. */
async function confirmFingerprint(invitation: Invitation, options: JoinOptions): Promise<void> {
  const fingerprint = fingerprintOf(invitation);
  if (options.fingerprint !== undefined) {
    if (options.fingerprint.replace(/\D/g, '') === fingerprint.replace(/\D/g, '')) return;
    throw new CommandFailed({
      code: 'join.other-fingerprint',
      message: `the fingerprint of this invitation is ${fingerprint}, and not the one you were told: somebody may have changed it. Do not use it`,
    });
  }
  const { member, memberName, validator, network, ledgerHash, inviter } = invitation;
  note(`Invitation to "${plainText(network)}", from ${inviter}`);
  note(
    `  validator    ${validator} of ${memberName === null ? member : `${member} (${plainText(memberName)}), a new member`}`,
  );
  note(`  ledger       ${toHex(ledgerHash)}`);
  note(`  good until   ${new Date(invitation.expiresSeconds * 1000).toISOString()}`);
  note(`  fingerprint  ${style('bold', fingerprint)}`);
  if (options.yes === true) return;
  if (options.json === true || !process.stdin.isTTY) {
    throw new CommandFailed({
      code: 'usage.no-fingerprint',
      message: 'compare the fingerprint with the inviter, and give it as --fingerprint "...", or --yes',
    });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question('Is this the fingerprint that the inviter told you by another way? [y/N] ');
  lines.close();
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new CommandFailed({
    code: 'join.not-confirmed',
    message: 'nothing was done. Ask the inviter for the fingerprint',
  });
}

function addressesOf({ listen, address, http }: JoinOptions) {
  const parsed = addressOf('--listen', listen);
  const isWildcard = parsed.host === '0.0.0.0' || parsed.host === '::';
  if (isWildcard && address === undefined) {
    throw new CommandFailed({
      code: 'usage.bad-address',
      message: `--listen ${listen} is every address of this machine: say with --address where the others reach it`,
    });
  }
  for (const each of address ?? []) addressOf('--address', each);
  const httpAddress = http === undefined ? { host: '127.0.0.1', port: parsed.port + 1 } : addressOf('--http', http);
  if (httpAddress.port > 65_535)
    throw new CommandFailed({
      code: 'usage.bad-address',
      message: 'there is no port above 65535: choose one with --http',
    });
  return { listen: parsed, addresses: address ?? [listen], http: httpAddress };
}

function addressOf(option: string, text: string) {
  const address = parseAddress(text);
  if (address !== null) return address;
  throw new CommandFailed({ code: 'usage.bad-address', message: `${option} ${text}: write it as host:port` });
}

function tellNext(invitation: Invitation, joined: Joined): void {
  say(`${style('green', 'The request is handed in')}, and the folder of ${joined.validator} is ready: ${joined.dir}`);
  say(`  ledger  ${joined.ledger} (the genesis has this hash, as the invitation says)`);
  say(`  keys    ${joined.dir}/keys: back them up, everything else can be fetched again`);
  if (joined.personKey !== null && existsSync(joined.personKey))
    say(
      `  person  ${joined.personKey}: signs for ${invitation.member}, its votes among others; keep it apart from the node`,
    );
  say('');
  say('Next:');
  say(`  1. ${invitation.inviter} proposes it (cairn propose --join ${joined.id}), and the members vote.`);
  say(`  2. Here:  cairn node ${joined.dir}`);
  say(
    '     It may run from now on: it is let in once the members have agreed, follows the ledger, says that it is ready, and',
  );
  say('     validates from the next epoch on. Nobody else restarts anything.');
  say(`  3. cairn status --network ${joined.dir}/network.json    shows how far it is`);
}
