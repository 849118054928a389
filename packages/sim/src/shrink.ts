/**
 * Makes a world that fails as short as it can be made: faults are taken away, first in halves and then one by one,
 * Byzantine nodes become honest, and the faults end earlier, as long as it still fails in the same way.
 */
import { drawPlan, type WorldOptions, worldOf } from './plan.ts';
import { runWorld, type WorldReport } from './world.ts';

export type Shrunk = { readonly options: WorldOptions; readonly report: WorldReport; readonly runs: number };

/** Null when the world does not fail. */
export function shrinkWorld(options: WorldOptions, runsMax = 400): Shrunk | null {
  let runs = 0;
  let best = { options, report: runWorld(options) };
  const failure = failureOf(best.report);
  if (failure === null) return null;
  const attempt = (changed: Partial<WorldOptions>): boolean => {
    if (runs >= runsMax) return false;
    runs++;
    const tried = { ...best.options, ...changed };
    const report = runWorld(tried);
    if (failureOf(report) !== failure) return false;
    best = { options: tried, report };
    return true;
  };

  const plan = drawPlan(options);
  dropSome(
    plan.faults.map((_, i) => options.keptFaults?.[i] ?? i),
    (keptFaults) => attempt({ keptFaults }),
  );
  dropSome(
    plan.byzantine.map(({ node }) => node),
    (keptByzantine) => attempt({ keptByzantine }),
  );
  let untilMs = options.untilMs ?? options.faultsMs;
  for (let stepMs = untilMs / 2; stepMs >= 50; stepMs /= 2) {
    const earlierMs = Math.round(untilMs - stepMs);
    if (attempt({ untilMs: earlierMs })) untilMs = earlierMs;
  }
  return { ...best, runs };
}

function failureOf(report: WorldReport): 'violation' | 'stall' | null {
  if (report.violations.length > 0) return 'violation';
  return report.stalls.length > 0 ? 'stall' : null;
}

/** Drops items in ever smaller pieces while `isEnough` says that what is left still does. */
function dropSome(all: readonly number[], isEnough: (kept: readonly number[]) => boolean): void {
  let kept = [...all];
  for (let size = Math.max(1, kept.length >> 1); kept.length > 0; size >>= 1) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (isEnough(fewer)) kept = fewer;
      else at += size;
    }
    if (size <= 1) return;
  }
}

/** The command that runs exactly this world again. */
export function replayCommand(options: WorldOptions): string {
  const parts = [`npm run sim -- ${options.seed} --nodes ${options.nodesCount}`];
  if (options.kind !== undefined) parts.push(`--kind ${options.kind}`);
  if (options.mode !== undefined) parts.push(`--mode ${options.mode}`);
  if (options.byzantineCount !== undefined) parts.push(`--byzantine ${options.byzantineCount}`);
  if (options.adversary !== undefined) parts.push(`--adversary ${options.adversary}`);
  if (options.changes) parts.push('--changes');
  if (options.keptFaults !== undefined) parts.push(`--faults ${listOf(options.keptFaults)}`);
  if (options.keptByzantine !== undefined) parts.push(`--adversaries ${listOf(options.keptByzantine)}`);
  if (options.faultsMs !== worldOf(options.seed).faultsMs) parts.push(`--faults-ms ${options.faultsMs}`);
  if (options.untilMs !== undefined) parts.push(`--until ${options.untilMs}`);
  return parts.join(' ');
}

function listOf(numbers: readonly number[]): string {
  return numbers.length === 0 ? 'none' : numbers.join(',');
}
