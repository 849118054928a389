/**
 * Mutation testing of core (docs/testing.md, "Mutation testing"):
 *
 *     npm run mutation -- [--folder bytes|crypto|ledger|protocol] [--file NAME] [--sample N] [--again] [--json]
 *
 * Prints the score of each folder and writes every verdict to `reports/mutation/<folder>.json`, and what was not killed to
 * `reports/mutation/<folder>-survivors.txt`. `--file` takes only sources whose path contains NAME, `--sample` only every Nth
 * mutant, as an estimate; both print what survived and write no report. `--again` keeps the kills of the last report in
 * sources that have not changed since, and tries the rest.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Arguments } from '../packages/sim/src/arguments.ts';
import { type Instrumented, instrumentFolder, type Mutant } from './mutation/instrument.ts';
import { runFolder, type Status, type Verdict } from './mutation/run-folder.ts';

type Report = { readonly digests: Readonly<Record<string, string>>; readonly verdicts: readonly Verdict[] };
type Score = Readonly<Record<Status, number>> & { readonly folder: string; readonly score: number };

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = join(root, 'reports/mutation');
/** What is loaded for a folder besides the tests that lie in it. */
const nativeHash = 'tools/mutation/native-hash.ts';
const alsoLoaded: Readonly<Record<string, readonly string[]>> = {
  ledger: [nativeHash],
  protocol: [nativeHash, 'tools/mutation/worlds.ts'],
};
const folders = ['bytes', 'crypto', 'ledger', 'protocol'];
const scoreWanted = 85;

const usage = `usage:
  npm run mutation -- [--folder ${folders.join('|')}] [--file NAME] [--sample N] [--again] [--json]`;
const args = new Arguments(usage, {
  options: {
    folder: { type: 'string' },
    file: { type: 'string' },
    sample: { type: 'string', default: '1' },
    again: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const { values } = args.given;
if (values.folder !== undefined) args.readName(values.folder, folders);
const sample = args.readCount(values.sample, 1, 1e6);
const isPart = values.file !== undefined || sample > 1;

const scores: Score[] = [];
for (const folder of values.folder === undefined ? folders : [values.folder]) {
  const verdicts = await verdictsOf(folder);
  scores.push(scoreOf(folder, verdicts));
  if (isPart) console.log(survivorsText(verdicts));
}
if (values.json) console.log(JSON.stringify(scores));
else print(scores);
process.exitCode = scores.every(({ score }) => score >= scoreWanted) ? 0 : 1;

async function verdictsOf(folder: string): Promise<Verdict[]> {
  const path = `packages/core/src/${folder}`;
  const testFiles = [...(alsoLoaded[folder] ?? []), ...globSync(`${path}/**/*.test.ts`, { cwd: root }).sort()];
  const instrumented = await instrumentFolder(root, path);
  const known = values.again ? knownKills(folder, instrumented) : new Map<string, Verdict>();
  const { file = '' } = values;
  const total = instrumented.mutants.length;
  const verdicts = await runFolder({
    root,
    instrumented,
    testFiles,
    known: (mutant) =>
      mutant.file.includes(file) && Number(mutant.id) % sample === 0
        ? known.get(keyOf(mutant))
        : { mutant, status: 'ignored' },
    onProgress: (found) => {
      if (found.length % 100 !== 0) return;
      const { score } = scoreOf(folder, found);
      process.stderr.write(`${folder}: ${found.length} of ${total} mutants, ${score} %\n`);
      // What an interrupted run has found is not lost: --again goes on from there.
      if (!isPart) writeReport(folder, { digests: instrumented.digests, verdicts: found });
    },
  });
  if (!isPart) writeReport(folder, { digests: instrumented.digests, verdicts });
  return verdicts;
}

function writeReport(folder: string, report: Report): void {
  mkdirSync(reports, { recursive: true });
  writeFileSync(join(reports, `${folder}.json`), JSON.stringify(report));
  writeFileSync(join(reports, `${folder}-survivors.txt`), survivorsText(report.verdicts));
}

/** What the last run killed, in files that are the same today. */
function knownKills(folder: string, { digests, mutants }: Instrumented): Map<string, Verdict> {
  const report = JSON.parse(readFileSync(join(reports, `${folder}.json`), 'utf8')) as Report;
  const today = new Map(mutants.map((mutant) => [keyOf(mutant), mutant]));
  const kept = new Map<string, Verdict>();
  for (const verdict of report.verdicts) {
    const { mutant, status } = verdict;
    const now = today.get(keyOf(mutant));
    const isSame = report.digests[mutant.file] === digests[mutant.file];
    if (now !== undefined && isSame && (status === 'killed' || status === 'timeout'))
      kept.set(keyOf(mutant), { ...verdict, mutant: now });
  }
  return kept;
}

function keyOf({ file, line, column, mutator, original, replacement }: Mutant): string {
  return JSON.stringify([file, line, column, mutator, original, replacement]);
}

function scoreOf(folder: string, verdicts: readonly Verdict[]): Score {
  const counts = { killed: 0, timeout: 0, survived: 0, 'no coverage': 0, ignored: 0 };
  for (const { status } of verdicts) counts[status]++;
  const found = counts.killed + counts.timeout;
  const all = found + counts.survived + counts['no coverage'];
  return { folder, ...counts, score: all === 0 ? 100 : Math.round((found / all) * 1_000) / 10 };
}

function survivorsText(verdicts: readonly Verdict[]): string {
  return verdicts
    .filter(({ status }) => status === 'survived' || status === 'no coverage')
    .toSorted((a, b) => Number(a.mutant.id) - Number(b.mutant.id))
    .map(({ mutant, status }) => {
      const { file, line, column, mutator } = mutant;
      return `${file}:${line}:${column} ${status}, ${mutator}\n- ${onOneLine(mutant.original)}\n+ ${onOneLine(mutant.replacement)}\n`;
    })
    .join('\n');
}

function onOneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 160 ? `${line.slice(0, 160)}...` : line;
}

function print(all: readonly Score[]): void {
  const columns = ['folder', 'mutants', 'killed', 'timeouts', 'survived', 'no coverage', 'ignored', 'score'];
  const rows = all.map((each) => {
    const { folder, killed, timeout, survived, 'no coverage': uncovered, ignored, score } = each;
    const counts = [killed + timeout + survived + uncovered, killed, timeout, survived, uncovered, ignored];
    return [folder, ...counts.map(String), `${score} %`];
  });
  for (const row of [columns, ...rows])
    console.log(row.map((cell, index) => (index === 0 ? cell.padEnd(9) : cell.padStart(13))).join(''));
}
