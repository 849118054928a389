/** What `cairn feed` is told about its input. */
import type { Delimiter } from './csv.ts';
import type { TimeUnit } from './time-text.ts';

export const feedFormats = ['csv', 'jsonl', 'senml-json', 'senml-cbor'] as const;
export type FeedFormat = (typeof feedFormats)[number];

export type SourceOptions = {
  readonly path: string;
  readonly format: FeedFormat;
  /** Name of the column (or field) that holds the time; absent: found by its usual names, else the first. */
  readonly timeColumn?: string;
  /** Columns (or fields) to send; absent: all but the time. */
  readonly valueColumns?: readonly string[];
  /** Name of the reading, where there is one value column; absent: the column's own name. */
  readonly name?: string;
  readonly unit?: string;
  readonly timeUnit: TimeUnit;
  readonly delimiter: Delimiter;
  /** What to do with a value that is not a number. */
  readonly onBad: 'stop' | 'skip' | 'text';
};
