import { writeFileSync } from 'node:fs';
import { isName } from '@cairn-ledger/core';
import { Command } from 'commander';
import type { Static } from 'typebox';
import type { issuedInvitationSchema } from '../../http/membership-schemas.ts';
import { decodeInvitation, invitationLines, isNodeUrl } from '../../membership/invitation.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { type InvitationAnswer, type OneNode, oneNode } from '../membership/answers.ts';
import { type NetworkOptions, withNetworkOptions } from '../network.ts';
import { say, sayJson, style, tableLines } from '../output.ts';
import { parseDuration } from '../parse.ts';

export type InviteOptions = NetworkOptions & {
  readonly name?: string;
  readonly expires: number;
  readonly out?: string;
  readonly http?: string[];
  readonly list?: boolean;
  readonly cancel?: string;
  readonly json?: boolean;
};

type Issued = Static<typeof issuedInvitationSchema>;

export function inviteCommand(): Command {
  return withNetworkOptions(
    new Command('invite').description('invite somebody to run a validator: a text with a secret, good for one node'),
  )
    .argument('[member/validator]', 'member that it votes for, and id of the validator to be')
    .option('--name <text>', 'display name of a member that is new')
    .option('--expires <time>', 'how long it is good: 30m, 24h, 7d', parseDuration, 86_400)
    .option('--http <url...>', 'where the joiner reaches this node by HTTP (default: the URL used here)')
    .option('--out <file>', 'write the invitation to a file (0600) instead of showing it')
    .option('--list', 'invitations of this node, and requests to join that wait')
    .option('--cancel <id>', 'forget an invitation, or a request to join')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn invite maple/maple-1 --name "Maple Ltd."
  $ cairn invite alder/alder-2 --expires 2h --http https://alder.example:7701 --out alder-2.invitation
  $ cairn invite --list
  $ cairn invite --cancel 3f9a01bc

Hand the text over by mail or chat, and compare the fingerprint by another way (a call). Who has the text can hand in keys, once;
whether the validator is taken in is voted on by the members (\`cairn propose --join\`, \`cairn vote\`).
The node asked needs a token with the role operate, unless it is on this machine.`,
    )
    .action(async (name: string | undefined, options: InviteOptions) => {
      const node = oneNode(options);
      if (options.list === true) return listInvitations(node, options);
      if (options.cancel !== undefined) return cancelInvitation(node, options.cancel, options);
      await invite(node, readName(name), options);
    });
}

async function invite(
  node: OneNode,
  { member, validator }: { member: string; validator: string },
  options: InviteOptions,
): Promise<void> {
  const urls = options.http ?? [new URL(node.url).origin];
  const wrong = urls.find((url) => !isNodeUrl(url));
  if (wrong !== undefined) {
    throw new CommandFailed({
      code: 'usage.bad-url',
      message: `--http ${wrong}: give the bare address of a node, like https://alder.example:7701`,
    });
  }
  const { name, expires: expiresSeconds } = options;
  const body = { member, validator, expiresSeconds, urls, ...(name !== undefined && { name }) };
  const issued = orFail(await node.client.post<Issued>('/v1/invitations', body));
  // What the node made is read as the joiner will read it.
  const invitation = orFail(decodeInvitation(String(issued.text)));
  if (options.out !== undefined) writeInvitation(options.out, `${invitationLines(invitation).join('\n')}\n`);
  if (options.json === true) {
    const { text, ...shown } = issued;
    return sayJson({
      node: node.id,
      member,
      validator,
      ...shown,
      ...(options.out === undefined ? { text } : { file: options.out }),
    });
  }
  const whose =
    invitation.memberName === null ? `of ${member}` : `of the new member ${member} (${invitation.memberName})`;
  say(`Invitation ${issued.id} for validator ${validator} ${whose}, good once, until ${issued.expires}.`);
  say('');
  if (options.out !== undefined) say(`It is in ${options.out}. Hand the file over.`);
  else {
    say('Hand this over:');
    say('');
    for (const line of invitationLines(invitation)) say(line);
  }
  say('');
  say('Compare this fingerprint with who got it, by another way than the text went:');
  say(`  ${style('bold', issued.fingerprint)}`);
  say('');
  say('Next:');
  say('  1. They run:  cairn join <invitation> --dir <folder> --listen <host:port>');
  say(`  2. You run:   cairn propose --join ${issued.id}     and the members vote`);
}

async function listInvitations(node: OneNode, options: InviteOptions): Promise<void> {
  const { invitations } = orFail(
    await node.client.get<{ invitations: readonly InvitationAnswer[] }>('/v1/invitations'),
  );
  if (options.json === true) return sayJson({ node: node.id, invitations });
  if (invitations.length === 0) return say(`${node.id} has given out no invitations.`);
  const rows = invitations.map(({ id, member, validator, state, expires, joined, request }) => [
    id,
    `${member}/${validator}`,
    state,
    joined ?? expires,
    request?.addresses[0] ?? '',
  ]);
  for (const line of tableLines(['id', 'validator', 'state', 'joined or expires', 'address'], rows)) say(line);
}

async function cancelInvitation(node: OneNode, id: string, options: InviteOptions): Promise<void> {
  if (!/^[0-9a-f]{8}$/.test(id))
    throw new CommandFailed({
      code: 'usage.bad-invitation',
      message: `--cancel ${id}: an invitation is 8 hexadecimal digits`,
    });
  orFail(await node.client.post(`/v1/invitations/${id}/cancel`, {}));
  if (options.json === true) sayJson({ node: node.id, cancelled: id });
  else say(`${id} is forgotten: its secret lets nobody in any more.`);
}

function readName(name: string | undefined): { member: string; validator: string } {
  const [member = '', validator = '', ...rest] = (name ?? '').split('/');
  if (isName(member) && isName(validator) && rest.length === 0) return { member, validator };
  throw new CommandFailed({
    code: 'usage.bad-validator',
    message: 'name member and validator as <member>/<validator>, for example maple/maple-1',
  });
}

function writeInvitation(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new CommandFailed({
      code: 'usage.unwritable',
      message: `${path} cannot be written: ${(error as Error).message}`,
    });
  }
}
