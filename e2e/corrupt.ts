/**
 * Corruption trials (docs/testing.md, "Corruption"): in a copy of a real node's folder one file is damaged at random, and the
 * audit must find it.
 *
 * - *detected*: the audit says that the folder is damaged.
 * - *harmless*: the audit says sound, and what is logically in every file, read without the audit, is what it was.
 * - *noted*: the audit says sound with a note that the undamaged folder does not have, as of a last frame that was never
 *   finished: what a loss of power leaves cannot be told from a file that was cut.
 * - *missed*: anything else. There must be none.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { auditFolder } from '../packages/node/src/audit/audit.ts';
import { type CorruptFolders, logicalContent } from './corrupt-folder.ts';
import { orFail } from './network.ts';
import { createPick, type Pick } from './pick.ts';

export type CorruptOptions = {
  readonly trials: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
};

type Outcome = 'detected' | 'harmless' | 'noted' | 'missed';

export type CorruptSummary = {
  readonly trials: number;
  readonly seed: number;
  readonly detected: number;
  readonly harmless: number;
  readonly noted: number;
  readonly missed: number;
  /** By kind of file: how often each outcome. */
  readonly byFile: Readonly<Record<string, Partial<Record<Outcome, number>>>>;
  readonly misses: readonly string[];
  readonly seconds: number;
};

type Damage = { readonly name: string; apply(bytes: Buffer, pick: Pick): Buffer | null };

const pageBytes = 4096;
const damages: readonly Damage[] = [
  { name: 'a bit', apply: (bytes, pick) => flipBits(bytes, pick, 1) },
  { name: 'eight bits', apply: (bytes, pick) => flipBits(bytes, pick, 8) },
  {
    name: 'a byte',
    apply(bytes, pick) {
      const changed = Buffer.from(bytes);
      changed[pick(bytes.length)] = pick(256);
      return changed;
    },
  },
  {
    name: 'random bytes',
    apply(bytes, pick) {
      const changed = Buffer.from(bytes);
      const start = pick(bytes.length);
      const end = Math.min(bytes.length, start + 16 + pick(512));
      for (let at = start; at < end; at++) changed[at] = pick(256);
      return changed;
    },
  },
  {
    name: 'a page of zeros',
    apply(bytes, pick) {
      const start = pick(Math.ceil(bytes.length / pageBytes)) * pageBytes;
      return Buffer.from(bytes).fill(0, start, Math.min(bytes.length, start + pageBytes));
    },
  },
  {
    name: 'a page in the place of another',
    apply(bytes, pick) {
      const count = Math.ceil(bytes.length / pageBytes);
      const changed = Buffer.from(bytes);
      const from = pick(count) * pageBytes;
      bytes.copy(changed, pick(count) * pageBytes, from, from + pageBytes);
      return changed;
    },
  },
  { name: 'its end cut off', apply: (bytes, pick) => bytes.subarray(0, pick(bytes.length)) },
  { name: 'deleted', apply: () => null },
];

function flipBits(bytes: Buffer, pick: Pick, count: number): Buffer {
  const changed = Buffer.from(bytes);
  for (let i = 0; i < count; i++) changed[pick(bytes.length)]! ^= 1 << pick(8);
  return changed;
}

type Base = { readonly name: 'stopped' | 'crashed'; readonly dir: string; readonly files: readonly string[] };
type Baseline = Base & { readonly content: Record<string, string>; readonly notes: readonly string[] };

export async function runCorruption(folders: CorruptFolders, options: CorruptOptions): Promise<CorruptSummary> {
  const startedMs = performance.now();
  const pick = createPick(options.seed);
  const bases = [await baselineOf('stopped', folders.stopped), await baselineOf('crashed', folders.crashed)];
  const counts: Record<Outcome, number> = { detected: 0, harmless: 0, noted: 0, missed: 0 };
  const byFile: Record<string, Partial<Record<Outcome, number>>> = {};
  const misses: string[] = [];
  for (let trial = 1; trial <= options.trials; trial++) {
    const base = bases[pick(3) === 0 ? 1 : 0]!;
    const { file, damage, outcome } = await runTrial(base, pick);
    counts[outcome]++;
    const kind = kindOf(file);
    byFile[kind] = { ...byFile[kind], [outcome]: (byFile[kind]?.[outcome] ?? 0) + 1 };
    if (outcome === 'missed') misses.push(`trial ${trial}: ${base.name} ${file}: ${damage}`);
    if (trial % 50 === 0 || outcome === 'missed')
      options.onProgress?.(
        `${trial} trials: ${JSON.stringify(counts)}${outcome === 'missed' ? ` ${misses.at(-1)}` : ''}`,
      );
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  return { trials: options.trials, seed: options.seed, ...counts, byFile, misses, seconds };
}

async function runTrial(base: Baseline, pick: Pick): Promise<{ file: string; damage: string; outcome: Outcome }> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-corrupt-trial-'));
  try {
    cpSync(base.dir, dir, { recursive: true });
    for (;;) {
      const file = base.files[pick(base.files.length)]!;
      const damage = damages[pick(damages.length)]!;
      // Settings are what the operator says they are: that they can be read is all that can be checked.
      if (file === 'node.json' && !['deleted', 'a page of zeros', 'its end cut off'].includes(damage.name)) continue;
      const path = join(dir, file);
      const before = readFileSync(path);
      const after = damage.apply(before, pick);
      if (after !== null && before.equals(after)) continue;
      if (after === null) rmSync(path);
      else writeFileSync(path, after);
      return { file, damage: damage.name, outcome: await outcomeOf(base, dir) };
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function outcomeOf(base: Baseline, dir: string): Promise<Outcome> {
  const report = orFail(await auditFolder(dir, { replay: true }));
  if (!report.isSound) return 'detected';
  if (isDeepStrictEqual(logicalContent(dir), base.content)) return 'harmless';
  return report.notes.some(({ code, class: kind }) => !base.notes.includes(`${kind} ${code}`)) ? 'noted' : 'missed';
}

/** What the folder is before anything is damaged; it must be sound, or no trial means anything. */
async function baselineOf(name: Base['name'], dir: string): Promise<Baseline> {
  const report = orFail(await auditFolder(dir, { replay: true }));
  if (!report.isSound) throw new Error(`the undamaged folder is called damaged: ${JSON.stringify(report.findings)}`);
  const content = logicalContent(dir);
  for (const database of ['chain.db', 'view.db']) rmSync(join(dir, 'data', `${database}-shm`), { force: true });
  const notes = report.notes.map(({ class: kind, code }) => `${kind} ${code}`);
  return { name, dir, files: filesIn(dir), content, notes };
}

function filesIn(dir: string): string[] {
  const named = (folder: string, pattern: RegExp): string[] =>
    readdirSync(join(dir, folder))
      .filter((name) => pattern.test(name) && readFileSync(join(dir, folder, name)).length > 0)
      .map((name) => join(folder, name));
  const files = [
    'node.json',
    'genesis.cbor',
    ...named('keys', /\.(?:key|mark)$/),
    ...named('data/journal', /\.journal$/),
  ];
  // Most of what a node has lies in these: as many trials as all others.
  const databases = named('data', /^(?:chain|view)\.db(?:-wal)?$/);
  return [...files, ...databases, ...databases, ...named('data/journal', /\.journal$/)].filter((file) =>
    existsSync(join(dir, file)),
  );
}

function kindOf(file: string): string {
  if (file.endsWith('.journal')) return 'journal';
  if (file.endsWith('.mark')) return 'mark';
  return file.endsWith('.key') ? 'keys' : file.replace(/^.*\//, '');
}
