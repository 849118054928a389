import { quorum, resilienceOf } from '@cairn-ledger/core';
import type { StatusAnswer } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import type { NetworkNode } from '../../config/network-file.ts';
import { CommandFailed } from '../exit-code.ts';
import { connectEach, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { grouped, say, sayJson, style, tableLines } from '../output.ts';
import { resilienceText } from '../resilience.ts';

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
      const reports = await Promise.all(
        connectEach(options, TIMEOUT_MS).map(({ node, client }) => askNode(node, client)),
      );
      if (options.json === true) printJson(reports);
      else printText(reports);
      if (reports.every((report) => report.status === null)) {
        throw new CommandFailed({
          code: 'client.unreachable',
          message: 'no node answers. Is the network running? `cairn dev` starts one on this machine.',
        });
      }
    });
}

async function askNode(
  node: NetworkNode,
  client: ReturnType<typeof connectEach>[number]['client'],
): Promise<NodeReport> {
  const status = await client.status();
  return status.ok ? { node, status: status.value, error: null } : { node, status: null, error: status.error.code };
}

function printJson(reports: readonly NodeReport[]): void {
  const seen = reports.find((report) => report.status !== null)?.status;
  sayJson({
    ledger: seen?.ledger ?? null,
    validators: seen?.validators ?? null,
    resilience: seen ? resilienceOf(seen.validators) : null,
    nodes: reports.map(({ node, status, error }) => ({
      id: node.id,
      http: node.http,
      ...(error !== null && { error }),
      status,
    })),
  });
}

function printText(reports: readonly NodeReport[]): void {
  const seen = reports.find((report) => report.status !== null)?.status;
  if (seen) {
    say(
      `${style('bold', seen.ledger.name)}  ledger ${seen.ledger.hash.slice(0, 16)}  epoch ${seen.epoch}  ${seen.validators} validators, quorum ${quorum(seen.validators)}`,
    );
    say(resilienceText(seen.validators));
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
