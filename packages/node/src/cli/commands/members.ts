import { Command } from 'commander';
import { type InvitationAnswer, type MembershipAnswer, oneNode, type StandingAnswer } from '../membership/answers.ts';
import { changeLine } from '../membership/change-line.ts';
import { membershipOf } from '../membership/decide.ts';
import { type NetworkOptions, withNetworkOptions } from '../network.ts';
import { plainText, say, sayJson, style, tableLines } from '../output.ts';

export function membersCommand(): Command {
  return withNetworkOptions(
    new Command('members').description('who belongs to the network, how validators stand, and what is voted on'),
  )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn members
  $ cairn members --node https://alder.example:7701 --json

Requests to join wait at the node that gave out the invitation; they are shown when that one is asked, with the role operate.`,
    )
    .action(async (options: NetworkOptions & { readonly json?: boolean }) => {
      const node = oneNode(options);
      const membership = await membershipOf(node.client);
      // Only who operates the node may see them; for everybody else there are none to see.
      const asked = await node.client.get<{ invitations: readonly InvitationAnswer[] }>('/v1/invitations');
      const waiting = asked.ok ? asked.value.invitations.filter((each) => isWaiting(each, membership)) : [];
      if (options.json === true) sayJson({ node: node.id, ...membership, waiting });
      else print(membership, waiting);
    });
}

/** Handed in, and its validator stands nowhere yet. */
function isWaiting({ state, request }: InvitationAnswer, { validators }: MembershipAnswer): boolean {
  return state === 'waiting' && !validators.some(({ linkKey }) => linkKey === request?.linkKey);
}

function print(membership: MembershipAnswer, waiting: readonly InvitationAnswer[]): void {
  const { members, validators, proposals, guests, votesNeeded, epoch, height, isChanging } = membership;
  say(`${members.length} members, epoch ${epoch}, height ${height}; a proposal passes with ${votesNeeded} yes`);
  if (isChanging) say(style('yellow', 'A change is decided, and comes with the next epoch.'));
  say('');
  const rows = members.flatMap(({ id, name }) => {
    const own = validators.filter(({ member }) => member === id);
    return own.length === 0
      ? [[id, name, '', '', '']]
      : own.map((validator) => [id, name, ...validatorCells(validator)]);
  });
  for (const line of tableLines(['member', 'name', 'validator', 'state', 'runs at'], rows)) say(plainText(line));
  if (guests.length > 0) say(`\nguests, linked and not voting: ${guests.join(', ')}`);
  if (proposals.length > 0) say('\nopen proposals');
  for (const { id, member, change, yes, no } of proposals) {
    const missing = Math.max(0, votesNeeded - yes.length);
    say(`  ${style('bold', id.slice(0, 8))}  ${changeLine(change)}`);
    say(
      `            by ${member}; yes: ${yes.join(', ') || 'nobody'}${no.length === 0 ? '' : `; no: ${no.join(', ')}`}; ${missing} missing`,
    );
    say(`            cairn vote ${id.slice(0, 8)} --yes`);
  }
  if (waiting.length > 0) say('\nwaiting to join');
  for (const { id, member, memberName, validator, joined, request } of waiting) {
    say(
      `  ${style('bold', id)}  ${validator} of ${member}${memberName === undefined ? '' : ` (${plainText(memberName)}, new)`} at ${request?.addresses.join(', ')}, since ${joined}`,
    );
    say(`            cairn propose --join ${id}`);
  }
}

function validatorCells({ id, state, causes, addresses, host, operator }: StandingAnswer): string[] {
  const where = [host, operator].filter((text) => text !== undefined).join(', ');
  return [
    id,
    causes.length === 0 ? state : `${state}: ${causes.join(', ')}`,
    where === '' ? (addresses[0] ?? '') : where,
  ];
}
