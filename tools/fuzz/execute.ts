/**
 * Runs targets on inputs drawn from a seed and judges each execution: a value or a refusal with a code, in bounded time;
 * what was accepted must encode again to the same value, and to the very same bytes where one value has one encoding.
 *
 * The n-th input of a target depends on the seed, the target's name and n alone, so a crash is replayed without what came
 * before it.
 */
import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';
import { createRandom } from '../../packages/sim/src/random.ts';
import { type Corpus, createCorpus, drawInput } from './mutator.ts';
import type { Target, Verdict } from './target.ts';

/** An input that takes more of this thread's time on a core is a fault; what else runs on the machine does not count. */
export const durationMsMax = 1_000;
/** Above this an input is worth a look. */
export const slowMs = 50;

export type Crash = {
  readonly target: string;
  readonly seed: number;
  /** Which input of that seed. */
  readonly index: number;
  readonly input: Uint8Array;
  readonly what: string;
};

export type TargetReport = {
  readonly name: string;
  executions: number;
  accepted: number;
  crashes: number;
  slow: number;
  slowestMs: number;
  /** Refusals by code. */
  readonly codes: Map<string, number>;
};

const corpora = new Map<string, Corpus>();

function corpusOf(target: Target): Corpus {
  let corpus = corpora.get(target.name);
  if (corpus === undefined) {
    corpus = createCorpus(target.corpus());
    corpora.set(target.name, corpus);
  }
  return corpus;
}

/** The n-th input of a seed. */
export function inputOf(target: Target, seed: number, index: number): Uint8Array {
  let mixed = seed >>> 0;
  for (let i = 0; i < target.name.length; i++) mixed = Math.imul(mixed ^ target.name.charCodeAt(i), 0x0100_0193);
  const random = createRandom(Math.imul(mixed ^ index, 0x9e37_79b1) ^ (index >>> 16));
  return drawInput(random, corpusOf(target), target.sizeMax + (target.hasOwnLimit === true ? 1 : 0));
}

/** Judges one execution; null when all is well. What a target measures of time is in `report`. */
export async function execute(
  target: Target,
  bytes: Uint8Array,
  report: TargetReport,
  limitMs = durationMsMax,
): Promise<string | null> {
  const start = process.threadCpuUsage();
  let verdict: Verdict;
  try {
    const answer = target.run(bytes);
    verdict = answer instanceof Promise ? await answer : answer;
  } catch (error) {
    report.executions++;
    if (target.isDeclared?.(error) === true) return null;
    return `threw ${error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)}`;
  }
  const { user, system } = process.threadCpuUsage(start);
  const durationMs = (user + system) / 1000;
  report.executions++;
  if (durationMs > slowMs) report.slow++;
  if (durationMs > report.slowestMs) report.slowestMs = durationMs;
  if (durationMs > limitMs) return `took ${Math.round(durationMs)} ms`;
  if (!verdict.ok) {
    report.codes.set(verdict.code, (report.codes.get(verdict.code) ?? 0) + 1);
    return null;
  }
  report.accepted++;
  if (bytes.length > target.sizeMax) return `accepted ${bytes.length} bytes, more than its limit of ${target.sizeMax}`;
  return target.encode === undefined ? null : checkEncoding(target, bytes, verdict.value);
}

function checkEncoding(target: Target, bytes: Uint8Array, value: unknown): string | null {
  const encode = target.encode as (value: unknown) => Uint8Array;
  try {
    const again = encode(value);
    if (target.isCanonical === true)
      return Buffer.compare(again, bytes) === 0 ? null : 'is accepted, and encodes to other bytes';
    const second = target.run(again) as Verdict;
    if (!second.ok) return `encodes to what is refused (${second.code})`;
    return isDeepStrictEqual(second.value, value) ? null : 'does not come back from its encoding';
  } catch (error) {
    return `is accepted, and encoding it threw ${error instanceof Error ? error.stack : JSON.stringify(error)}`;
  }
}

export function createReport(name: string): TargetReport {
  return { name, executions: 0, accepted: 0, crashes: 0, slow: 0, slowestMs: 0, codes: new Map() };
}

/**
 * The same crash with less input: chunks and single bytes are taken away, and bytes made zero, as long as it crashes.
 *
 * @param isCrash whether an input still crashes
 */
export async function shrink(
  input: Uint8Array,
  isCrash: (bytes: Uint8Array) => Promise<boolean>,
  triesMax = 4_000,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (tries++ >= triesMax || !(await isCrash(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.max(1, best.length >> 1); size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && tries < triesMax; ) {
      const without = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (!(await attempt(new Uint8Array(without)))) at += size;
    }
  }
  for (let at = 0; at < best.length && tries < triesMax; at++) {
    if (best[at] === 0) continue;
    const simpler = best.slice();
    simpler[at] = 0;
    await attempt(simpler);
  }
  return best;
}

/** Runs `count` inputs of a seed, from the `from`-th on; crashes are shrunk and told. */
export async function runTarget(
  target: Target,
  seed: number,
  count: number,
  options: { readonly from?: number; readonly onCrash: (crash: Crash) => void; readonly crashesMax?: number },
): Promise<TargetReport> {
  const report = createReport(target.name);
  const from = options.from ?? 0;
  for (let index = from; index < from + count; index++) {
    const bytes = inputOf(target, seed, index);
    const what = await execute(target, bytes, report);
    if (what === null) continue;
    report.crashes++;
    const scratch = createReport(target.name);
    const input = await shrink(bytes, async (candidate) => (await execute(target, candidate, scratch)) !== null);
    options.onCrash({ target: target.name, seed, index, input, what });
    if (report.crashes >= (options.crashesMax ?? 5)) break;
  }
  return report;
}
