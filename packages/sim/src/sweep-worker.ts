/** A thread of a sweep: runs the worlds it is given, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WorldOptions } from './plan.ts';
import { installQuickPlatform } from './quick-platform.ts';
import type { SweepTask } from './sweep.ts';
import { runWorld, worldOf } from './world.ts';

installQuickPlatform();

parentPort?.on('message', ({ from, count }: SweepTask) => {
  const common = workerData as Partial<WorldOptions>;
  const reports = Array.from({ length: count }, (_, i) => runWorld({ ...worldOf(from + i), ...common }));
  parentPort?.postMessage(reports);
});
