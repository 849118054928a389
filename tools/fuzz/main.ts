/**
 * `npm run fuzz`: runs the decoders on N inputs, shared out by weight, then N messages through the door of a replica. Prints what was run,
 * what crashed and what was slowest; the exit code is 1 when anything crashed, 2 when it is called wrongly. Without a seed a fresh one is drawn and
 * printed; a crash is named with what replays it alone.
 */
import { randomInt } from 'node:crypto';
import process from 'node:process';
import { Arguments } from '../../packages/sim/src/arguments.ts';
import { fuzzDoor } from './door-run.ts';
import { type Crash, runTarget, type TargetReport } from './execute.ts';
import { type HeapReport, isWithinHeap, measureHeap } from './memory.ts';
import { targets } from './targets.ts';

const usage = `usage:
  npm run fuzz -- [--executions N] [--door N] [--target NAME] [--seed S] [--from I] [--path P] [--json]`;

const args = new Arguments(usage, {
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
const { values } = args.given;
const countMax = 2 ** 31;
const wanted = args.readCount(values.executions, 0, countMax);
const doorMessages = args.readCount(values.door, 0, countMax);
const from = args.readCount(values.from, 0, countMax);
const seed = values.seed === undefined ? randomInt(countMax) : args.readCount(values.seed, 0, 2 * countMax);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
const isDoorAsked = values.target === undefined || values.target === 'door';
if (chosen.length === 0 && !isDoorAsked)
  args.readName(values.target ?? '', [...targets.map(({ name }) => name), 'door']);

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
  const count = Math.ceil((wanted * (target.weight ?? 1)) / weights);
  const report = await runTarget(target, seed, count, {
    from,
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

const door = isDoorAsked ? fuzzDoor(seed, doorMessages, console.error, values.path) : null;
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
