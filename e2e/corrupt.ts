/**
 * Corruption trials (docs/testing.md, "Corruption"): in a copy of a real node's folder one file is damaged at random. The audit must
 * find it; whoever asks the node that begins over it must not get a false answer; and that node must mend itself from its peers, by
 * fetching little more than what was damaged, or say with a code that people must.
 *
 * What the audit makes of it:
 *
 * - *detected*: it says that the folder is damaged.
 * - *harmless*: it says sound, and what is logically in every file, read without the audit, is what it was.
 * - *noted*: it says sound with a note that the undamaged folder does not have, as of a last frame that was never
 *   finished: what a loss of power leaves cannot be told from a file that was cut.
 * - *missed*: anything else. There must be none.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeGenesis, genesisToTrustAnchor, sha256, type TrustAnchor } from '@cairn-ledger/core';
import { type AuditReport, auditFolder } from '../packages/node/src/audit/audit.ts';
import type { Finding } from '../packages/node/src/audit/finding.ts';
import { errorOf } from '../packages/node/src/failure.ts';
import { createPeers, type Peers } from '../packages/node/src/healing/peers.ts';
import { portTo, serveDatabase } from '../packages/node/src/healing/testing/served-chain.ts';
import { damages, damagesOfSettings, differingBytes } from './corrupt-damage.ts';
import {
  type ChainContent,
  type CorruptFolders,
  chainContent,
  differingTables,
  logicalContent,
} from './corrupt-folder.ts';
import { catchUp, type Lives, live } from './corrupt-life.ts';
import { answersOf, judge, type Question, questionsOf, someOf, type Truth } from './corrupt-truth.ts';
import { orFail } from './network.ts';
import { createPick, type Pick } from './pick.ts';

export type CorruptOptions = {
  readonly trials: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
};

type Outcome = 'detected' | 'harmless' | 'noted' | 'missed';

type ClassSummary = {
  trials: number;
  detected: number;
  harmless: number;
  noted: number;
  healed: number;
  needsPeople: number;
  bytesDamaged: number;
  bytesFetched: number;
  /** Of bytes fetched to bytes damaged, where anything was fetched; a damaged unit counts as a whole one. */
  worstRatio: number;
};

export type CorruptSummary = {
  readonly trials: number;
  readonly seed: number;
  readonly missed: number;
  readonly falseAnswers: number;
  readonly unhealed: number;
  readonly detected: number;
  readonly byClass: Readonly<Record<string, Readonly<ClassSummary>>>;
  /** What must not be, in words; empty where all is well. */
  readonly faults: readonly string[];
  readonly seconds: number;
};

/**
 * What a repair may fetch: so much whatever is damaged (who the validators are, a snapshot that proves where the chain is, asked of
 * all peers, and whole units around a damaged byte), and so many times the damaged bytes. Units are blocks, batches,
 * tiles and buckets; a page of an inner node takes all with it that lies below it, which is all of a file at most.
 */
const fetchedAlways = 256 << 10;
const fetchedRatioMax = 4;
const questionsMax = 150;

type Base = {
  readonly name: 'stopped' | 'crashed';
  readonly dir: string;
  readonly files: readonly string[];
  readonly content: Record<string, string>;
  readonly notes: readonly string[];
  readonly questions: readonly Question[];
  readonly truth: Truth;
  readonly height: number;
};

type Bench = {
  readonly bases: readonly [Base, Base];
  /** Of both, and of any height that a repair may reach. */
  readonly contents: readonly ChainContent[];
  readonly peers: () => Peers;
};

type Trial = {
  readonly file: string;
  readonly what: string;
  readonly outcome: Outcome;
  readonly falseAnswers: readonly string[];
  /** Null: it is not. */
  readonly healedBy: 'node' | 'people' | null;
  readonly why: string;
  readonly bytesDamaged: number;
  readonly bytesFetched: number;
};

