/**
 * Readings out of a file: CSV, JSON lines or SenML (JSON or CBOR). Every item says how far into the input it reaches, and
 * can give a digest of the input up to there: that is how a feed that goes on later knows it has the same input before
 * it. A file of lines may have grown meanwhile; a SenML pack must be the same.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { CairnError, Result } from '@cairn-ledger/core';
import type { Reading } from '@cairn-ledger/sdk';
import { CommandFailed, orFail } from '../exit-code.ts';
import { csvFields, cutRecords } from './csv.ts';
import { type CsvLayout, csvLayoutOf, csvReadings } from './csv-readings.ts';
import type { FeedFormat, SourceOptions } from './feed-options.ts';
import { jsonLineReadings } from './json-line-readings.ts';
import { senmlReadings } from './senml-readings.ts';

export type FeedItem = {
  readonly readings: readonly Reading[];
  /** How far into the input this item reaches: bytes of a file of lines, records of a SenML pack. */
  readonly position: number;
  /** Digest of the input up to that position, in hexadecimal. */
  digest(): string;
};

/** The format a file's name says; null when it says none. */
export function formatOfPath(path: string): FeedFormat | null {
  const formats: Record<string, FeedFormat> = {
    '.csv': 'csv',
    '.tsv': 'csv',
    '.jsonl': 'jsonl',
    '.ndjson': 'jsonl',
    '.senml': 'senml-json',
    '.json': 'senml-json',
    '.senmlc': 'senml-cbor',
    '.cbor': 'senml-cbor',
  };
  return formats[extname(path).toLowerCase()] ?? null;
}

/** The items of an input, from its beginning. A bad one ends the command, named by its line. */
export async function* readItems(options: SourceOptions): AsyncGenerator<FeedItem> {
  if (options.format === 'senml-json' || options.format === 'senml-cbor') yield* readPack(options);
  else yield* readLines(options);
}

function* readPack(options: SourceOptions): Generator<FeedItem> {
  const bytes = readFileSync(options.path);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const readings = orFail(senmlReadings(bytes, options.format === 'senml-json' ? 'json' : 'cbor'));
  for (const [index, reading] of readings.entries()) {
    yield { readings: [reading], position: index + 1, digest: () => digest };
  }
}

async function* readLines(options: SourceOptions): AsyncGenerator<FeedItem> {
  const hash = createHash('sha256');
  let position = 0;
  let line = 0;
  let layout: CsvLayout | null = null;
  for await (const record of cutRecords(createReadStream(options.path), options.format === 'csv')) {
    hash.update(record);
    position += record.length;
    line++;
    const text = record.toString('utf8');
    if (text.trim() === '') continue;
    if (options.format === 'csv' && layout === null) {
      const fields = csvFields(text, options.delimiter);
      layout = orFail(csvLayoutOf(fields, options));
      if (layout.hasHeader) continue;
    }
    const readings =
      layout === null
        ? jsonLineReadings(text, options)
        : csvReadings(csvFields(text, options.delimiter), layout, options);
    yield { readings: orFailAt(readings, options.path, line), position, digest: () => digestOf(hash) };
  }
}

function digestOf(hash: Hash): string {
  return hash.copy().digest('hex');
}

function orFailAt<T>(result: Result<T, CairnError>, path: string, line: number): T {
  if (result.ok) return result.value;
  throw new CommandFailed({ code: result.error.code, message: `${path}, record ${line}: ${result.error.message}` });
}
