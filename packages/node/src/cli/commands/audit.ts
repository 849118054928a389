import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command } from 'commander';
import { type AuditOptions, type AuditReport, auditFolder, replayTransactionsMax } from '../../audit/audit.ts';
import type { Finding, Place } from '../../audit/finding.ts';
import { auditNode, type RemoteAuditReport } from '../../audit/remote-audit.ts';
import { CommandFailed, exitCodes } from '../exit-code.ts';
import { genesisOf, nodesOf, tokenOf } from '../network.ts';
import { grouped, note, say, sayJson, style } from '../output.ts';
import { parsePositive } from '../parse.ts';
import { readAnchorFile } from '../receipt-files.ts';

type Options = {
  readonly replay?: boolean;
  readonly recent?: number;
  readonly genesis?: string;
  readonly rate?: number;
  readonly json?: boolean;
  readonly node?: string;
  readonly network?: string;
  readonly anchor?: string;
  readonly token?: string;
  readonly limit: number;
};

/** A day's reading at 1 MiB a second would be 84 GiB; whoever wants so much says so. */
const limitMiBDefault = 10_240;

export function auditCommand(): Command {
  return new Command('audit')
    .description('verify everything that a node has, from the genesis and signatures alone: a folder, or over HTTP')
    .argument('[folder]', 'folder of a stopped node')
    .option('--node <url|id>', 'a node that runs, in place of a folder: what it says it has is downloaded and verified')
    .option('--network <file>', 'network file that names the node and the genesis (default: as for other commands)')
    .option('--anchor <file>', 'with --node: its epochs must lead through this anchor (see `cairn verify`)')
    .option('--token <token>', 'with --node: bearer token (default: $CAIRN_TOKEN)')
    .option('--limit <MiB>', 'with --node: download at most so much', parsePositive, limitMiBDefault)
    .option('--replay', 'execute all blocks again and compare every row, however long the chain is')
    .option('--no-replay', 'leave that out')
    .option('--recent <heights>', 'only the last heights', parsePositive)
    .option(
      '--genesis <file>',
      'genesis from a source you trust (default: the one in the folder, or of the network file)',
    )
    .option('--rate <MiB>', 'read at most so many MiB per second', parsePositive)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn audit /var/lib/cairn                 all of it
  $ cairn audit /var/lib/cairn --recent 1000   the last 1,000 heights, the state and the journal
  $ cairn audit --node https://n2.example:8443 --genesis genesis.cbor    another one, without trusting its machine

Without --replay or --no-replay chains of up to ${grouped(replayTransactionsMax)} transactions, and those whose
tip is not certified, are executed again; that needs as much
room for temporary files as the databases have. Nothing is written into the folder.
Of a node that runs elsewhere blocks, finalizations, batches, certified checkpoints, the history and the proofs of all epochs
are verified; its state in the moment, view, journal and keys cannot be asked for.
Exit codes: 0 sound, 1 damaged, 2 it cannot be audited (no node's folder, or the node runs; it does not answer).`,
    )
    .action(async (folder: string | undefined, options: Options) => {
      if ((folder === undefined) === (options.node === undefined)) {
        const message = 'give the folder of a stopped node, or --node for one that runs, and not both';
        throw new CommandFailed({ code: 'usage.nothing-to-audit', message });
      }
      if (folder === undefined) return auditRemote(options);
      const audited = await auditFolder(folder, { ...optionsOf(options), onProgress: progressOf(options) });
      if (!audited.ok) throw new CommandFailed(audited.error, exitCodes.usage);
      const report = audited.value;
      if (options.json === true) sayJson(report);
      else printReport(report);
      endIfDamaged(report, report.folder);
    });
}

async function auditRemote(options: Options): Promise<void> {
  const { recent, rate, limit, anchor } = options;
  const node = nodesOf({ ...options, node: [options.node!] })[0]!;
  const isTold = options.json !== true && process.stderr.isTTY;
  const audited = await auditNode({
    url: node.http,
    ...tokenOf({ ...(options.token !== undefined && { token: options.token }) }),
    genesis: options.genesis === undefined ? genesisOf(networkOf(options)).bytes : readGenesis(options.genesis),
    downloadMax: limit * 2 ** 20,
    ...(anchor !== undefined && { anchor: readAnchorFile(anchor) }),
    ...(recent !== undefined && { recent }),
    ...(rate !== undefined && { maxBytesPerSecond: rate * 2 ** 20 }),
    onProgress: (height, of) => {
      if (isTold) note(`chain: height ${grouped(height)} of ${grouped(of)} ...`);
    },
  });
  if (!audited.ok) throw new CommandFailed(audited.error, exitCodes.usage);
  const report = audited.value;
  if (options.json === true) sayJson(report);
  else printRemoteReport(report);
  endIfDamaged(report, report.node);
}

