/**
 * `npm run fuzz -- [--executions N] [--target name] [--seed S] [--from I] [--door N] [--path P] [--json]`
 *
 * Runs the decoders on N inputs, shared out by weight, then N messages through the door of a replica. Prints what was run,
 * what crashed and what was slowest; the exit code is 1 when anything crashed. Without a seed a fresh one is drawn and
 * printed; a crash is named with what replays it alone.
 */
import { randomInt } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { fuzzDoor } from './door-run.ts';
import { type Crash, runTarget, type TargetReport } from './execute.ts';
import { type HeapReport, isWithinHeap, measureHeap } from './memory.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '200000' },
    door: { type: 'string', default: '5000' },
    target: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    path: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
const isDoorAsked = values.target === undefined || values.target === 'door';
if (chosen.length === 0 && !isDoorAsked) {
  console.error(
    `no target is called ${values.target}; there are:\n  ${[...targets.map(({ name }) => name), 'door'].join('\n  ')}`,
  );
  process.exit(2);
}

const tell = (text: string): void => {
  if (!values.json) console.log(text);
};
tell(`seed ${seed}`);

const crashes: Crash[] = [];
const reports: TargetReport[] = [];
const heapBefore = heapBytes();
const heaps: HeapReport[] = [];
let heapFailures = 0;
const weights = chosen.reduce((sum, target) => sum + (target.weight ?? 1), 0);
for (const target of chosen) {
  const count = Math.ceil((Number(values.executions) * (target.weight ?? 1)) / weights);
  const report = await runTarget(target, seed, count, {
    from: Number(values.from),
    onCrash: (crash) => {
      crashes.push(crash);
      console.error(
        `${crash.target}: ${crash.what}\n  shrunk: ${Buffer.from(crash.input).toString('hex')}\n  replay: npm run fuzz -- --target '${crash.target}' --seed ${crash.seed} --from ${crash.index} --executions 1`,
      );
    },
  });
  reports.push(report);
  const heap = await measureHeap(target);
  if (heap !== null) heaps.push(heap);
  if (heap !== null && !isWithinHeap(heap)) {
    heapFailures++;
    console.error(`${target.name}: ${heap.sizeBytes} bytes took ${heap.heapBytes} bytes of heap`);
  }
  const { executions, accepted, slowestMs, slow, codes } = report;
  tell(
    `${target.name}: ${executions} executions, ${accepted} accepted, ${codes.size} codes, slowest ${slowestMs.toFixed(1)} ms${slow > 0 ? `, ${slow} over 50 ms` : ''}`,
  );
}

const door = isDoorAsked ? fuzzDoor(seed, Number(values.door), console.error, values.path) : null;
if (door !== null) tell(`door: ${JSON.stringify(door)}`);

const slowest = reports.reduce((a, b) => (b.slowestMs > a.slowestMs ? b : a), { name: 'none', slowestMs: 0 });
const hungriest = heaps.reduce<HeapReport | null>((a, b) => (a === null || b.heapBytes > a.heapBytes ? b : a), null);
const summary = {
  seed,
  executions: reports.reduce((sum, { executions }) => sum + executions, 0),
  crashes: crashes.length + heapFailures + (door?.failures ?? 0),
  slowestMs: Math.round(slowest.slowestMs * 10) / 10,
  slowestTarget: slowest.name,
  /** What stays on the heap after all of it: decoders keep nothing. Null without --expose-gc. */
  heapGrowthBytes: heapBefore === null ? null : heapBytes()! - heapBefore,
  /** The input that took the most while it was decoded. Null without --expose-gc. */
  hungriest,
  door,
  byTarget: Object.fromEntries(
    reports.map(({ name, executions, accepted, crashes: count, slow, slowestMs }) => [
      name,
      { executions, accepted, crashes: count, slow, slowestMs: Math.round(slowestMs * 10) / 10 },
    ]),
  ),
};
if (values.json) console.log(JSON.stringify(summary));
else tell(JSON.stringify({ ...summary, byTarget: undefined, door: undefined }));
process.exitCode = summary.crashes > 0 ? 1 : 0;

function heapBytes(): number | null {
  if (globalThis.gc === undefined) return null;
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
