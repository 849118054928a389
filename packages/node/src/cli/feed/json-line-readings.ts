/**
 * The readings of one JSON line: an object with a time and values (`{"timestamp":"2013-07-04 00:00:00","value":69.88}`), or
 * a SenML record or pack (`{"n":"temperature","t":1372896000,"v":69.88}`). Numbers are taken from their text.
 */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { isReadingName, numberText, type Reading } from '@cairn-ledger/sdk';
import type { SourceOptions } from './feed-options.ts';
import { readingValueOf } from './reading-value.ts';
import { senmlReadings } from './senml-readings.ts';
import { timeTextToSeconds } from './time-text.ts';

/** A number of the line, by its text. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const timeNames = ['time', 'timestamp', 'datetime', 'date', 'ts', 't'];
const senmlNames = ['n', 'bn', 'v', 'vs', 'vb', 'vd', 'bv'];

type LineOptions = Pick<SourceOptions, 'timeColumn' | 'valueColumns' | 'name' | 'unit' | 'timeUnit' | 'onBad'>;

export function jsonLineReadings(line: string, options: LineOptions): Result<Reading[], CairnError> {
  let value: unknown;
  try {
    value = parseExact(line);
  } catch (error) {
    return fail({ code: 'feed.not-json', message: `not JSON: ${(error as Error).message}` });
  }
  if (Array.isArray(value)) return senmlReadings(Buffer.from(line), 'json');
  if (typeof value !== 'object' || value === null)
    return fail({ code: 'feed.not-json', message: 'a line must be an object' });
  if (senmlNames.some((name) => Object.hasOwn(value, name))) return senmlReadings(Buffer.from(`[${line}]`), 'json');
  return objectReadings(value as Record<string, unknown>, options);
}

function objectReadings(object: Record<string, unknown>, options: LineOptions): Result<Reading[], CairnError> {
  const names = Object.keys(object);
  const timeName = options.timeColumn ?? names.find((name) => timeNames.includes(name.toLowerCase()));
  if (timeName === undefined || !Object.hasOwn(object, timeName)) {
    return fail({
      code: 'feed.unknown-column',
      message: `no field holds the time; the line has ${names.join(', ')}. Give --time.`,
    });
  }
  const written = object[timeName];
  const time = timeTextToSeconds(written instanceof NumberText ? written.text : String(written), options.timeUnit);
  if (!time.ok) return time;
  const columns = options.valueColumns ?? names.filter((name) => name !== timeName);
  const readings: Reading[] = [];
  for (const column of columns) {
    const value = fieldValue(object[column], options.onBad);
    if (!value.ok) return value;
    if (value.value === null) continue;
    const name = columns.length === 1 ? (options.name ?? column) : column;
    if (!isReadingName(name))
      return fail({ code: 'feed.bad-name', message: `"${name}" cannot be the name of a reading; give --name` });
    readings.push({
      name,
      time: time.value,
      value: value.value,
      ...(options.unit !== undefined && { unit: options.unit }),
    });
  }
  return ok(readings);
}

function fieldValue(field: unknown, onBad: LineOptions['onBad']): Result<Reading['value'] | null, CairnError> {
  if (field === undefined || field === null) return ok(null);
  if (field instanceof NumberText) return readingValueOf(field.text, numberText(field.text), onBad);
  if (typeof field === 'boolean') return ok({ type: 'boolean', value: field });
  if (typeof field === 'string') return ok({ type: 'string', text: field });
  return readingValueOf(JSON.stringify(field), null, onBad);
}

type Reviver = (this: unknown, name: string, value: unknown, context: { readonly source?: string }) => unknown;

function parseExact(text: string): unknown {
  const keepText: Reviver = (_, value, context) =>
    typeof value === 'number' && context.source !== undefined ? new NumberText(context.source) : value;
  return JSON.parse(text, keepText as Parameters<typeof JSON.parse>[1]);
}
