/** A thread of a sweep: runs the worlds it is given, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { installNativeHash } from './native-hash.ts';
import type { WorldOptions } from './plan.ts';
import type { SweepTask } from './sweep.ts';
import { defaultWorld, runWorld, sizeOf } from './world.ts';

installNativeHash();

parentPort?.on('message', ({ from, count }: SweepTask) => {
  const common = workerData as Partial<WorldOptions>;
  const reports = Array.from({ length: count }, (_, i) =>
    runWorld({ ...defaultWorld, nodesCount: sizeOf(from + i), ...common, seed: from + i }),
  );
  parentPort?.postMessage(reports);
});
