/** Runs many worlds against the door of a replica; a failing one is shrunk and told with what replays it. */
import fc from 'fast-check';
import type { Verifier } from '../../packages/core/src/index.ts';
import { Fuzzer } from './door-actions.ts';
import { anyStep, type Step } from './door-step.ts';
import { type DoorPeaks, DoorWorld } from './door-world.ts';

/** Each size with f Byzantine validators: with 5 a quorum is not 2f + 1; with 7 two of them play together. */
const sizes = [4, 5, 7] as const;
const stepsMax = 300;

export type DoorCase = {
  readonly validatorsCount: number;
  /** Which validators are Byzantine: as many as may be, from this one on. */
  readonly firstByzantine: number;
  readonly steps: readonly Step[];
};

export const anyDoorCase: fc.Arbitrary<DoorCase> = fc.record(
  {
    validatorsCount: fc.constantFrom(...sizes),
    firstByzantine: fc.nat(6),
    steps: fc.noBias(fc.array(anyStep, { maxLength: stepsMax, size: 'max' })),
  },
  { noNullPrototype: true },
);

/** Throws when anything that must hold does not. */
export function runDoorCase({ validatorsCount, firstByzantine, steps }: DoorCase, verifier?: Verifier): DoorWorld {
  const faultsMax = Math.floor((validatorsCount - 1) / 3);
  const byzantine = Array.from({ length: faultsMax }, (_, i) => (firstByzantine + i) % validatorsCount);
  const world = new DoorWorld({ validatorsCount, byzantine, ...(verifier && { verifier }) });
  const fuzzer = new Fuzzer(world);
  world.pass(50);
  for (const [i, step] of steps.entries()) {
    fuzzer.take(step);
    if (i % 8 === 0) world.submit(world.honest[i % world.honest.length]!);
    world.pass(5);
    if (i % 16 === 15) world.check();
  }
  world.check();
  world.checkGoesOn();
  return world;
}

export type DoorReport = {
  messages: number;
  worlds: number;
  failures: number;
  blocks: number;
  /** Of all worlds. */
  peaks: DoorPeaks;
};

/** @param replayPath of a failure told before: runs just that world again */
export function fuzzDoor(
  seed: number,
  messages: number,
  tell: (text: string) => void,
  replayPath?: string,
): DoorReport {
  const report: DoorReport = { messages: 0, worlds: 0, failures: 0, blocks: 0, peaks: nothing };
  const property = fc.property(anyDoorCase, (each) => {
    const world = runDoorCase(each);
    report.worlds++;
    report.messages += world.messagesCount;
    report.blocks += world.honest[0]!.disk.executed.length;
    const { peaks } = world;
    report.peaks = Object.fromEntries(
      Object.entries(report.peaks).map(([name, value]) => [name, Math.max(value, peaks[name as keyof DoorPeaks])]),
    ) as DoorPeaks;
  });
  for (let round = 0; report.messages < messages && report.failures === 0; round++) {
    const details = fc.check(property, {
      seed: seed + round,
      numRuns: 20,
      endOnFailure: false,
      ...(replayPath !== undefined && { path: replayPath }),
    });
    if (details.failed) {
      report.failures++;
      tell(fc.defaultReportMessage(details) ?? 'failed');
      tell(`replay: npm run fuzz -- --target door --seed ${details.seed} --path ${details.counterexamplePath}`);
    }
    if (replayPath !== undefined) break;
  }
  return report;
}

const nothing: DoorPeaks = {
  framesPerMessage: 0,
  bytesPerMessage: 0,
  stepMs: 0,
  batchesHeld: 0,
  bytesHeld: 0,
  views: 0,
  blocks: 0,
  recordsPerMessage: 0,
};
