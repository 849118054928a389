/** Runs many worlds on several threads: each takes the next few seeds when it is done with the last ones. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { WorldOptions } from './plan.ts';
import { type SweepSummary, SweepTally } from './report.ts';
import type { WorldReport } from './world.ts';

export type SweepOptions = {
  readonly from: number;
  readonly count: number;
  /** What all worlds have in common; without `nodesCount` it is drawn from each seed. */
  readonly world: Partial<WorldOptions>;
  readonly workersCount?: number;
  readonly onBad?: (report: WorldReport) => void;
};

/** What a thread is asked for, and what it answers with: one report for each seed. */
export type SweepTask = { readonly from: number; readonly count: number };

const seedsPerTask = 8;
/** A world makes much that dies with it: with room for the young, little of it is copied. In MiB. */
const youngMb = 64;

export async function sweep(options: SweepOptions): Promise<SweepSummary> {
  const startedMs = performance.now();
  const tally = new SweepTally();
  const end = options.from + options.count;
  let next = options.from;
  const takeTask = (): SweepTask | null => {
    const from = next;
    next = Math.min(end, next + seedsPerTask);
    return next > from ? { from, count: next - from } : null;
  };
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./sweep-worker.ts', import.meta.url), {
        workerData: options.world,
        resourceLimits: { maxYoungGenerationSizeMb: youngMb },
      });
      const give = (): void => {
        const task = takeTask();
        if (task !== null) worker.postMessage(task);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (reports: readonly WorldReport[]) => {
        for (const report of reports) {
          tally.add(report);
          if (report.violations.length > 0 || report.stalls.length > 0) options.onBad?.(report);
        }
        give();
      });
      worker.on('error', reject);
      give();
    });
  const workersCount = Math.min(
    options.workersCount ?? availableParallelism(),
    Math.ceil(options.count / seedsPerTask),
  );
  await Promise.all(Array.from({ length: Math.max(1, workersCount) }, runThread));
  return tally.summary(options.from, (performance.now() - startedMs) / 1_000);
}
