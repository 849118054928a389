import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Command } from 'commander';
import { type AuditOptions, type AuditReport, auditFolder, replayTransactionsMax } from '../../audit/audit.ts';
import type { Finding, Place } from '../../audit/finding.ts';
import { CommandFailed, exitCodes } from '../exit-code.ts';
import { grouped, note, say, sayJson, style } from '../output.ts';
import { parsePositive } from '../parse.ts';

type Options = {
  readonly replay?: boolean;
  readonly recent?: number;
  readonly genesis?: string;
  readonly rate?: number;
  readonly json?: boolean;
};

export function auditCommand(): Command {
  return new Command('audit')
    .description('verify everything that a stopped node has on disk, from the genesis and signatures alone')
    .argument('<folder>', 'folder of the node')
    .option('--replay', 'execute all blocks again and compare every row, however long the chain is')
    .option('--no-replay', 'leave that out')
    .option('--recent <heights>', 'only the last heights', parsePositive)
    .option('--genesis <file>', 'genesis from a source you trust (default: the one in the folder)')
    .option('--rate <MiB>', 'read at most so many MiB per second', parsePositive)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn audit /var/lib/cairn                 all of it
  $ cairn audit /var/lib/cairn --recent 1000   the last 1,000 heights, the state and the journal

Without --replay or --no-replay chains of up to ${grouped(replayTransactionsMax)} transactions, and those whose
tip is not certified, are executed again; that needs as much
room for temporary files as the databases have. Nothing is written into the folder.
Exit codes: 0 sound, 1 damaged, 2 it cannot be audited (no node's folder, or the node runs).`,
    )
    .action(async (folder: string, options: Options) => {
      const audited = await auditFolder(folder, { ...optionsOf(options), onProgress: progressOf(options) });
      if (!audited.ok) throw new CommandFailed(audited.error, exitCodes.usage);
      const report = audited.value;
      if (options.json === true) sayJson(report);
      else printReport(report);
      if (!report.isSound)
        throw new CommandFailed(
          { code: 'audit.damaged', message: `${report.folder} is damaged: ${countsText(report)}` },
          exitCodes.failed,
        );
    });
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
  const { checked, findings, findingsCount, notes } = report;
  say(`ledger      ${report.ledgerHash ?? 'unknown: there is no genesis to trust'} (hash of the genesis)`);
  if (checked.toHeight >= 0) {
    say(
      `heights     ${grouped(checked.fromHeight)} to ${grouped(checked.toHeight)}, certified up to ${checked.certifiedHeight < 0 ? 'none' : grouped(checked.certifiedHeight)}`,
    );
    say(
      `checked     ${grouped(checked.blocks)} blocks, ${grouped(checked.batches)} batches, ${grouped(checked.transactions)} transactions, ${grouped(checked.signatures)} signatures of validators`,
    );
    say(`results     ${checked.isReplayed ? 'all blocks executed again, every row compared' : 'not executed again'}`);
    say(`state       ${grouped(checked.stateEntries)} entries`);
  }
  say(`journal     ${grouped(checked.journalRecords)} records`);
  say(`read        ${(report.bytes / 2 ** 20).toFixed(1)} MiB in ${report.seconds.toFixed(1)} s`);
  for (const each of notes) say(`${style('yellow', 'note')}        ${findingText(each)}`);
  for (const each of findings) say(`${style('red', 'DAMAGED')}     ${findingText(each)}`);
  if (findingsCount > findings.length) say(`            and ${grouped(findingsCount - findings.length)} more`);
  if (report.isSound) say(style('green', 'sound'));
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

function countsText({ findingsByClass }: AuditReport): string {
  return Object.entries(findingsByClass)
    .map(([kind, count]) => `${count} x ${kind}`)
    .join(', ');
}
