/**
 * A warm process of the mutation run: it loads the instrumented sources and the tests once, then switches mutants on and
 * off. Commands come over the channel to the parent; answers go to file descriptor 3, written at once, so that the parent
 * sees which test a process was in when it has to end it.
 *
 * A test that killed a mutant runs once more without it, and then with it. Should it not pass the one and fail the other,
 * some mutant left something behind in this process: the verdict is void ("tainted"), and the parent repeats it in a
 * new process.
 */
import { readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { type RegisteredTest, registeredTests, registerFile } from './test-registry.ts';

export type Setup = {
  readonly root: string;
  readonly sources: Readonly<Record<string, string>>;
  readonly testFiles: readonly string[];
  readonly highestId: number;
};

export type Command =
  | { readonly type: 'measure' }
  /** `limits`: how often each of the tests may come by the mutant before it counts as an endless loop. */
  | {
      readonly type: 'try';
      readonly id: string;
      readonly tests: readonly number[];
      readonly limits: readonly number[];
    };

export type Measured = {
  readonly name: string;
  readonly ms: number;
  readonly failure: string | null;
  /** How often the test came by each mutant, by id; the greater of two runs. */
  readonly hits: Readonly<Record<string, number>>;
  /** Mutants that only the first run came by: something is kept from run to run. */
  readonly onlyFirst: readonly string[];
};

export type Answer =
  | { readonly type: 'loaded'; readonly hits: Readonly<Record<string, number>> }
  | { readonly type: 'measured'; readonly test: Measured }
  | { readonly type: 'done' }
  | { readonly type: 'running'; readonly test: number }
  | { readonly type: 'verdict'; readonly verdict: 'killed' | 'limit' | 'survived' | 'tainted'; readonly test: number };

/** Seeds are fixed: the same sources and tests give the same score. */
const fuzzSeed = 1;

const [setupPath, activeAtLoad = '', limitAtLoad = '0'] = process.argv.slice(2);
const setup = JSON.parse(readFileSync(setupPath!, 'utf8')) as Setup;
const mutantSwitch = installSwitch();
process.env.FUZZ_SEED = String(fuzzSeed);
// A failing property is not shrunk: that it fails is all that is asked.
fc.configureGlobal({ seed: fuzzSeed, endOnFailure: true });
console.log = () => undefined;
// A test hands its failure over as a rejected promise; what is left over is none of its business.
process.on('unhandledRejection', () => undefined);

mutantSwitch.turnOn(activeAtLoad, Number(limitAtLoad));
await loadTests();
answer({ type: 'loaded', hits: mutantSwitch.takeHits() });
mutantSwitch.turnOn('', 0);
process.on('message', (command: Command) => void obey(command));

async function obey(command: Command): Promise<void> {
  if (command.type === 'measure') await measure();
  else await tryMutant(command);
}

async function measure(): Promise<void> {
  for (const registered of registeredTests()) {
    mutantSwitch.takeHits();
    const failed = await failureOf(registered);
    const first = mutantSwitch.takeHits();
    const startedMs = performance.now();
    const failure = failed ?? (await failureOf(registered));
    const ms = performance.now() - startedMs;
    const second = mutantSwitch.takeHits();
    const onlyFirst = Object.keys(first).filter((id) => second[id] === undefined);
    const hits = { ...first };
    for (const [id, count] of Object.entries(second)) hits[id] = Math.max(count, first[id] ?? 0);
    answer({ type: 'measured', test: { name: registered.name, ms, failure, hits, onlyFirst } });
  }
  answer({ type: 'done' });
}

async function tryMutant({ id, tests, limits }: Extract<Command, { type: 'try' }>): Promise<void> {
  for (const [index, test] of tests.entries()) {
    answer({ type: 'running', test });
    const outcome = await outcomeWith(id, test, limits[index]!);
    if (outcome === 'survived') continue;
    const isTainted =
      activeAtLoad === '' &&
      ((await failureOf(registeredTests()[test]!)) !== null ||
        (await outcomeWith(id, test, limits[index]!)) !== outcome);
    answer({ type: 'verdict', verdict: isTainted ? 'tainted' : outcome, test });
    return;
  }
  answer({ type: 'verdict', verdict: 'survived', test: -1 });
}

async function outcomeWith(id: string, test: number, limit: number): Promise<'killed' | 'limit' | 'survived'> {
  mutantSwitch.turnOn(id, limit);
  const failure = await failureOf(registeredTests()[test]!);
  const isOverLimit = mutantSwitch.isOverLimit();
  mutantSwitch.turnOn('', 0);
  return isOverLimit ? 'limit' : failure === null ? 'survived' : 'killed';
}

async function failureOf({ run }: RegisteredTest): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    return String(error instanceof Error ? error.stack : error);
  }
}

/** What the header of every instrumented source takes: see `header` in instrument.ts. */
function installSwitch() {
  let active = '';
  let passes = 0;
  let limit = 0;
  const hits = new Uint32Array(setup.highestId + 1);
  const isActive = (id: string): boolean => {
    if (id !== active) return false;
    passes++;
    if (passes > limit) throw new Error('the mutant loops');
    return true;
  };
  const cover = (...ids: string[]): void => {
    for (const id of ids) hits[Number(id)]!++;
  };
  const isMeasuring = process.argv.includes('--measure');
  Object.assign(globalThis, { mutantSwitch: { isActive, cover: isMeasuring ? cover : () => undefined } });
  return {
    turnOn(id: string, passesMax: number): void {
      active = id;
      passes = 0;
      limit = passesMax;
    },
    isOverLimit: () => passes > limit,
    takeHits(): Record<string, number> {
      const taken: Record<string, number> = {};
      for (const [id, count] of hits.entries()) if (count > 0) taken[id] = count;
      hits.fill(0);
      return taken;
    },
  };
}

async function loadTests(): Promise<void> {
  const registryUrl = new URL('./test-registry.ts', import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'node:test' ? { url: registryUrl, shortCircuit: true } : next(specifier, context),
    load: (url, context, next) => {
      const source = setup.sources[url];
      return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
    },
  });
  for (const file of setup.testFiles)
    await registerFile(file, () => import(pathToFileURL(join(setup.root, file)).href));
}

function answer(value: Answer): void {
  writeSync(3, `${JSON.stringify(value)}\n`);
}
