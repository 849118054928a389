import { type Change, defaultParameters, isName, type Parameters, propose, type Validator } from '@cairn-ledger/core';
import { textToPublicKey } from '@cairn-ledger/sdk';
import { Command, InvalidArgumentError } from 'commander';
import { parseAddress } from '../../config/node-config.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { readNodePublicKeys } from '../founding/node-public-keys.ts';
import type { InvitationAnswer, StandingAnswer } from '../membership/answers.ts';
import { oneNode } from '../membership/answers.ts';
import { changeLine } from '../membership/change-line.ts';
import {
  membershipOf,
  personKeysOf,
  proposalOf,
  requireKnownRules,
  requirePassed,
  type VotingOptions,
  voteOfAll,
  votingOf,
  waitDecided,
} from '../membership/decide.ts';
import { type JoinStep, proposeJoin } from '../membership/propose-join.ts';
import { memberOfKey, settle, signOperation } from '../membership/signed-operation.ts';
import { withVotingOptions } from '../membership/voting-options.ts';
import { connect } from '../network.ts';
import { say, sayJson } from '../output.ts';
import { parsePositive } from '../parse.ts';
import { decisionLine } from './vote.ts';

type Options = VotingOptions & { readonly join?: string };
type KeysOptions = Options & {
  readonly public: string;
  readonly address?: string[];
  readonly host?: string;
  readonly operator?: string;
};

const parameterNames = Object.keys(defaultParameters) as (keyof Parameters)[];

export function proposeCommand(): Command {
  const command = new Command('propose')
    .description('ask the members to decide: on members, validators, parameters, rules')
    .option('--join <id>', 'what was handed in with this invitation: the member if it is new, then its validator');
  withVotingOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ cairn propose --join 3f9a01bc --wait
  $ cairn propose remove alder-2
  $ cairn propose parameters deltaMs=250

A person of a member proposes, and so votes yes. \`cairn members\` shows what is open, \`cairn vote\` votes.`,
    )
    .action(async (options: Options) => {
      if (options.join !== undefined) return proposeJoinOf(options.join, options);
      throw new CommandFailed({
        code: 'usage.nothing-to-propose',
        message: 'name what to propose; `cairn propose --help` lists it',
      });
    });

  const kind = (name: string, about: string, example: string): Command =>
    withVotingOptions(command.command(name).description(about)).addHelpText(
      'after',
      `\nExample:\n  $ cairn propose ${example}`,
    );

  kind('add-member', 'a new member, with its first person key', 'add-member maple ed25519:... --name "Maple Ltd."')
    .argument('<member>', 'its id')
    .argument('<public key>', 'as `cairn key show` prints it')
    .option('--name <text>', 'display name (default: the id)')
    .action(async (member: string, key: string, options: Options & { name?: string }) => {
      const change: Change = {
        type: 'add-member',
        member: nameOf(member),
        name: options.name ?? member,
        ...orFail(textToPublicKey(key)),
      };
      await run(change, options);
    });

  withNodeOptions(
    kind(
      'add-validator',
      'a validator of a member',
      'add-validator maple/maple-1 --public public.json --address maple.example:7700',
    ),
  )
    .argument('<member/validator>', 'member that it votes for, and its id')
    .action(async (name: string, options: KeysOptions) => {
      const [member = '', id = '', ...rest] = name.split('/');
      if (rest.length > 0) nameOf(name);
      await run(
        { type: 'admit-validator', validator: validatorOf(nameOf(id), nameOf(member), null, options) },
        options,
      );
    });

  withNodeOptions(kind('replace-keys', 'new keys for a validator', 'replace-keys alder-1 --public public.json'))
    .argument('<validator>', 'its id')
    .action(async (id: string, options: KeysOptions) => {
      const known = await standingOf(id, options);
      await run({ type: 'admit-validator', validator: validatorOf(id, known.member, known, options) }, options);
    });

  withNodeOptions(
    kind(
      'return',
      'a validator that was removed comes back',
      'return alder-1 --public public.json --address alder.example:7700',
    ),
  )
    .argument('<validator>', 'its id')
    .action(async (id: string, options: KeysOptions) => {
      const known = await standingOf(id, options);
      if (known.state !== 'removed') {
        throw new CommandFailed({
          code: 'usage.not-removed',
          message: `${id} was not removed: it is ${known.state}. New keys for it: cairn propose replace-keys ${id}`,
        });
      }
      await run({ type: 'admit-validator', validator: validatorOf(id, known.member, known, options) }, options);
    });

  kind('remove', 'a validator goes, or is not admitted any more', 'remove alder-2')
    .argument('<validator>', 'its id')
    .action(async (id: string, options: Options) => {
      await standingOf(id, options);
      await run({ type: 'remove-validator', validator: id }, options);
    });

  kind('parameters', 'other parameters; those that are not named stay', 'parameters deltaMs=250 heartbeatMs=5000')
    .argument('<name=value...>', `of ${parameterNames.join(', ')}`)
    .action(async (texts: string[], options: Options) => {
      const { parameters } = await membershipOf(connect(options));
      await run({ type: 'change-parameters', parameters: { ...parameters, ...parametersOf(texts) } }, options);
    });

  kind('rules', 'the next rules, from the next epoch on', 'rules 2')
    .argument('<number>', 'one more than the present number', parsePositive)
    .action(async (rules: number, options: Options) => {
      requireKnownRules(rules);
      await run({ type: 'change-rules', rules }, options);
    });
  return command;
}

