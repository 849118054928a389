/**
 * Runs worlds from the command line. Exit code 1 when a world breaks a promise or stalls, 2 when it is called wrongly.
 */
import process from 'node:process';
import { adversaryNames } from './adversaries/index.ts';
import { Arguments } from './arguments.ts';
import { drawPlan, type WorldKind, type WorldMode, type WorldOptions } from './plan.ts';
import { installQuickPlatform } from './quick-platform.ts';
import { isBad, textOfReport } from './report.ts';
import { replayCommand, shrinkWorld } from './shrink.ts';
import { sweep } from './sweep.ts';
import { createTrace } from './trace.ts';
import { runPlan, worldOf } from './world.ts';

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
  --faults-ms MS             how long faults happen; drawn from the seed without it
  --changes                  the validator set changes; in a quarter of the worlds without it
  --faults 0,3,5|none  --adversaries 1,2|none  --until MS
                             only these of what is planned, as a shrunk world says`;

const args = new Arguments(usage, {
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
    'faults-ms': { type: 'string' },
    until: { type: 'string' },
    changes: { type: 'boolean' },
    trace: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const { values, positionals } = args.given;
const kinds: readonly WorldKind[] = ['storm', 'restarts', 'calm'];
const modes: readonly WorldMode[] = ['safety', 'liveness'];

const world: Partial<WorldOptions> = {
  ...(values.nodes === undefined ? {} : { nodesCount: args.readCount(values.nodes, 1, 40) }),
  ...(values.kind === undefined ? {} : { kind: args.readName(values.kind, kinds) }),
  ...(values.mode === undefined ? {} : { mode: args.readName(values.mode, modes) }),
  ...(values.byzantine === undefined ? {} : { byzantineCount: args.readCount(values.byzantine, 0, 40) }),
  ...(values.adversary === undefined ? {} : { adversary: args.readName(values.adversary, adversaryNames) }),
  ...(values.faults === undefined ? {} : { keptFaults: readList(values.faults) }),
  ...(values.adversaries === undefined ? {} : { keptByzantine: readList(values.adversaries) }),
  ...(values['faults-ms'] === undefined ? {} : { faultsMs: args.readCount(values['faults-ms'], 0, 1e9) }),
  ...(values.changes === undefined ? {} : { changes: values.changes }),
  ...(values.until === undefined ? {} : { untilMs: args.readCount(values.until, 0, 1e9) }),
};

if ((world.byzantineCount ?? 0) >= (world.nodesCount ?? 4)) args.refuse('somebody must be honest: give more --nodes');
const seedMax = 2 ** 32 - 1;

installQuickPlatform();
if (values.seeds === undefined) {
  if (positionals.length !== 1) args.refuse(`one seed, or --seeds N; this is ${positionals.length} seeds`);
  runOne(args.readCount(positionals[0]!, 0, seedMax));
} else {
  if (positionals.length > 0 || values.trace || values.shrink)
    args.refuse('a trace, or a shrunk world, is of one seed');
  const from = args.readCount(values.from, 0, seedMax);
  await runMany(from, args.readCount(values.seeds, 1, seedMax + 1 - from));
}

function runOne(seed: number): void {
  const options: WorldOptions = { ...worldOf(seed), ...world };
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
    ...(values.workers === undefined ? {} : { workersCount: args.readCount(values.workers, 1, 256) }),
    onBad: (report) => {
      const { seed, nodesCount } = report;
      if (!values.json) console.log(textOfReport(report, replayCommand({ ...worldOf(seed), ...world, nodesCount })));
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

function readList(text: string): number[] {
  return text === 'none' ? [] : text.split(',').map((item) => args.readCount(item, 0, 1e6));
}
