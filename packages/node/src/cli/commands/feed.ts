import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import process from 'node:process';
import { bytesToBase64url, toHex } from '@cairn-ledger/core';
import { Command, Option } from 'commander';
import { CommandFailed, exitCodes, orFail } from '../exit-code.ts';
import { openFeedJournal } from '../feed/feed-journal.ts';
import { type FeedFormat, feedFormats, type SourceOptions } from '../feed/feed-options.ts';
import { createProgressView } from '../feed/feed-progress.ts';
import { runFeed } from '../feed/feed-run.ts';
import { formatOfPath, readItems } from '../feed/reading-source.ts';
import { senmlReadings } from '../feed/senml-readings.ts';
import { connect, genesisOf, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { grouped, note, say, sayJson } from '../output.ts';
import { parsePack, parseRate } from '../parse.ts';
import { keyInUse } from '../signing.ts';

type FeedOptions = NetworkOptions & {
  readonly key?: string;
  readonly format?: FeedFormat;
  readonly time?: string;
  readonly value?: string[];
  readonly name?: string;
  readonly unit?: string;
  readonly timeUnit: 's' | 'ms';
  readonly delimiter?: string;
  readonly onBad: SourceOptions['onBad'];
  readonly pack: number;
  readonly rate?: number;
  readonly skipRejected?: boolean;
  readonly restart?: boolean;
  readonly json?: boolean;
};

export function feedCommand(): Command {
  return withNetworkOptions(
    new Command('feed').description('send a file of readings as signed transactions of one device'),
  )
    .argument('<file>', 'CSV, JSON lines, or SenML (JSON or CBOR)')
    .option('--key <file>', 'key of the device (default: $CAIRN_KEY, else the desk device of a development network)')
    .addOption(new Option('--format <name>', 'what the file is (default: by its name)').choices(feedFormats))
    .option('--time <column>', 'column or field that holds the time (default: time, timestamp..., else the first)')
    .option('--value <column...>', 'columns or fields to send (default: all others)')
    .option('--name <name>', 'name of the reading, where there is one value column (default: the column’s)')
    .option('--unit <unit>', 'unit of the readings, for example Cel')
    .addOption(new Option('--time-unit <unit>', 'what bare numbers count as times').choices(['s', 'ms']).default('s'))
    .addOption(
      new Option('--delimiter <char>', 'CSV delimiter (default: , and tab for .tsv)').choices([',', ';', 'tab']),
    )
    .addOption(
      new Option('--on-bad <what>', 'values that are no numbers').choices(['stop', 'skip', 'text']).default('stop'),
    )
    .option('--pack <count>', 'readings per transaction, at most 1000', parsePack, 20)
    .option('--rate <readings>', 'readings per second, at most', parseRate)
    .option('--skip-rejected', 'leave rejected transactions behind instead of stopping')
    .option('--restart', 'forget the progress: send all of the file again, as new transactions')
    .option('--json', 'print one JSON object at the end, and no progress')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn feed machine.csv --name temperature --unit Cel --key sensor.key
  $ cairn feed log.jsonl --time ts --value t1 --value t2 --pack 1
  $ cairn feed pack.senml --node node-2

Progress is kept next to the key. After an interruption (Ctrl-C, crash, no network) the same command goes on: what was
signed is sent again unchanged, so nothing is lost and nothing counted twice. A file that has grown is read on from where it
ended. Times without a zone are UTC; numbers keep exactly their decimals.`,
    )
    .action(feed);
}

async function feed(file: string, options: FeedOptions): Promise<void> {
  const source = sourceOptions(file, options);
  const genesis = genesisOf(options);
  const key = keyInUse(options.key, 'device');
  const input = resolve(file);
  const progressPath = `${key.path}.feed-${basename(file).slice(0, 40)}-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`;
  if (options.restart === true) rmSync(progressPath, { force: true });
  const ledger = bytesToBase64url(genesis.ledgerHash.subarray(0, 8));
  const journal = orFail(openFeedJournal(progressPath, { input, ledger, kid: toHex(key.signer.kid) }));
  const before = journal.progress;
  const quiet = options.json === true;
  if (before.position > 0 && !quiet) {
    note(
      `going on after ${grouped(before.readings)} readings in ${grouped(before.transactions)} transactions (--restart begins anew)`,
    );
  }
  const view = createProgressView(sizeOf(source), before.position, quiet);
  const stop = new AbortController();
  const abort = (): void => (stop.signal.aborted ? process.exit(exitCodes.failed) : stop.abort());
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  const startedMs = performance.now();
  try {
    const outcome = await runFeed({
      items: readItems(source),
      journal,
      keyPath: key.path,
      signer: key.signer,
      ledgerHash: genesis.ledgerHash,
      readingsPerTransaction: options.pack,
      client: connect(options, genesis),
      ...(options.rate !== undefined && { ratePerSecond: options.rate }),
      skipRejected: options.skipRejected === true,
      onProgress: view.update,
      signal: stop.signal,
    });
    view.stop();
    const seconds = (performance.now() - startedMs) / 1000;
    const total = journal.progress;
    const summary = {
      file,
      complete: outcome.isComplete,
      ...pick(outcome),
      seconds: Number(seconds.toFixed(2)),
      total: pick(total),
      progress: progressPath,
    };
    if (quiet) sayJson(summary);
    else printSummary(summary, seconds);
    if (!outcome.isComplete) process.exitCode = exitCodes.failed;
  } finally {
    view.stop();
    journal.close();
    process.removeListener('SIGINT', abort);
    process.removeListener('SIGTERM', abort);
  }
}

type Counts = { readonly readings: number; readonly transactions: number; readonly rejected: number };

function pick({ readings, transactions, rejected }: Counts): Counts {
  return { readings, transactions, rejected };
}

function printSummary(summary: Counts & { readonly complete: boolean; readonly total: Counts }, seconds: number): void {
  const rate = seconds > 0 ? Math.round(summary.readings / seconds) : 0;
  const rejected =
    summary.rejected > 0 ? `; ${grouped(summary.rejected)} transactions were rejected and left behind` : '';
  const counts = `${grouped(summary.readings)} readings in ${grouped(summary.transactions)} transactions`;
  if (summary.readings === 0 && summary.complete)
    say(`nothing new: ${grouped(summary.total.readings)} readings of this file are on the ledger`);
  else if (summary.complete)
    say(`${counts} are on the ledger, in ${seconds.toFixed(1)} s (${grouped(rate)} readings/s)${rejected}`);
  else say(`stopped after ${counts}; the same command goes on from here`);
}

function sourceOptions(file: string, options: FeedOptions): SourceOptions {
  const format = options.format ?? formatOfPath(file);
  if (format === null)
    throw new CommandFailed({
      code: 'feed.unknown-format',
      message: `the name of ${file} does not say what it is; give --format ${feedFormats.join('|')}`,
    });
  try {
    if (!statSync(file).isFile()) throw new Error('it is not a regular file');
  } catch (error) {
    throw new CommandFailed({
      code: 'feed.unreadable',
      message: `${file} cannot be read: ${(error as Error).message}`,
    });
  }
  const delimiter = options.delimiter ?? (file.toLowerCase().endsWith('.tsv') ? 'tab' : ',');
  return {
    path: file,
    format,
    timeUnit: options.timeUnit,
    delimiter: delimiter === 'tab' ? '\t' : delimiter === ';' ? ';' : ',',
    onBad: options.onBad,
    ...(options.time !== undefined && { timeColumn: options.time }),
    ...(options.value !== undefined && { valueColumns: options.value }),
    ...(options.name !== undefined && { name: options.name }),
    ...(options.unit !== undefined && { unit: options.unit }),
  };
}

/** What the position reaches at the end: bytes of a file of lines, records of a pack. */
function sizeOf(source: SourceOptions): number {
  if (source.format === 'csv' || source.format === 'jsonl') return statSync(source.path).size;
  return orFail(senmlReadings(readFileSync(source.path), source.format === 'senml-json' ? 'json' : 'cbor')).length;
}
