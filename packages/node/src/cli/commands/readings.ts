import type { ReadingAnswer, ReadingsPage } from '@cairn-ledger/sdk';
import { Command, Option } from 'commander';
import { orFail } from '../exit-code.ts';
import { timeTextToSeconds } from '../feed/time-text.ts';
import { connect, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { note, say, tableLines } from '../output.ts';
import { parsePositive } from '../parse.ts';

type ReadingsOptions = NetworkOptions & {
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
  readonly all?: boolean;
  readonly format: 'table' | 'csv' | 'json';
  readonly json?: boolean;
};

const PAGE = 1_000;

export function readingsCommand(): Command {
  return withNetworkOptions(new Command('readings').description('readings of a device, in order of time'))
    .argument('<device>', 'member/device')
    .option('--from <time>', 'not before this time')
    .option('--to <time>', 'before this time')
    .option('--limit <count>', 'at most so many', parsePositive, 100)
    .option('--all', 'all of them')
    .addOption(new Option('--format <name>', 'how to print').choices(['table', 'csv', 'json']).default('table'))
    .option('--json', 'one JSON object per line; the same as --format json')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn readings alder/desk
  $ cairn readings alder/desk --from "2013-07-04 00:00:00" --all --format csv > desk.csv
  $ cairn readings alder/desk --node node-3 --json

Numbers have exactly the decimals that the device signed.`,
    )
    .action(async (device: string, options: ReadingsOptions) => {
      const client = connect(options);
      const format = options.json === true ? 'json' : options.format;
      const max = options.all === true ? Number.POSITIVE_INFINITY : options.limit;
      const range = { ...instant('from', options.from), ...instant('to', options.to) };
      const rows: ReadingAnswer[] = [];
      let count = 0;
      let cursor: string | null = null;
      let heldFrom = 0;
      if (format === 'csv') say(csvColumns.join(','));
      do {
        const limit = Math.min(PAGE, max - count);
        const page: ReadingsPage = orFail(
          await client.readings(device, { ...range, limit, ...(cursor !== null && { cursor }) }),
        );
        count += page.readings.length;
        heldFrom = Math.max(heldFrom, page.heldFrom);
        if (format === 'table') rows.push(...page.readings);
        for (const reading of page.readings) {
          if (format === 'csv') say(csvLine(reading));
          if (format === 'json') say(jsonLine(reading));
        }
        cursor = page.next;
      } while (cursor !== null && count < max);
      if (format === 'table') printTable(rows);
      if (heldFrom > 0) note(partialText(heldFrom));
      if (cursor !== null) note(`There are more; --all prints them, --limit and --from choose.`);
    });
}

/** @param heldFrom above 0 */
function partialText(heldFrom: number): string {
  return `These are from a node that holds only blocks from ${heldFrom} on: readings in older blocks are missing. Ask another with --node.`;
}

/** The API takes milliseconds; a time between two of them is rounded down. */
function instant(name: 'from' | 'to', text: string | undefined): { from?: string; to?: string } {
  if (text === undefined) return {};
  const [whole, fraction = ''] = orFail(timeTextToSeconds(text)).split('.');
  return { [name]: `${whole}${fraction.padEnd(3, '0').slice(0, 3)}`.replace(/^0+(?=\d)/, '') };
}

function printTable(readings: readonly ReadingAnswer[]): void {
  const rows = readings.map((reading) => [
    reading.time,
    reading.name,
    valueText(reading),
    reading.unit ?? '',
    reading.provenance,
    String(reading.height),
    reading.transaction.slice(0, 16),
  ]);
  for (const line of tableLines(['time', 'name', 'value', 'unit', 'provenance', 'height', 'transaction'], rows))
    say(line);
}

const csvColumns = ['time', 'seconds', 'device', 'name', 'unit', 'value', 'provenance', 'transaction', 'height'];

function csvLine(reading: ReadingAnswer): string {
  const { time, seconds, device, name, unit, provenance, transaction, height } = reading;
  return [time, seconds, device, name, unit ?? '', valueText(reading), provenance, transaction, String(height)]
    .map(csvField)
    .join(',');
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The value stands as a number token with its own decimals: it does not pass through a double here either. */
function jsonLine(reading: ReadingAnswer): string {
  const { value, ...rest } = reading;
  const isNumber = typeof value === 'object' && value !== null;
  const text = JSON.stringify({ ...rest, value: isNumber ? 0 : value });
  return isNumber ? `${text.slice(0, -2)}${value.text}}` : text;
}

function valueText({ value, data }: ReadingAnswer): string {
  if (value === null) return data ?? '';
  return typeof value === 'object' ? value.text : String(value);
}
