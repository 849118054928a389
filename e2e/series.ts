/**
 * Series of readings for tests: real ones from ../shared/data beside the repository, or made ones of the same shape, with
 * gaps, repeated times and many decimals. Times and values stay text.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type SeriesRow = {
  /** As the file has it: `2013-12-02 21:15:00`, UTC. */
  readonly time: string;
  /** Seconds since 1970, exact text. */
  readonly seconds: string;
  readonly value: string;
};

export type Series = { readonly name: string; readonly csv: string; readonly rows: readonly SeriesRow[] };

const folder = fileURLToPath(new URL('../../shared/data/', import.meta.url));

/** True when the real series are present. */
export const isReal = existsSync(`${folder}machine_temperature_system_failure.csv`);

export function machineSeries(): Series {
  return isReal ? readSeries('machine_temperature_system_failure.csv') : makeSeries('machine', 22_695, 300, 1);
}

export function ambientSeries(): Series {
  return isReal ? readSeries('ambient_temperature_system_failure.csv') : makeSeries('ambient', 7_267, 3600, 2);
}

function readSeries(file: string): Series {
  const csv = readFileSync(`${folder}${file}`, 'utf8');
  return { name: file.split('_')[0]!, csv, rows: parseSeries(csv) };
}

/** Read here by other means than those under test. */
export function parseSeries(csv: string): SeriesRow[] {
  const [, ...lines] = csv.trimEnd().split(/\r?\n/);
  return lines.map((line) => {
    const [time, value] = line.split(',') as [string, string];
    const [year, month, day, hour, minute, second] = time.split(/[- :]/).map(Number) as [number, ...number[]];
    const ms = Date.UTC(year, month! - 1, day, hour, minute, second);
    return { time, seconds: String(ms / 1000), value };
  });
}

function makeSeries(name: string, count: number, everySeconds: number, seed: number): Series {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const lines: string[] = ['timestamp,value'];
  let seconds = 1_372_896_000;
  for (let i = 0; i < count; i++) {
    seconds += next(500) === 0 ? everySeconds * next(40) : next(900) === 0 ? 0 : everySeconds;
    const digits = [0, 1, 8, 14, 15][next(5)]!;
    const fraction = Array.from({ length: digits }, () => next(10)).join('');
    const time = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
    lines.push(`${time},${next(20) === 0 ? '-' : ''}${next(120)}${digits === 0 ? '' : `.${fraction}`}`);
  }
  const csv = `${lines.join('\n')}\n`;
  return { name, csv, rows: parseSeries(csv) };
}