export async function runCorruption(folders: CorruptFolders, options: CorruptOptions): Promise<CorruptSummary> {
  const startedMs = performance.now();
  const pick = createPick(options.seed);
  const genesis = new Uint8Array(readFileSync(join(folders.stopped, 'genesis.cbor')));
  const anchor = orFail(genesisToTrustAnchor(genesis));
  const dir = mkdtempSync(join(tmpdir(), 'cairn-corrupt-peer-'));
  cpSync(folders.stopped, dir, { recursive: true });
  const served = serveDatabase(join(dir, 'data', 'chain.db'), sha256(genesis), () => 0);
  try {
    const port = portTo({ one: served.serve, two: served.serve, three: served.serve });
    const peers = (): Peers => createPeers({ port, signal: new AbortController().signal, timeoutMs: 1_000 });
    const bases = [
      await baseOf('stopped', folders.stopped, anchor, peers),
      await baseOf('crashed', folders.crashed, anchor, peers),
    ] as const;
    const bench: Bench = { bases, contents: [chainContent(folders.stopped), chainContent(folders.crashed)], peers };
    return await runTrials(bench, options, pick, startedMs);
  } finally {
    served.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function runTrials(
  bench: Bench,
  { trials, seed, onProgress }: CorruptOptions,
  pick: Pick,
  startedMs: number,
): Promise<CorruptSummary> {
  const byClass: Record<string, ClassSummary> = {};
  const faults: string[] = [];
  const counts = { missed: 0, falseAnswers: 0, unhealed: 0, detected: 0 };
  for (let number = 1; number <= trials; number++) {
    const base = bench.bases[pick(3) === 0 ? 1 : 0]!;
    const trial = await runTrial(bench, base, pick);
    const fault = (what: string): void => {
      faults.push(`trial ${number}: ${base.name} ${trial.file}: ${trial.what}: ${what}`);
      onProgress?.(faults.at(-1)!);
    };
    if (trial.outcome === 'missed') fault('the audit has missed it');
    for (const answer of trial.falseAnswers.slice(0, 3)) fault(`false: ${answer}`);
    if (trial.healedBy === null) fault(`not healed: ${trial.why}`);
    const { bytesDamaged, bytesFetched } = trial;
    const isTooMuch = bytesFetched > fetchedAlways + fetchedRatioMax * bytesDamaged;
    if (isTooMuch) fault(`${bytesFetched} bytes fetched for ${bytesDamaged}`);
    if (trial.outcome === 'missed') counts.missed++;
    if (trial.outcome === 'detected') counts.detected++;
    if (trial.falseAnswers.length > 0) counts.falseAnswers++;
    if (trial.healedBy === null || isTooMuch) counts.unhealed++;
    addTo(byClass, trial);
    if (number % 50 === 0) onProgress?.(`${number} trials: ${JSON.stringify(counts)}`);
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  return { trials, seed, ...counts, byClass, faults, seconds };
}

function addTo(byClass: Record<string, ClassSummary>, trial: Trial): void {
  const none = { trials: 0, detected: 0, harmless: 0, noted: 0, healed: 0, needsPeople: 0 };
  const name = classOf(trial.file);
  byClass[name] ??= { ...none, bytesDamaged: 0, bytesFetched: 0, worstRatio: 0 };
  const summary = byClass[name];
  summary.trials++;
  if (trial.outcome !== 'missed') summary[trial.outcome]++;
  if (trial.healedBy === 'node') summary.healed++;
  if (trial.healedBy === 'people') summary.needsPeople++;
  summary.bytesDamaged += trial.bytesDamaged;
  summary.bytesFetched += trial.bytesFetched;
  const unit = Math.max(trial.bytesDamaged, 4096);
  summary.worstRatio = Math.max(summary.worstRatio, Math.round((trial.bytesFetched / unit) * 10) / 10);
}

async function runTrial(bench: Bench, base: Base, pick: Pick): Promise<Trial> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-corrupt-trial-'));
  try {
    cpSync(base.dir, dir, { recursive: true });
    const { file, what, bytesDamaged } = damageOne(base, dir, pick);
    const report = orFail(await auditFolder(dir, { replay: true }));
    const outcome = outcomeOf(base, dir, report);
    const { lives, falseAnswers } = await liveAndAsk(bench, base, dir, pick);
    const healing = await healingOf(bench, base, { dir, file, lives, report });
    return { file, what, outcome, falseAnswers, ...healing, bytesDamaged, bytesFetched: lives.bytesFetched };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function damageOne(base: Base, dir: string, pick: Pick): { file: string; what: string; bytesDamaged: number } {
  for (;;) {
    const file = base.files[pick(base.files.length)]!;
    const damage = damages[pick(damages.length)]!;
    if (damage.of !== undefined && !damage.of.test(file)) continue;
    if (file === 'node.json' && !damagesOfSettings.includes(damage.name)) continue;
    const path = join(dir, file);
    const before = readFileSync(path);
    const after = damage.apply(before, pick, path);
    if (after !== null && before.equals(after)) continue;
    if (after === null) rmSync(path);
    else writeFileSync(path, after);
    return { file, what: damage.name, bytesDamaged: differingBytes(before, after) };
  }
}

function outcomeOf(base: Base, dir: string, report: AuditReport): Outcome {
  if (!report.isSound) return 'detected';
  if (isDeepStrictEqual(logicalContent(dir), base.content)) return 'harmless';
  return report.notes.some(({ code, class: kind }) => !base.notes.includes(`${kind} ${code}`)) ? 'noted' : 'missed';
}

async function liveAndAsk(
  { bases, peers }: Bench,
  base: Base,
  dir: string,
  pick: Pick,
): Promise<{ lives: Lives; falseAnswers: string[] }> {
  const falseAnswers: string[] = [];
  /** Of the last life that was asked. */
  let lacking: readonly string[] = [];
  const lives = await live(dir, peers, async (asked) => {
    // After a repair it may be where its peers are.
    const { questions, truth, height: truthHeight } = asked.height > base.height ? bases[0] : base;
    const some = someOf(questions, questionsMax, pick);
    const { height, settledHeight } = asked;
    const told = judge(await answersOf(asked, some), some, truth, { height, settledHeight, truthHeight });
    falseAnswers.push(...told.wrong);
    lacking = told.lacking;
  });
  // Who finds nothing wrong with itself must have everything.
  return { lives, falseAnswers: lives.people === null ? [...falseAnswers, ...lacking] : falseAnswers };
}

type Lived = {
  readonly dir: string;
  readonly file: string;
  readonly lives: Lives;
  readonly report: AuditReport;
};

type Healing = { readonly healedBy: Trial['healedBy']; readonly why: string };

/** Of what the node itself cannot mend: files that are put back from where the operator keeps them. */
const peoplesFiles = /^(?:node\.json|genesis\.cbor|keys\/.*)$/;

async function healingOf(bench: Bench, base: Base, { dir, file, lives, report }: Lived): Promise<Healing> {
  const isPeoples = peoplesFiles.test(file);
  const isStopped = lives.people !== null;
  if (isStopped && !isPeoples) return { healedBy: null, why: toldOf(lives) };
  const isNamed = !isStopped || errorOf(lives.people).code !== 'node.failed';
  if (!isNamed) return { healedBy: null, why: toldOf(lives) };
  if (isStopped) return putBack(bench, base, dir, file);
  let again = orFail(await auditFolder(dir, { replay: true }));
  // Commits whose log was damaged are gone, and what is left is true.
  const isLost = ({ class: kind, code }: Finding): boolean => kind === 'block' && code === 'audit.behind';
  if (/^data\/chain\.db/.test(file) && again.findings.some(isLost)) {
    await catchUp(dir, bench.peers());
    await live(dir, bench.peers, async () => undefined);
    again = orFail(await auditFolder(dir, { replay: true }));
  }
  // Of its record it may know that it is lost; or what it lacks of it stands in the chain, which this finding does not look at.
  const isOfRecord = /\.(?:journal|mark)$/.test(file);
  const isKnown = ({ class: kind, code }: Finding): boolean => isOfRecord && kind === 'mark' && code === 'audit.behind';
  const isVerdict = ({ what }: Finding): boolean => what.endsWith('(verdicts)');
  const otherReasons = new Set(again.findings.filter(isVerdict).map(({ where }) => where.height));
  // The view has the reasons of the chain.
  const isReasonOfView = ({ what, where }: Finding): boolean =>
    what.endsWith('(rows)') && otherReasons.has(where.height);
  const isReason = (finding: Finding): boolean =>
    isVerdict(finding) ||
    isReasonOfView(finding) ||
    finding.where.table === 'messages' ||
    finding.where.table === 'codes';
  const open = again.findings
    .filter((finding) => !isReason(finding))
    .filter((finding) => !(isKnown(finding) || (lives.isRolledBack && finding.class === 'mark')));
  if (open.length > 0 && isPeoples && report.findings.length > 0) return putBack(bench, base, dir, file);
  if (open.length > 0) return { healedBy: null, why: `${JSON.stringify(open.slice(0, 2))} after ${toldOf(lives)}` };
  const healed = chainContent(dir);
  const truth = bench.contents.find(({ height }) => height === healed.height) ?? bench.contents[0]!;
  const differing = differingTables(healed, truth);
  if (differing.length > 0) return { healedBy: null, why: `${differing.join()} differ after ${toldOf(lives)}` };
  return { healedBy: 'node', why: '' };
}

/** What people do then, and that it is enough. */
async function putBack({ peers }: Bench, base: Base, dir: string, file: string): Promise<Healing> {
  cpSync(join(base.dir, file), join(dir, file));
  const lives = await live(dir, peers, async () => undefined);
  const { isSound, findings } = orFail(await auditFolder(dir, { replay: true }));
  if (lives.people === null && isSound) return { healedBy: 'people', why: '' };
  return { healedBy: null, why: `put back, and still ${toldOf(lives)}; ${JSON.stringify(findings.slice(0, 2))}` };
}

function toldOf({ ailments, people }: Lives): string {
  const told = ailments.map(({ code, message }) => `${code} (${message.slice(0, 160)})`).join(', then ');
  return `${told || 'nothing'}${people === null ? '' : ', and no repair'}`;
}

/** What the folder is before anything is damaged; it must be sound, or no trial means anything. */
async function baseOf(name: Base['name'], dir: string, anchor: TrustAnchor, peers: () => Peers): Promise<Base> {
  const report = orFail(await auditFolder(dir, { replay: true }));
  if (!report.isSound) throw new Error(`the undamaged folder is called damaged: ${JSON.stringify(report.findings)}`);
  const content = logicalContent(dir);
  const genesis = new Uint8Array(readFileSync(join(dir, 'genesis.cbor')));
  const questions = questionsOf(dir, anchor, orFail(decodeGenesis(genesis)));
  for (const database of ['chain.db', 'view.db']) rmSync(join(dir, 'data', `${database}-shm`), { force: true });
  const notes = report.notes.map(({ class: kind, code }) => `${kind} ${code}`);
  const { truth, height } = await truthOf(dir, questions, peers);
  return { name, dir, files: filesIn(dir), content, notes, questions, truth, height };
}

async function truthOf(from: string, questions: readonly Question[], peers: () => Peers) {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-corrupt-truth-'));
  try {
    cpSync(from, dir, { recursive: true });
    let told: { truth: Truth; height: number } | null = null;
    const lives = await live(dir, peers, async (asked) => {
      told = { truth: await answersOf(asked, questions), height: asked.height };
    });
    if (told === null || lives.ailments.length > 0) throw new Error(`the undamaged folder ails: ${toldOf(lives)}`);
    return told as { truth: Truth; height: number };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function filesIn(dir: string): string[] {
  const named = (folder: string, pattern: RegExp): string[] =>
    readdirSync(join(dir, folder))
      .filter((name) => pattern.test(name) && readFileSync(join(dir, folder, name)).length > 0)
      .map((name) => join(folder, name));
  const founding = ['node.json', 'genesis.cbor', ...named('keys', /\.key$/)];
  const marks = named('keys', /\.mark$/);
  const journal = named('data/journal', /\.journal$/);
  // Most of what a node has lies in these: more trials than all others.
  const databases = named('data', /^(?:chain|view)\.db(?:-wal)?$/);
  const chain = databases.filter((file) => file.includes('chain'));
  return [
    ...founding,
    ...marks,
    ...marks,
    ...journal,
    ...databases,
    ...databases,
    ...databases,
    ...chain,
    ...chain,
  ].filter((file) => existsSync(join(dir, file)));
}

function classOf(file: string): string {
  if (file.endsWith('.journal')) return 'journal';
  if (file.endsWith('.mark')) return 'mark';
  return file.endsWith('.key') ? 'keys' : file.replace(/^.*\//, '');
}