function networkOf({ network }: Options): { readonly network?: string } {
  return network === undefined ? {} : { network };
}

function endIfDamaged(report: Pick<AuditReport, 'isSound' | 'findingsByClass'>, what: string): void {
  if (report.isSound) return;
  throw new CommandFailed(
    { code: 'audit.damaged', message: `${what} is damaged: ${countsText(report)}` },
    exitCodes.failed,
  );
}

function optionsOf({ replay, recent, genesis, rate }: Options): AuditOptions {
  return {
    ...(replay !== undefined && { replay }),
    ...(recent !== undefined && { recent }),
    ...(genesis !== undefined && { genesis: readGenesis(genesis) }),
    ...(rate !== undefined && { maxBytesPerSecond: rate * 2 ** 20 }),
  };
}

function readGenesis(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const message = `${path} cannot be read: ${(error as Error).message}`;
    throw new CommandFailed({ code: 'usage.unreadable', message });
  }
}

function progressOf({ json }: Options): NonNullable<AuditOptions['onProgress']> {
  if (json === true || !process.stderr.isTTY) return () => undefined;
  return ({ part, height }) => note(height === undefined ? `${part} ...` : `${part}: height ${grouped(height)} ...`);
}

function printReport(report: AuditReport): void {
  const { checked } = report;
  printChecked(report);
  if (checked.toHeight >= 0) {
    say(`results     ${checked.isReplayed ? 'all blocks executed again, every row compared' : 'not executed again'}`);
    say(`state       ${grouped(checked.stateEntries)} entries`);
  }
  say(`journal     ${grouped(checked.journalRecords)} records`);
  say(`read        ${readText(report)}`);
  printFindings(report);
}

function printRemoteReport(report: RemoteAuditReport): void {
  say(`node        ${report.node}`);
  printChecked(report);
  say(`downloaded  ${readText(report)}`);
  printFindings(report);
}

function readText({ bytes, seconds }: Pick<AuditReport, 'bytes' | 'seconds'>): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(1)} s`;
}

function printChecked({ checked, ...report }: Pick<AuditReport, 'ledgerHash' | 'checked'>): void {
  say(`ledger      ${report.ledgerHash ?? 'unknown: there is no genesis to trust'} (hash of the genesis)`);
  if (checked.toHeight >= 0) {
    say(
      `heights     ${grouped(checked.fromHeight)} to ${grouped(checked.toHeight)}, certified up to ${checked.certifiedHeight < 0 ? 'none' : grouped(checked.certifiedHeight)}`,
    );
    say(
      `checked     ${grouped(checked.blocks)} blocks, ${grouped(checked.batches)} batches, ${grouped(checked.transactions)} transactions, ${grouped(checked.signatures)} signatures of validators`,
    );
  }
}

function printFindings({
  notes,
  findings,
  findingsCount,
  isSound,
}: Pick<AuditReport, 'notes' | 'findings' | 'findingsCount' | 'isSound'>): void {
  for (const each of notes) say(`${style('yellow', 'note')}        ${findingText(each)}`);
  for (const each of findings) say(`${style('red', 'DAMAGED')}     ${findingText(each)}`);
  if (findingsCount > findings.length) say(`            and ${grouped(findingsCount - findings.length)} more`);
  if (isSound) say(style('green', 'sound'));
}

function findingText({ class: kind, code, what, where }: Finding): string {
  return `${kind}: ${what}${placeText(where)} [${code}]`;
}

function placeText({ file, offset, sequence }: Place): string {
  const parts = [
    ...(file === undefined ? [] : [file]),
    ...(offset === undefined ? [] : [`byte ${offset}`]),
    ...(sequence === undefined ? [] : [`record ${sequence}`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function countsText({ findingsByClass }: Pick<AuditReport, 'findingsByClass'>): string {
  return Object.entries(findingsByClass)
    .map(([kind, count]) => `${count} x ${kind}`)
    .join(', ');
}
