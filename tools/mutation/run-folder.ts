/**
 * The verdict on every mutant of a folder.
 *
 * First all tests run without any mutant, to learn which test comes by which mutant. Then each mutant is tried, in a warm
 * process, against the tests that come by it, the quickest first. A mutant that is come by while files are loaded, or only
 * in the first run of a test, may hide behind what the process has kept: if it survives, it is tried again in a process of
 * its own, where it is on from the start.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Instrumented, Mutant } from './instrument.ts';
import type { Measured, Setup } from './worker.ts';
import { WorkerProcess } from './worker-process.ts';

export type Status = 'killed' | 'timeout' | 'survived' | 'no coverage' | 'ignored';
/** `by`: the test that killed it. */
export type Verdict = { readonly mutant: Mutant; readonly status: Status; readonly by?: string };

type Trial = { readonly status: 'killed' | 'timeout' | 'survived' | 'tainted'; readonly test: number };

/** A loop is endless when a test comes by it this many times as often as without the mutant. */
const passesFactor = 100;
const passesSpare = 1_000;
/** How long a test may take, over what it took without the mutant. Ample: the machine may be busy. */
const patienceFactor = 10;
const patienceSpareMs = 5_000;
const patienceLoadMs = 60_000;
const patienceMeasureMs = 120_000;

/** The id of none. */
const noMutant = 'none';

export type FolderRun = {
  readonly root: string;
  readonly instrumented: Instrumented;
  readonly testFiles: readonly string[];
  /** Verdicts known already: those mutants are not tried. */
  readonly known: (mutant: Mutant) => Verdict | undefined;
  /** Called after each mutant, with all verdicts so far. */
  readonly onProgress: (verdicts: readonly Verdict[]) => void;
};

export async function runFolder(run: FolderRun): Promise<Verdict[]> {
  const { mutants, sources } = run.instrumented;
  const folder = mkdtempSync(join(tmpdir(), 'cairn-mutation-'));
  const setupPath = join(folder, 'setup.json');
  const highestId = mutants.reduce((highest, { id }) => Math.max(highest, Number(id)), 0);
  const setup: Setup = { root: run.root, sources, testFiles: run.testFiles, highestId };
  writeFileSync(setupPath, JSON.stringify(setup));
  const bench = new Bench(setupPath, mutants);
  try {
    await bench.measure();
    const verdicts: Verdict[] = [];
    for (const mutant of inMixedOrder(mutants)) {
      verdicts.push(run.known(mutant) ?? (await bench.judge(mutant)));
      run.onProgress(verdicts);
    }
    return verdicts.sort((a, b) => Number(a.mutant.id) - Number(b.mutant.id));
  } finally {
    bench.close();
    rmSync(folder, { recursive: true });
  }
}

/** The same order each time, in which any beginning is a fair sample of all files: so a score shows early. */
function inMixedOrder(mutants: readonly Mutant[]): Mutant[] {
  const placeOf = ({ id }: Mutant): number => Math.imul(Number(id), 0x9e3779b1) >>> 0;
  return mutants.toSorted((a, b) => placeOf(a) - placeOf(b));
}

class Bench {
  private readonly setupPath: string;
  private readonly mutants: readonly Mutant[];
  private tests: Measured[] = [];
  private loadHits: Readonly<Record<string, number>> = {};
  private worker: WorkerProcess | null = null;

  constructor(setupPath: string, mutants: readonly Mutant[]) {
    this.setupPath = setupPath;
    this.mutants = mutants;
  }

  close(): void {
    this.worker?.end();
    this.worker = null;
  }

  /** Runs every test twice without a mutant; throws when one fails. */
  async measure(): Promise<void> {
    const worker = new WorkerProcess({ setupPath: this.setupPath, isMeasuring: true });
    const loaded = await worker.next(patienceLoadMs);
    if (loaded.type !== 'loaded') throw new Error('sources or tests do not load: run the tests first');
    this.loadHits = loaded.hits;
    worker.send({ type: 'measure' });
    for (;;) {
      const answer = await worker.next(patienceMeasureMs);
      if (answer.type === 'done') break;
      if (answer.type !== 'measured') throw new Error(`a test ended its process, after ${this.tests.at(-1)?.name}`);
      if (answer.test.failure !== null) {
        worker.end();
        throw new Error(`fails without any mutant: ${answer.test.name}\n${answer.test.failure}`);
      }
      this.tests.push(answer.test);
    }
    worker.end();
  }

