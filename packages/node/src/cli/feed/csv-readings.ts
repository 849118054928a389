/** Which columns of a CSV file are time and values, and the readings of one record. */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { isReadingName, numberText, type Reading } from '@cairn-ledger/sdk';
import type { SourceOptions } from './feed-options.ts';
import { readingValueOf } from './reading-value.ts';
import { timeTextToSeconds } from './time-text.ts';

export type CsvLayout = {
  readonly hasHeader: boolean;
  readonly timeIndex: number;
  readonly values: readonly { readonly index: number; readonly name: string }[];
};

const timeNames = ['time', 'timestamp', 'datetime', 'date', 'ts', 't'];

type LayoutOptions = Pick<SourceOptions, 'timeColumn' | 'valueColumns' | 'name' | 'timeUnit'>;

/** Finds the columns from the first record, which is a header unless its time column already holds a time. */
export function csvLayoutOf(first: readonly string[], options: LayoutOptions): Result<CsvLayout, CairnError> {
  const titles = first.map((title) => title.trim());
  const timeIndex =
    options.timeColumn === undefined ? guessTimeIndex(titles) : indexOfColumn(titles, options.timeColumn);
  if (timeIndex === null) return unknownColumn(options.timeColumn!, titles);
  const hasHeader = !timeTextToSeconds(titles[timeIndex] ?? '', options.timeUnit).ok;
  const others = titles.map((_, index) => index).filter((index) => index !== timeIndex);
  const values: { index: number; name: string }[] = [];
  for (const column of options.valueColumns ?? others) {
    const index = typeof column === 'number' ? column : indexOfColumn(titles, column);
    if (index === null) return unknownColumn(String(column), titles);
    values.push({
      index,
      name: hasHeader ? titles[index]! : values.length === 0 ? 'value' : `value${values.length + 1}`,
    });
  }
  return namedLayout({ hasHeader, timeIndex, values }, options.name);
}

function namedLayout(layout: CsvLayout, name: string | undefined): Result<CsvLayout, CairnError> {
  const [only] = layout.values;
  if (only === undefined)
    return fail({ code: 'feed.no-columns', message: 'the file has no column but the time; give --value' });
  if (name !== undefined && layout.values.length > 1) {
    return fail({ code: 'feed.bad-name', message: '--name fits one value column; choose it with --value' });
  }
  const values = name === undefined ? layout.values : [{ ...only, name }];
  const bad = values.find((value) => !isReadingName(value.name));
  if (bad !== undefined) {
    return fail({
      code: 'feed.bad-name',
      message: `"${bad.name}" cannot be the name of a reading (letters, digits and :./_-); give --name`,
    });
  }
  return ok({ ...layout, values });
}

/** The readings of one record. Empty values are left out. */
export function csvReadings(
  fields: readonly string[],
  layout: CsvLayout,
  options: Pick<SourceOptions, 'unit' | 'timeUnit' | 'onBad'>,
): Result<Reading[], CairnError> {
  const time = timeTextToSeconds(fields[layout.timeIndex] ?? '', options.timeUnit);
  if (!time.ok) return time;
  const readings: Reading[] = [];
  for (const { index, name } of layout.values) {
    const text = fields[index]?.trim() ?? '';
    if (text === '') continue;
    const value = readingValueOf(text, numberText(text), options.onBad);
    if (!value.ok) return value;
    if (value.value === null) continue;
    readings.push({
      name,
      time: time.value,
      value: value.value,
      ...(options.unit !== undefined && { unit: options.unit }),
    });
  }
  return ok(readings);
}

function guessTimeIndex(titles: readonly string[]): number {
  const named = titles.findIndex((title) => timeNames.includes(title.toLowerCase()));
  return named < 0 ? 0 : named;
}

/** By title, else by number from 1. */
function indexOfColumn(titles: readonly string[], column: string): number | null {
  const named = titles.indexOf(column);
  if (named >= 0) return named;
  const number = /^\d{1,4}$/.test(column) ? Number(column) - 1 : -1;
  return number >= 0 && number < titles.length ? number : null;
}

function unknownColumn(column: string, titles: readonly string[]): Result<never, CairnError> {
  return fail({
    code: 'feed.unknown-column',
    message: `there is no column "${column}"; the file has ${titles.join(', ')}`,
  });
}
