/** Shows how a feed is getting on: a bar on a terminal, a line every few seconds elsewhere. Both on standard error. */
import process from 'node:process';
import { Presets, SingleBar } from 'cli-progress';
import { grouped, note } from '../output.ts';

const LINE_EVERY_MS = 2_000;
const RATE_WINDOW_MS = 5_000;

export type ProgressView = {
  update(progress: { readonly position: number; readonly readings: number; readonly transactions: number }): void;
  stop(): void;
};

/** @param total what `position` reaches at the end of the input */
export function createProgressView(total: number, from: number, quiet: boolean): ProgressView {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? createBar(total, from) : createLines(total);
}

function createBar(total: number, from: number): ProgressView {
  const bar = new SingleBar(
    {
      format:
        '{bar} {percentage}%  {readings} readings in {transactions} transactions  {rate} readings/s  {eta_formatted} left',
      stream: process.stderr,
      hideCursor: true,
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  const rate = createRate();
  let highest = from;
  bar.start(total, from, { readings: '0', transactions: '0', rate: '-' });
  return {
    update({ position, readings, transactions }) {
      highest = Math.max(highest, position);
      bar.update(highest, {
        readings: grouped(readings),
        transactions: grouped(transactions),
        rate: grouped(rate(readings)),
      });
    },
    stop: () => bar.stop(),
  };
}

function createLines(total: number): ProgressView {
  const rate = createRate();
  let shownMs = 0;
  let highest = 0;
  return {
    update({ position, readings, transactions }) {
      highest = Math.max(highest, position);
      const perSecond = rate(readings);
      if (performance.now() - shownMs < LINE_EVERY_MS) return;
      shownMs = performance.now();
      const percent = total === 0 ? 100 : Math.floor((100 * highest) / total);
      note(`${percent}%  ${readings} readings in ${transactions} transactions  ${perSecond} readings/s`);
    },
    stop: () => undefined,
  };
}

/** Readings per second over the last seconds. */
function createRate(): (readings: number) => number {
  const marks: { readonly timeMs: number; readonly readings: number }[] = [{ timeMs: performance.now(), readings: 0 }];
  return (readings) => {
    const timeMs = performance.now();
    marks.push({ timeMs, readings });
    while (marks.length > 2 && timeMs - marks[0]!.timeMs > RATE_WINDOW_MS) marks.shift();
    const first = marks[0]!;
    return timeMs === first.timeMs ? 0 : Math.round((1000 * (readings - first.readings)) / (timeMs - first.timeMs));
  };
}
