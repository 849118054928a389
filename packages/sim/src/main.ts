/**
 * Runs worlds from the command line. Exit code 1 when a world breaks a promise or stalls, 2 when it is called wrongly.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { adversaryNames } from './adversaries/index.ts';
import { installNativeHash } from './native-hash.ts';
import { drawPlan, type WorldKind, type WorldMode, type WorldOptions } from './plan.ts';
import { isBad, textOfReport } from './report.ts';
import { replayCommand, shrinkWorld } from './shrink.ts';
import { sweep } from './sweep.ts';
import { createTrace } from './trace.ts';
import { defaultWorld, runPlan, sizeOf } from './world.ts';

const usage = `usage:
  npm run sim -- <seed> [options]            one world, told in full
      --trace [--full]                       who sent what, which rule fired
      --shrink                               the shortest world that fails in the same way
  npm run sim -- --seeds N [--from S] [--json] [--workers N] [options]
                                             many worlds
options:
  --nodes N                  validators; drawn from the seed without it
  --kind storm|restarts|calm --mode safety|liveness
  --byzantine N              so many Byzantine nodes; with more than f the chain may fork, and who did it must be named
  --adversary NAME           what all of them are: a file in src/adversaries
  --faults 0,3,5|none  --adversaries 1,2|none  --until MS
                             only these of what is planned, as a shrunk world says`;

const { values, positionals } = readArguments();
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const kinds: readonly WorldKind[] = ['storm', 'restarts', 'calm'];
const modes: readonly WorldMode[] = ['safety', 'liveness'];

const world: Partial<WorldOptions> = {
  ...(values.nodes === undefined ? {} : { nodesCount: readCount(values.nodes, 1, 40) }),
  ...(values.kind === undefined ? {} : { kind: readName(values.kind, kinds) }),
  ...(values.mode === undefined ? {} : { mode: readName(values.mode, modes) }),
  ...(values.byzantine === undefined ? {} : { byzantineCount: readCount(values.byzantine, 0, 40) }),
  ...(values.adversary === undefined ? {} : { adversary: readName(values.adversary, adversaryNames) }),
  ...(values.faults === undefined ? {} : { keptFaults: readList(values.faults) }),
  ...(values.adversaries === undefined ? {} : { keptByzantine: readList(values.adversaries) }),
  ...(values.until === undefined ? {} : { untilMs: readCount(values.until, 0, 1e9) }),
};

if ((world.byzantineCount ?? 0) >= (world.nodesCount ?? 4)) refuse('somebody must be honest: give more --nodes');
const seedMax = 2 ** 32 - 1;

installNativeHash();
if (values.seeds === undefined) {
  if (positionals.length !== 1) refuse(`one seed, or --seeds N; this is ${positionals.length} seeds`);
  runOne(readCount(positionals[0]!, 0, seedMax));
} else {
  if (positionals.length > 0 || values.trace || values.shrink) refuse('a trace, or a shrunk world, is of one seed');
  const from = readCount(values.from, 0, seedMax);
  await runMany(from, readCount(values.seeds, 1, seedMax + 1 - from));
}

function runOne(seed: number): void {
  const options: WorldOptions = { ...defaultWorld, nodesCount: sizeOf(seed), ...world, seed };
  if (values.shrink) return shrinkOne(options);
  const plan = drawPlan(options);
  const trace = createTrace({
    mode: values.full ? 'full' : 'story',
    write: (line) => console.log(line),
    validatorsCount: options.nodesCount,
    twins: plan.byzantine.flatMap(({ node, name }) => (name === 'twin' ? [node] : [])),
  });
  const report = runPlan(plan, values.trace ? trace.observe : null);
  trace.finish();
  console.log(values.json ? JSON.stringify(report) : textOfReport(report, replayCommand(options)));
  if (isBad(report)) process.exitCode = 1;
}

function shrinkOne(options: WorldOptions): void {
  const shrunk = shrinkWorld(options);
  if (shrunk === null) return console.log('this world does not fail');
  console.log(textOfReport(shrunk.report, replayCommand(shrunk.options)));
  console.log(`  after ${shrunk.runs} runs; add --trace to see it`);
  process.exitCode = 1;
}

async function runMany(from: number, count: number): Promise<void> {
  const summary = await sweep({
    from,
    count,
    world,
    ...(values.workers === undefined ? {} : { workersCount: readCount(values.workers, 1, 256) }),
    onBad: (report) => {
      const { seed, nodesCount } = report;
      if (!values.json)
        console.log(textOfReport(report, replayCommand({ ...defaultWorld, ...world, seed, nodesCount })));
    },
  });
  if (values.json) console.log(JSON.stringify(summary));
  else {
    const { seeds, blocks, views, violations, stalls, seconds, seedsPerSecond, slowestRecovery } = summary;
    console.log(`${seeds} worlds, ${blocks} blocks in ${views} views, ${seconds} s, ${seedsPerSecond} worlds/s`);
    console.log(`${violations} with violations, ${stalls} with stalls`);
    if (summary.forks > 0) console.log(`${summary.forks} with a fork`);
    console.log(`slowest recovery: ${slowestRecovery.recoveryMs} ms, seed ${slowestRecovery.seed}`);
    console.log(`most views to a commit: ${summary.viewsToCommitMax.views}, seed ${summary.viewsToCommitMax.seed}`);
  }
  if (summary.violations > 0 || summary.stalls > 0) process.exitCode = 1;
}

// --- Arguments ------------------------------------------------------------------------------------------------------

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        nodes: { type: 'string' },
        seeds: { type: 'string' },
        from: { type: 'string', default: '1' },
        workers: { type: 'string' },
        kind: { type: 'string' },
        mode: { type: 'string' },
        byzantine: { type: 'string' },
        adversary: { type: 'string' },
        faults: { type: 'string' },
        adversaries: { type: 'string' },
        until: { type: 'string' },
        trace: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        shrink: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function readCount(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    return refuse(`"${text}" is no whole number from ${min} to ${max}`);
  return value;
}

function readName<T extends string>(text: string, names: readonly T[]): T {
  return names.find((name) => name === text) ?? refuse(`"${text}" is none of ${names.join(', ')}`);
}

function readList(text: string): number[] {
  return text === 'none' ? [] : text.split(',').map((item) => readCount(item, 0, 1e6));
}

function refuse(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}
