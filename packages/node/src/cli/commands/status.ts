import { quorum, resilienceOf } from '@cairn-ledger/core';
import type { Client, StatusAnswer, ValidatorAnswer } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import { concentrationsOf } from '../../concentration.ts';
import type { NetworkNode } from '../../config/network-file.ts';
import { CommandFailed } from '../exit-code.ts';
import type { MembershipAnswer, StandingAnswer } from '../membership/answers.ts';
import { connectEach, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { grouped, say, sayJson, style, tableLines } from '../output.ts';
import { concentrationText, concentrationWarnings, presentText, resilienceText, standingTexts } from '../resilience.ts';

const TIMEOUT_MS = 3_000;

type NodeReport = { readonly node: NetworkNode; readonly status: StatusAnswer | null; readonly error: string | null };

export function statusCommand(): Command {
  return withNetworkOptions(
    new Command('status').description('what the nodes of the network say, and how many faults it withstands'),
  )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn status
  $ cairn status --node https://alder.example:7701 --json`,
    )
    .action(async (options: NetworkOptions & { json?: boolean }) => {
      const connected = connectEach(options, TIMEOUT_MS);
      const reports = await Promise.all(connected.map(({ node, client }) => askNode(node, client)));
      const answering = connected.find((_, i) => reports[i]!.status !== null);
      const network = answering === undefined ? noNetwork : await askNetwork(answering.client);
      if (options.json === true) printJson(reports, network);
      else printText(reports, network);
      if (reports.every((report) => report.status === null)) {
        throw new CommandFailed({
          code: 'client.unreachable',
          message: 'no node answers. Is the network running? `cairn dev` starts one on this machine.',
        });
      }
    });
}

/** What one node says of the present validators; empty lists for what it does not answer. */
type NetworkReport = {
  readonly validators: readonly ValidatorAnswer[];
  readonly standings: readonly StandingAnswer[];
};

const noNetwork: NetworkReport = { validators: [], standings: [] };

async function askNetwork(client: Client): Promise<NetworkReport> {
  const [validators, membership] = await Promise.all([
    client.validators(),
    client.get<MembershipAnswer>('/v1/membership'),
  ]);
  return {
    validators: validators.ok ? validators.value : [],
    standings: membership.ok ? (membership.value?.validators ?? []) : [],
  };
}

async function askNode(node: NetworkNode, client: Client): Promise<NodeReport> {
  const status = await client.status();
  return status.ok ? { node, status: status.value, error: null } : { node, status: null, error: status.error.code };
}

/** Validators that are out of order now, as far as the nodes asked know: out of sync, out of reach of all, or proven faulty. */
function faultyOf(reports: readonly NodeReport[], validators: readonly ValidatorAnswer[]): string[] {
  const answers = reports.flatMap(({ status }) => status ?? []);
  const well = new Set(answers.filter(({ inSync }) => inSync).map(({ node }) => node.id));
  const asked = new Set(answers.map(({ node }) => node.id));
  for (const { peers } of answers) for (const { id, connected } of peers) if (connected && !asked.has(id)) well.add(id);
  for (const { suspended } of answers) for (const id of suspended) well.delete(id);
  return validators.map(({ id }) => id).filter((id) => !well.has(id));
}

function printJson(reports: readonly NodeReport[], { validators, standings }: NetworkReport): void {
  const seen = reports.find((report) => report.status !== null)?.status;
  const count = validators.length > 0 ? validators.length : seen?.validators;
  sayJson({
    ledger: seen?.ledger ?? null,
    epoch: seen?.epoch ?? null,
    validators: count ?? null,
    resilience: count === undefined ? null : resilienceOf(count),
    outOfOrder: seen ? faultyOf(reports, validators) : null,
    suspended: seen?.suspended ?? null,
    standings: standings.map(({ id, state, causes, sinceHeight }) => ({ id, state, causes, sinceHeight })),
    concentrations: concentrationsOf(validators),
    warnings: concentrationWarnings(validators),
    nodes: reports.map(({ node, status, error }) => ({
      id: node.id,
      http: node.http,
      ...(error !== null && { error }),
      status,
    })),
  });
}

function printText(reports: readonly NodeReport[], { validators, standings }: NetworkReport): void {
  const seen = reports.find((report) => report.status !== null)?.status;
  if (seen) {
    const count = validators.length > 0 ? validators.length : seen.validators;
    say(
      `${style('bold', seen.ledger.name)}  ledger ${seen.ledger.hash.slice(0, 16)}  epoch ${seen.epoch}  ${count} validators, quorum ${quorum(count)}`,
    );
    say(resilienceText(count));
    if (validators.length > 0) say(presentText(count, faultyOf(reports, validators).length));
    if (standings.length > 0) for (const text of standingTexts(standings)) say(style('yellow', text));
    else if (seen.suspended.length > 0) say(style('yellow', `their views are skipped: ${seen.suspended.join(', ')}`));
    const fenced = reports.filter(({ status }) => status?.mode === 'fenced').map(({ node }) => node.id);
    if (fenced.length > 0) say(style('red', `fenced, sign nothing: ${fenced.join(', ')}`));
    for (const text of partialTexts(reports)) say(style('yellow', text));
    const concentration = concentrationText(validators);
    if (concentration !== null) say(concentration);
    for (const warning of concentrationWarnings(validators)) say(style('red', warning));
    say('');
  }
  const head = [
    'node',
    'http',
    'mode',
    'height',
    'certified',
    'transactions',
    'readings',
    'peers',
    'history root',
    'state root',
  ];
  for (const line of tableLines(head, reports.map(nodeRow))) say(line);
  const heights = new Map<number, Set<string>>();
  for (const { status } of reports) {
    if (!status) continue;
    const roots = heights.get(status.executedHeight) ?? new Set();
    heights.set(status.executedHeight, roots.add(`${status.historyRoot} ${status.stateRoot}`));
  }
  if ([...heights.values()].some((roots) => roots.size > 1)) {
    say('');
    say(style('red', 'Nodes at the same height have different roots: one of them has been damaged or tampered with.'));
  }
}

/** A line for each node that does not hold the whole history. */
function partialTexts(reports: readonly NodeReport[]): string[] {
  return reports.flatMap(({ node, status }) => {
    const heldFrom = status?.heldFrom ?? 0;
    return heldFrom === 0
      ? []
      : [`${node.id}: History held from block ${grouped(heldFrom)}, the rest is being fetched`];
  });
}

function nodeRow({ node, status, error }: NodeReport): string[] {
  if (status === null) return [node.id, node.http, error ?? 'unreachable'];
  return [
    node.id,
    node.http,
    status.inSync ? status.mode : `${status.mode}, behind`,
    grouped(status.executedHeight),
    grouped(status.certifiedHeight),
    grouped(status.transactions),
    grouped(status.readings),
    `${status.peers.filter((peer) => peer.connected).length}/${status.validators - 1}`,
    status.historyRoot.slice(0, 8),
    status.stateRoot.slice(0, 8),
  ];
}
