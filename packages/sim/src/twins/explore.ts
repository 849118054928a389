/** Runs the schedules of so many views: all of them, or some that are drawn. */
import { createRandom } from '../random.ts';
import { runSchedule } from './run-schedule.ts';
import { countSchedules, drawSchedules, enumerateSchedules, scheduleToText } from './schedule.ts';

export type Exploration = {
  readonly views: number;
  readonly way: 'enumerated' | 'sampled';
  readonly schedules: number;
  /** Schedules of so many views that there are. */
  readonly of: number;
  readonly violations: number;
  readonly stalls: number;
  /** Of all schedules, at most this share violates or stalls, with 95 % confidence; 0 when all were run. */
  readonly badShareMax: number;
  /** Schedules after which an honest node could prove the twin. */
  readonly twinsProven: number;
  readonly slowestRecovery: { readonly schedule: string; readonly recoveryMs: number };
  readonly bad: readonly { readonly schedule: string; readonly what: readonly string[] }[];
};

/** Bad schedules told in full. */
const badMax = 20;

/** @param samples how many to draw where there are more; from this seed */
export function explore(views: number, samples: number, seed: number): Exploration {
  const of = countSchedules(views);
  const isComplete = of <= samples;
  const schedules = isComplete ? enumerateSchedules(views) : take(drawSchedules(views, createRandom(seed)), samples);
  const bad: { schedule: string; what: readonly string[] }[] = [];
  let slowest = { schedule: '', recoveryMs: 0 };
  let [count, violations, stalls, twinsProven] = [0, 0, 0, 0];
  for (const schedule of schedules) {
    const report = runSchedule(schedule);
    count++;
    if (report.isTwinProven) twinsProven++;
    if (report.recoveryMs > slowest.recoveryMs)
      slowest = { schedule: scheduleToText(schedule), recoveryMs: report.recoveryMs };
    if (report.violations.length > 0) violations++;
    if (report.stalls.length > 0) stalls++;
    const what = [...report.violations, ...report.stalls];
    if (what.length > 0 && bad.length < badMax) bad.push({ schedule: scheduleToText(schedule), what });
  }
  return {
    views,
    way: isComplete ? 'enumerated' : 'sampled',
    schedules: count,
    of,
    violations,
    stalls,
    badShareMax: isComplete ? 0 : badShareBound(count, violations + stalls),
    twinsProven,
    slowestRecovery: slowest,
    bad,
  };
}

/**
 * Upper end of the one-sided 95 % interval of Clopper and Pearson for a share of which `bad` of `count` draws were bad:
 * the share at which so few, or fewer, come with a chance of 5 %. Without a bad one, 1 - 0.05^(1/count), about 3 / count.
 */
export function badShareBound(count: number, bad: number): number {
  if (bad >= count) return 1;
  let [low, high] = [bad / count, 1];
  for (let i = 0; i < 60; i++) {
    const share = (low + high) / 2;
    if (chanceOfAtMost(bad, count, share) > 0.05) low = share;
    else high = share;
  }
  return high;
}

function chanceOfAtMost(bad: number, count: number, share: number): number {
  let logTerm = count * Math.log1p(-share);
  let sum = Math.exp(logTerm);
  for (let k = 1; k <= bad; k++) {
    logTerm += Math.log((count - k + 1) / k) + Math.log(share) - Math.log1p(-share);
    sum += Math.exp(logTerm);
  }
  return sum;
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ >= count) return;
    yield item;
  }
}
