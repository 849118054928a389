/** The options of commands that propose and vote. */
import type { Command } from 'commander';
import { withNetworkOptions } from '../network.ts';
import { parsePositive } from '../parse.ts';

export function withVotingOptions(command: Command): Command {
  return withNetworkOptions(command)
    .option('--key <file>', 'person key to sign with (default: $CAIRN_KEY, else the one of a development network)')
    .option('--all-members', 'development network: vote yes or no with the person keys of all members')
    .option('--wait', 'until the members have decided')
    .option('--timeout <seconds>', 'how long to try, and to wait', parsePositive, 120)
    .option('--json', 'print one JSON object');
}