  async judge(mutant: Mutant): Promise<Verdict> {
    if (mutant.isIgnored) return { mutant, status: 'ignored' };
    const covering = [...this.tests.keys()].filter((test) => this.tests[test]!.hits[mutant.id] !== undefined);
    const isStatic = this.loadHits[mutant.id] !== undefined;
    if (covering.length === 0 && !isStatic) return { mutant, status: 'no coverage' };
    let trial: Trial = { status: 'survived', test: -1 };
    if (covering.length > 0) trial = await this.tryWarm(mutant, this.quickestFirst(covering));
    const isHidden = isStatic || covering.some((test) => this.tests[test]!.onlyFirst.includes(mutant.id));
    if (trial.status === 'tainted' || (trial.status === 'survived' && isHidden)) {
      trial = await this.tryFresh(mutant, this.quickestFirst(isStatic ? this.testsOfFile(mutant) : covering));
    }
    const by = this.tests[trial.test]?.name;
    return { mutant, status: trial.status as Status, ...(by !== undefined && { by }) };
  }

  /** Tests that come by anything in the mutant's file; all tests where none does: then it holds constants only. */
  private testsOfFile({ file }: Mutant): number[] {
    const all = [...this.tests.keys()];
    const ids = this.mutants.filter((mutant) => mutant.file === file).map(({ id }) => id);
    const found = all.filter((test) => ids.some((id) => this.tests[test]!.hits[id] !== undefined));
    return found.length > 0 ? found : all;
  }

  private quickestFirst(tests: readonly number[]): number[] {
    return tests.toSorted((a, b) => this.tests[a]!.ms - this.tests[b]!.ms || a - b);
  }

  private async tryWarm(mutant: Mutant, tests: readonly number[]): Promise<Trial> {
    const trial = await this.tryIn(await this.warmWorker(), mutant.id, tests);
    if (trial.status === 'tainted') {
      this.close();
      await this.requireClean(trial.test);
    }
    return trial;
  }

  private async warmWorker(): Promise<WorkerProcess> {
    if (this.worker !== null) return this.worker;
    const worker = new WorkerProcess({ setupPath: this.setupPath });
    const loaded = await worker.next(patienceLoadMs);
    if (loaded.type !== 'loaded') throw new Error('sources or tests load no longer: were they changed meanwhile?');
    this.worker = worker;
    return worker;
  }

  /** A test that fails without any mutant in a new process says that sources changed during the run: nothing counts then. */
  private async requireClean(test: number): Promise<void> {
    const trial = await this.tryIn(await this.warmWorker(), noMutant, [test]);
    if (trial.status !== 'survived')
      throw new Error(`fails without any mutant now, were sources changed meanwhile? ${this.tests[test]!.name}`);
  }

  private async tryFresh(mutant: Mutant, tests: readonly number[]): Promise<Trial> {
    const limit = passesMaxOf(this.loadHits[mutant.id]);
    const worker = new WorkerProcess({ setupPath: this.setupPath, atLoad: { id: mutant.id, limit } });
    const loaded = await worker.next(patienceLoadMs);
    // Sources or tests that no longer load are noticed by anybody.
    if (loaded.type === 'ended') return { status: loaded.wasSilent ? 'timeout' : 'killed', test: -1 };
    const trial = await this.tryIn(worker, mutant.id, tests);
    worker.end();
    return trial;
  }

  private async tryIn(worker: WorkerProcess, id: string, tests: readonly number[]): Promise<Trial> {
    const limits = tests.map((test) => passesMaxOf(this.tests[test]!.hits[id]));
    worker.send({ type: 'try', id, tests, limits });
    let running = tests[0]!;
    for (;;) {
      // A test that kills a mutant runs three times.
      const answer = await worker.next(patienceSpareMs + 3 * patienceFactor * this.tests[running]!.ms);
      if (answer.type === 'running') running = answer.test;
      // Killed by the watch, or out of memory: both are loops without end.
      if (answer.type === 'ended') {
        if (worker === this.worker) this.worker = null;
        return { status: 'timeout', test: running };
      }
      if (answer.type === 'verdict')
        return { status: answer.verdict === 'limit' ? 'timeout' : answer.verdict, test: answer.test };
    }
  }
}

function passesMaxOf(hits = 0): number {
  return passesFactor * hits + passesSpare;
}
