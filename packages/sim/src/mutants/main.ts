/**
 * Hunts mutants from the command line.
 *
 * The world that shows a mutant is run once more with the sources as they are, and must be clean then. Exit code 1 when a
 * mutant was not found (with `--covered`: when one was), or when its world is not clean without it; 2 when it is called wrongly.
 */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { Arguments } from '../arguments.ts';
import { catalogue } from './catalogue.ts';
import { covered } from './covered.ts';
import type { Mutant } from './mutant.ts';
import { type HuntResult, runHunt } from './run-hunt.ts';

type Row = {
  readonly rule: string;
  readonly found: boolean;
  /** Whether the same world is clean without the mutant; null when the mutant was not found. */
  readonly isControlClean: boolean | null;
} & HuntResult & { readonly seconds: number };

const usage = `usage:
  npm run sim:mutants                          all of them
  npm run sim:mutants -- --mutant NAME         one; several by naming several
  npm run sim:mutants -- --covered             those whose rule others cover: none of them should be found
  npm run sim:mutants -- [--seeds-max N] [--from S] [--jobs J] [--json]`;

const args = new Arguments(usage, {
  options: {
    mutant: { type: 'string', multiple: true },
    covered: { type: 'boolean', default: false },
    'seeds-max': { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
  },
});
const { values } = args.given;
const from = args.readCount(values.from, 0, 2 ** 32 - 1);
const seedsMax = args.readCount(values['seeds-max'], 1, 1e9);
const jobs = args.readCount(values.jobs, 1, 256);

const rows = new Map<string, Row>();
const queue = chosen();
await Promise.all(Array.from({ length: jobs }, work));
report();

function chosen(): Mutant[] {
  const names = values.mutant;
  if (names === undefined) return values.covered ? [...covered] : [...catalogue];
  const known = [...catalogue, ...covered];
  return names.map((name) => {
    const chosenName = args.readName(
      name,
      known.map((mutant) => mutant.name),
    );
    return known.find((mutant) => mutant.name === chosenName)!;
  });
}

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const row = await hunt(mutant);
    rows.set(mutant.name, row);
    if (!values.json) console.log(textOf(mutant.name, row));
  }
}

async function hunt({ name, rule }: Mutant): Promise<Row> {
  const startedMs = performance.now();
  const result = await runHunt({ mutant: name, isMutated: true, from, count: seedsMax });
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  const found = result.how !== null;
  const control = found ? await runHunt({ mutant: name, isMutated: false, from: result.seed, count: 1 }) : null;
  return { rule, found, isControlClean: control === null ? null : control.how === null, ...result, seconds };
}

function textOf(name: string, row: Row): string {
  if (row.how === null) return `NOT FOUND  ${name}, ${row.seeds} seeds, ${row.seconds} s (${row.rule})`;
  const control = row.isControlClean ? '' : '  BUT THE SAME WORLD IS BAD WITHOUT IT';
  return `${row.how.padEnd(10)} ${name}, ${row.seeds} seeds, seed ${row.seed} of ${row.nodes} nodes, ${row.seconds} s: ${row.text.slice(0, 160)}${control}`;
}

function report(): void {
  const all = [...rows.values()];
  const found = all.filter((row) => row.found).length;
  // In the order of the catalogue, whoever was ready first.
  const byMutant = Object.fromEntries(
    [...catalogue, ...covered].filter(({ name }) => rows.has(name)).map(({ name }) => [name, rows.get(name)]),
  );
  if (values.json) console.log(JSON.stringify({ total: all.length, found, byMutant }));
  else console.log(`${found} of ${all.length} found`);
  const areAsExpected = values.covered ? found === 0 : found === all.length;
  if (!areAsExpected || all.some((row) => row.isControlClean === false)) process.exitCode = 1;
}
