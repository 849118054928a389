/** What became of worlds, as text and summed up. */
import type { WorldReport } from './world.ts';

export type Tally = {
  seeds: number;
  violations: number;
  stalls: number;
  /** Worlds in which honest nodes executed different blocks: only where more than f are Byzantine. */
  forks: number;
  blocks: number;
  views: number;
};

export type SweepSummary = {
  readonly seeds: number;
  readonly from: number;
  /** Worlds in which a promise was broken. */
  readonly violations: number;
  /** Worlds in which something was not done in time. */
  readonly stalls: number;
  /** Worlds in which the chain forked, with more than f Byzantine nodes. */
  readonly forks: number;
  readonly seconds: number;
  readonly seedsPerSecond: number;
  readonly views: number;
  readonly blocks: number;
  readonly byNodes: Readonly<Record<string, Tally>>;
  /** A world with several adversaries counts for each; `none` has none. */
  readonly byAdversary: Readonly<Record<string, Tally>>;
  readonly byKind: Readonly<Record<string, Tally>>;
  /** Most views led by living honest nodes that a commit took after the faults. */
  readonly viewsToCommitMax: { readonly seed: number; readonly nodesCount: number; readonly views: number };
  readonly slowestRecovery: { readonly seed: number; readonly nodesCount: number; readonly recoveryMs: number };
  /** The failed worlds, the first ones only. */
  readonly bad: readonly WorldReport[];
};

const badKeptMax = 20;

export function isBad(report: WorldReport): boolean {
  return report.violations.length > 0 || report.stalls.length > 0;
}

export class SweepTally {
  #total = emptyTally();
  readonly #byNodes = new Map<string, Tally>();
  readonly #byAdversary = new Map<string, Tally>();
  readonly #byKind = new Map<string, Tally>();
  #mostViews = { seed: 0, nodesCount: 0, views: 0 };
  #slowest = { seed: 0, nodesCount: 0, recoveryMs: 0 };
  readonly #bad: WorldReport[] = [];

  add(report: WorldReport): void {
    count(this.#total, report);
    count(tallyOf(this.#byNodes, String(report.nodesCount)), report);
    count(tallyOf(this.#byKind, `${report.kind}, ${report.mode}`), report);
    const names = new Set(report.adversaries.map((text) => text.slice(text.indexOf(' ') + 1)));
    if (names.size === 0) names.add('none');
    for (const name of names) count(tallyOf(this.#byAdversary, name), report);
    const { seed, nodesCount, recoveryMs, viewsToCommit } = report;
    if (recoveryMs > this.#slowest.recoveryMs) this.#slowest = { seed, nodesCount, recoveryMs };
    if ((viewsToCommit ?? 0) > this.#mostViews.views) this.#mostViews = { seed, nodesCount, views: viewsToCommit ?? 0 };
    if (isBad(report) && this.#bad.length < badKeptMax) this.#bad.push(report);
  }

  summary(from: number, seconds: number): SweepSummary {
    const { seeds, violations, stalls, forks, views, blocks } = this.#total;
    return {
      seeds,
      from,
      violations,
      stalls,
      forks,
      seconds: Math.round(seconds * 10) / 10,
      seedsPerSecond: Math.round((seeds / seconds) * 10) / 10,
      views,
      blocks,
      byNodes: sorted(this.#byNodes, (a, b) => Number(a) - Number(b)),
      byAdversary: sorted(this.#byAdversary, compareNames),
      byKind: sorted(this.#byKind, compareNames),
      viewsToCommitMax: this.#mostViews,
      slowestRecovery: this.#slowest,
      bad: this.#bad,
    };
  }
}

function emptyTally(): Tally {
  return { seeds: 0, violations: 0, stalls: 0, forks: 0, blocks: 0, views: 0 };
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  let tally = tallies.get(name);
  if (tally === undefined) {
    tally = emptyTally();
    tallies.set(name, tally);
  }
  return tally;
}

function count(tally: Tally, report: WorldReport): void {
  tally.seeds++;
  if (report.violations.length > 0) tally.violations++;
  if (report.stalls.length > 0) tally.stalls++;
  if (report.forks.length > 0) tally.forks++;
  tally.blocks += report.blocks;
  tally.views += report.views;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function sorted(tallies: ReadonlyMap<string, Tally>, compare: (a: string, b: string) => number): Record<string, Tally> {
  return Object.fromEntries([...tallies].sort(([a], [b]) => compare(a, b)));
}

export function textOfReport(report: WorldReport, replay: string): string {
  const { seed, nodesCount, kind, mode, blocks, views, frames, crashes, recoveryMs, viewsToCommit } = report;
  const end =
    mode === 'safety'
      ? 'faults never stop'
      : mode === 'forks'
        ? 'connected again'
        : `recovered in ${recoveryMs} ms, ${viewsToCommit === null ? 'at leisure' : `committed after ${viewsToCommit} views`}`;
  return [
    `seed ${seed}, ${nodesCount} nodes, ${kind}: ${blocks} blocks in ${views} views, ${frames} frames, ${crashes} crashes, ${end}`,
    ...report.adversaries.map((text) => `  adversary: ${text}`),
    ...report.forks.slice(0, 1).map((text) => `  fork: ${text}; named: ${report.named.join(', ')}`),
    ...report.damaged.map((text) => `  disk damaged: ${text}`),
    ...report.violations.map((text) => `  violation: ${text}`),
    ...report.stalls.map((text) => `  stall: ${text}`),
    `  fingerprint ${report.fingerprint.slice(0, 16)}; replay: ${replay}`,
  ].join('\n');
}
