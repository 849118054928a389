/**
 * kill -9 under load: real nodes are killed at random moments, mostly one, sometimes two (then nothing is final until one is
 * back) or all, some of them again while they start. What must hold is checked every few cycles and at the end
 * (kills-check.ts).
 *
 * The seed gives the plan of victims and pauses. What the processes do in between is theirs, so a run is not repeated to the
 * byte; its plan is.
 */
import assert from 'node:assert/strict';
import { createChecks } from './kills-check.ts';
import { loadDevices, startLoad } from './kills-load.ts';
import { type E2eNode, type FoundedNetwork, foundNetwork, sleep, statusOf, until, untilInSync } from './network.ts';
import { createPick } from './pick.ts';

export type KillsOptions = {
  readonly cycles: number;
  readonly seed: number;
  /** Ends the run after the cycle under way; the checks are made all the same. */
  readonly signal?: AbortSignal;
  /** Told after each round of checks. */
  readonly onProgress?: (line: string) => void;
};

export type KillsSummary = {
  /** Those that were done. */
  readonly cycles: number;
  readonly kills: number;
  readonly restarts: number;
  readonly acknowledged: number;
  readonly committed: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly rootsEqual: boolean;
  readonly height: number;
  readonly repeated: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly secondsPerCycle: number;
  readonly seed: number;
};

const nodesCount = 4;
const checkEveryCycles = 10;
/** Of a hundred cycles: two nodes at once, all nodes at once, killed again while starting. */
const shares = { two: 12, all: 4, again: 10 };
const loadedMsMax = 300;
const downMsMax = 300;
const startingMsMax = 900;
const backTimeoutMs = 60_000;

/** Throws with what does not hold; the folders are kept then. */
export async function runKills(network: FoundedNetwork, options: KillsOptions): Promise<KillsSummary> {
  const { nodes } = network;
  // A process that is killed leaves nothing in the compiler's cache; one that has stopped cleanly lets all others start sooner.
  await nodes[0]!.stop();
  await nodes[0]!.start();
  const pick = createPick(options.seed);
  const startedMs = performance.now();
  const load = startLoad(network);
  const checks = createChecks(network, load, pick);
  const counts = { kills: 0, restarts: 0 };

  async function cycle(): Promise<void> {
    const victims = pickVictims(nodes, pick);
    const mayFail = victims.length === 1;
    await sleep(pick(loadedMsMax));
    await Promise.all(victims.map((node) => node.kill()));
    counts.kills += victims.length;
    await sleep(pick(downMsMax));
    const starts = victims.map((node) => node.start());
    counts.restarts += victims.length;
    if (pick(100) < shares.again) {
      await sleep(pick(startingMsMax));
      const again = victims[pick(victims.length)]!;
      await again.kill();
      counts.kills++;
      await Promise.all(starts);
      counts.restarts++;
      await again.start();
    }
    await Promise.all(starts);
    const others = mayFail ? nodes.filter((node) => !victims.includes(node)) : nodes;
    const { executedHeight } = await statusOf(others[0]!);
    await until('the nodes that were killed have caught up and go on', backTimeoutMs, async () => {
      const statuses = await Promise.all(victims.map(statusOf));
      return statuses.every((status) => status.inSync && status.executedHeight > executedHeight);
    });
  }

  let checkedMs = 0;
  let done = 0;
  try {
    while (done < options.cycles && options.signal?.aborted !== true) {
      await cycle();
      done++;
      if (done % checkEveryCycles !== 0) continue;
      const checkStartedMs = performance.now();
      await checks.recent();
      checkedMs += performance.now() - checkStartedMs;
      const seconds = Math.round((performance.now() - startedMs) / 1000);
      options.onProgress?.(
        `${done} cycles, ${counts.kills} kills, ${load.acknowledged.length} acknowledged and found, ${seconds} s, of them ${Math.round(checkedMs / 1000)} in checks`,
      );
    }
  } finally {
    await load.stop();
  }
  await untilInSync(nodes);
  const totals = await checks.all();
  network.assertNoneEnded();
  assert.ok(totals.acknowledged > 0, 'something was acknowledged');
  const seconds = (performance.now() - startedMs) / 1000;
  return {
    cycles: done,
    ...counts,
    ...totals,
    // Anything else has thrown.
    rootsEqual: true,
    repeated: load.repeatedCount(),
    refused: Object.fromEntries(load.refused),
    seconds: Math.round(seconds),
    secondsPerCycle: Math.round((seconds / Math.max(1, done)) * 100) / 100,
    seed: options.seed,
  };
}

export function foundKillsNetwork(): Promise<FoundedNetwork> {
  return foundNetwork({ nodes: nodesCount, devices: loadDevices });
}

function pickVictims(nodes: readonly E2eNode[], pick: (count: number) => number): readonly E2eNode[] {
  const kind = pick(100);
  if (kind < shares.all) return nodes;
  const first = pick(nodes.length);
  if (kind >= shares.all + shares.two) return [nodes[first]!];
  const second = (first + 1 + pick(nodes.length - 1)) % nodes.length;
  return [nodes[first]!, nodes[second]!];
}