function withNodeOptions(command: Command): Command {
  return command
    .requiredOption('--public <file>', 'public.json of the node, as `cairn key new --node` writes it')
    .option('--address <host:port...>', 'where the other nodes reach it', collectAddresses)
    .option('--host <text>', 'where it runs')
    .option('--operator <text>', 'who runs it, if not the member itself');
}

async function run(change: Change, options: Options): Promise<void> {
  const client = connect(options);
  const voters = options.allMembers === true ? personKeysOf(options) : [];
  const voting = votingOf(client, options);
  await memberOfKey(client, voting.key);
  const transaction = await signOperation(voting.ledgerHash, voting.key, propose.toCbor({ change }));
  const id = orFail(await settle(client, transaction, options.timeout * 1000));
  await voteOfAll(voting, voters, id, true);
  const proposal = orFail(options.wait === true ? await waitDecided(voting, id) : await proposalOf(client, id));
  if (options.json === true) sayJson({ proposal });
  else {
    say(`proposed: ${changeLine(proposal.change)}`);
    say(`  ${id}`);
    say(decisionLine(proposal));
    if (proposal.outcome === 'open') say(`  cairn vote ${id.slice(0, 8)} --yes --key <person key of another member>`);
  }
  if (options.wait === true) requirePassed(proposal);
}

async function proposeJoinOf(id: string, options: Options): Promise<void> {
  const node = oneNode(options);
  const { invitations } = orFail(
    await node.client.get<{ invitations: readonly InvitationAnswer[] }>('/v1/invitations'),
  );
  const invited = invitations.find((each) => each.id === id);
  if (invited === undefined) {
    throw new CommandFailed({
      code: 'usage.bad-invitation',
      message: `${node.id} has no invitation ${id}; \`cairn invite --list\` shows those it has, and each node has its own`,
    });
  }
  const voting = votingOf(node.client, options);
  await memberOfKey(node.client, voting.key);
  const steps: JoinStep[] = [];
  await proposeJoin(invited, {
    voting,
    voters: options.allMembers === true ? personKeysOf(options) : [],
    isWaiting: options.wait === true,
    onStep(step) {
      steps.push(step);
      if (options.json !== true) say(stepLine(step));
    },
  });
  if (options.json === true)
    return sayJson({ invitation: id, member: invited.member, validator: invited.validator, steps });
  const last = steps.at(-1);
  if (last?.type === 'proposed') {
    say(`The members vote:  cairn vote ${last.proposal.slice(0, 8)} --yes`);
    if (last.what === 'member') say(`Then, for its validator:  cairn propose --join ${id}`);
  }
}

function stepLine(step: JoinStep): string {
  switch (step.type) {
    case 'proposed':
      return `${step.isNew ? 'proposed' : 'proposed before, and voted for'}: the ${step.what}, ${step.proposal.slice(0, 16)}`;
    case 'member-added':
      return `${step.member} is a member`;
    case 'admitted':
      return `${step.validator} is admitted: it joins with the next epoch once its node runs and is in sync`;
    case 'validating':
      return `${step.validator} is a validator`;
  }
}

async function standingOf(id: string, options: Options): Promise<StandingAnswer> {
  const { validators } = await membershipOf(connect(options));
  const known = validators.find((each) => each.id === nameOf(id));
  if (known !== undefined) return known;
  throw new CommandFailed({
    code: 'validator.unknown',
    message: `there is no validator ${id}; \`cairn members\` lists them`,
  });
}

function validatorOf(id: string, member: string, known: StandingAnswer | null, options: KeysOptions): Validator {
  const keys = orFail(readNodePublicKeys(options.public));
  const addresses = options.address ?? known?.addresses ?? [];
  if (addresses.length === 0)
    throw new CommandFailed({
      code: 'usage.bad-address',
      message: 'say with --address where the other nodes reach it',
    });
  const host = options.host ?? known?.host;
  const operator = options.operator ?? known?.operator;
  return {
    id,
    member,
    linkKey: keys.link.publicKey,
    votingKey: keys.voting.publicKey,
    checkpointKey: keys.checkpoint.publicKey,
    addresses,
    ...(host !== undefined && { host }),
    ...(operator !== undefined && { operator }),
    life: null,
  };
}

function parametersOf(texts: readonly string[]): Partial<Parameters> {
  return Object.fromEntries(
    texts.map((text) => {
      const [name = '', value = ''] = text.split('=');
      const known = parameterNames.find((each) => each === name);
      const number = Number(value);
      if (known !== undefined && /^\d+$/.test(value) && Number.isSafeInteger(number)) return [known, number];
      throw new CommandFailed({
        code: 'usage.bad-parameter',
        message: `${text}: write name=value with a whole number; names are ${parameterNames.join(', ')}`,
      });
    }),
  );
}

function nameOf(text: string): string {
  if (isName(text)) return text;
  throw new CommandFailed({
    code: 'usage.bad-validator',
    message: `${JSON.stringify(text)} is no id: 1 to 32 of a-z, 0-9 and -; a validator is added as <member>/<validator>`,
  });
}

function collectAddresses(text: string, before: string[] | undefined): string[] {
  if (parseAddress(text) === null) throw new InvalidArgumentError('It must be host:port.');
  return [...(before ?? []), text];
}
