/** Runs Spin over agreement.pml: exhaustively, through the verifier it generates, or along one simulator run. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const model = fileURLToPath(new URL('agreement.pml', import.meta.url));

export type Definitions = Readonly<Record<string, number | true>>;

export type Verdict = {
  /** The assertion that does not hold, and the steps that lead there; null when all hold in every state. */
  readonly violation: { readonly assertion: string; readonly steps: readonly string[] } | null;
  readonly states: number;
  readonly seconds: number;
};

/** More than any check here takes; of a verifier. */
const memoryMbMax = 6_000;
const millisecondsMax = 1_800_000;
/** Steps of the verifier, several for each vote; the deepest run here has less than 200. */
const depthMax = 2_000;

/** What a check needs and does not find on this machine; null when all is there. */
export async function whatIsMissing(): Promise<string | null> {
  for (const command of ['spin', 'gcc']) {
    const found = await run(command, [command === 'spin' ? '-V' : '--version'], tmpdir());
    if (found === null) return `${command} is not installed (apt-get install spin gcc)`;
  }
  return null;
}

/** Looks at every state within the bound. Throws when the verifier gave up before it was through. */
export async function verify(definitions: Definitions): Promise<Verdict> {
  return inFolder(async (folder) => {
    copyFileSync(model, join(folder, 'agreement.pml'));
    const flags = Object.entries(definitions).map(([name, value]) => `-D${name}${value === true ? '' : `=${value}`}`);
    await must('spin', [...flags, '-a', 'agreement.pml'], folder);
    // Where there is little to search, compiling would take longest.
    const optimized = definitions.VIEWS === 2 || isMutant(definitions) ? '-O0' : '-O2';
    const compiling = ['-w', optimized, '-DSAFETY', '-DNOREDUCE', `-DMEMLIM=${memoryMbMax}`, '-o', 'pan', 'pan.c'];
    await must('gcc', compiling, folder);
    const text = await must(join(folder, 'pan'), [`-m${depthMax}`, '-w22'], folder);
    const count = Number(/(\d+) states, stored/.exec(text)?.[1] ?? Number.NaN);
    const errors = /errors: (\d+)/.exec(text)?.[1];
    const assertion = /assertion violated (.*) \(at depth/.exec(text)?.[1];
    const isThrough = !/max search depth too small|Search not completed|out of memory|reached -DMEMLIM/.test(text);
    if (errors === undefined || (errors === '0' && !isThrough) || (errors !== '0' && assertion === undefined))
      throw new Error(`the verifier did not finish:\n${text}`);
    const seconds = Number(/elapsed time ([\d.]+) seconds/.exec(text)?.[1] ?? 0);
    if (assertion === undefined) return { violation: null, states: count, seconds };
    const trail = await must('spin', [...flags, '-t', '-T', 'agreement.pml'], folder);
    const steps = trail.split('\n').flatMap((line) => /^\s*(step: .*)$/.exec(line)?.[1] ?? []);
    return { violation: { assertion, steps }, states: count, seconds };
  });
}

function isMutant(definitions: Definitions): boolean {
  return Object.keys(definitions).some((name) => name.startsWith('WITHOUT_'));
}

/**
 * Takes the steps of a simulator run, written by trace.ts.
 *
 * @returns how many steps the model allows, and the assertion that the next one breaks, if there is one
 */
export async function replay(promela: string): Promise<{ allowedCount: number; assertion: string | null }> {
  return inFolder(async (folder) => {
    copyFileSync(model, join(folder, 'agreement.pml'));
    writeFileSync(join(folder, 'trace.pml'), promela);
    const text = await must('spin', ['-T', 'trace.pml'], folder);
    const stepsCount = /stepsCount = (\d+)/.exec(text)?.[1];
    if (stepsCount === undefined) throw new Error(`the trace was not replayed:\n${text.slice(0, 2_000)}`);
    const assertion = /text of failed assertion: assert\((.*)\)/.exec(text)?.[1] ?? null;
    return { allowedCount: Number(stepsCount) - (assertion === null ? 0 : 1), assertion };
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-model-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function must(command: string, args: readonly string[], folder: string): Promise<string> {
  const text = await run(command, args, folder);
  if (text === null) throw new Error(`${command} is not installed`);
  return text;
}

/** What a command wrote, whatever its exit code: spin's and the verifier's say nothing. Null when there is no such command. */
function run(command: string, args: readonly string[], folder: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, timeout: millisecondsMax, maxBuffer: 64 << 20 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error !== null && 'code' in error && error.code === 'ENOENT') resolve(null);
      else if (error?.killed === true) reject(new Error(`${command} took longer than ${millisecondsMax} ms`));
      else resolve(stdout + stderr);
    });
  });
}
