/** What a node did to mend itself, for metrics and for whoever looks while it does. */
import type { HealingProgress } from './healing/report.ts';
import { createCounters, type MetricSamples } from './metrics.ts';

export type HealingFacts = {
  onProgress(progress: HealingProgress): void;
  /** @param what as in a report of healing/, or `journal` */
  onRepaired(what: string, bytesFetched: number, tookMs: number): void;
  /** Repairs find nothing, and it fails all the same: from here on it stays fenced. */
  onGivenUp(): void;
  /** Of the repair under way; null where there is none. */
  progress(): HealingProgress | null;
  samples(): MetricSamples;
};

export function createHealingFacts(): HealingFacts {
  const repairs = createCounters();
  let bytes = 0;
  let lastMs = 0;
  let isGivenUp = false;
  let present: HealingProgress | null = null;
  return {
    onProgress(progress) {
      present = progress;
    },
    onRepaired(what, bytesFetched, tookMs) {
      repairs.add(what);
      bytes += bytesFetched;
      lastMs = tookMs;
      present = null;
    },
    onGivenUp() {
      isGivenUp = true;
    },
    progress: () => present,
    samples: () => ({
      repairs_total: repairs.samples('what'),
      repair_bytes_total: bytes,
      repair_seconds: lastMs / 1000,
      repair_given_up: isGivenUp ? 1 : 0,
    }),
  };
}
