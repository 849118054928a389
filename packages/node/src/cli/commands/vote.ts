import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import type { DecidedAnswer } from '../membership/answers.ts';
import { changeLine } from '../membership/change-line.ts';
import {
  castVote,
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
import { withVotingOptions } from '../membership/voting-options.ts';
import { connect } from '../network.ts';
import { say, sayJson, style } from '../output.ts';

type VoteOptions = VotingOptions & { readonly yes?: boolean; readonly no?: boolean };

export function voteCommand(): Command {
  return withVotingOptions(
    new Command('vote')
      .description('vote on a proposal, as a person of a member; voting again replaces the vote')
      .argument('<proposal>', 'id of the proposal, or its beginning; `cairn members` shows them')
      .option('--yes', 'for it')
      .option('--no', 'against it'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ cairn vote 5f1c09ab --yes --key alder.person.key
  $ cairn vote 5f1c09ab --no
  $ cairn vote 5f1c09ab --yes --all-members      in a development network: every member

Every member has one vote, whichever of its persons casts it.`,
    )
    .action(async (text: string, options: VoteOptions) => {
      if ((options.yes === true) === (options.no === true))
        throw new CommandFailed({ code: 'usage.no-vote', message: 'say --yes or --no' });
      const isYes = options.yes === true;
      const client = connect(options);
      const id = await findProposal(client, text);
      if (isYes) {
        const { change } = orFail(await proposalOf(client, id));
        if (change.kind === 'change-rules') requireKnownRules(change.rules);
      }
      const voters = options.allMembers === true ? personKeysOf(options) : null;
      const voting = votingOf(client, voters === null ? options : { ...options, key: options.key ?? voters[0]!.path });
      const votes = voters === null ? 1 : await voteOfAll(voting, voters, id, isYes);
      if (voters === null && orFail(await castVote(voting, voting.key, id, isYes)) === 'closed') {
        const { outcome } = orFail(await proposalOf(client, id));
        throw new CommandFailed({
          code: 'proposal.closed',
          message: `proposal ${id.slice(0, 16)} is ${outcome}; votes no longer count`,
        });
      }
      const proposal = orFail(options.wait === true ? await waitDecided(voting, id) : await proposalOf(client, id));
      print(proposal, { isYes, votes, json: options.json === true });
      if (options.wait === true) requirePassed(proposal);
    });
}

/** An id, or the beginning of that of one open proposal. */
async function findProposal(client: ReturnType<typeof connect>, text: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  if (!/^[0-9a-f]{4,63}$/.test(text)) {
    throw new CommandFailed({
      code: 'usage.bad-proposal',
      message: 'a proposal is named by its 64 hexadecimal digits, or the first 4 or more of them',
    });
  }
  const { proposals } = await membershipOf(client);
  const found = proposals.filter(({ id }) => id.startsWith(text));
  if (found.length === 1) return found[0]!.id;
  throw new CommandFailed({
    code: 'usage.bad-proposal',
    message: `${found.length === 0 ? 'no' : 'more than one'} open proposal begins with ${text}; \`cairn members\` lists them`,
  });
}

function print(
  proposal: DecidedAnswer,
  { isYes, votes, json }: { isYes: boolean; votes: number; json: boolean },
): void {
  if (json) return sayJson({ votes, isYes, proposal });
  say(
    `${votes === 1 ? 'voted' : `${votes} voted`} ${isYes ? 'yes' : 'no'} on ${proposal.id.slice(0, 16)}: ${changeLine(proposal.change)}`,
  );
  say(decisionLine(proposal));
}

export function decisionLine({ outcome, yes, no, votesNeeded }: DecidedAnswer): string {
  const counted = `${yes.length} yes, ${no.length} no, ${votesNeeded} yes are needed`;
  if (outcome === 'open') return `It is open: ${counted}.`;
  return `It is ${style(outcome === 'passed' ? 'green' : 'red', outcome)}: ${counted}.`;
}
