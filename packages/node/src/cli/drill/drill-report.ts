/** What came of an attack in figures, and which promises they break. */
import type { Attack, AttackName } from './attack.ts';

export type AttackFigures = {
  readonly name: AttackName;
  readonly node: string;
  /** From the beginning of the attack; null: never. */
  readonly noticedMs: number | null;
  readonly noticedBy: string | null;
  readonly excludedMs: number | null;
  /** Transactions per second of the others meanwhile, as a share of before. */
  readonly throughputShare: number;
  /** From the end of the attack, or the vote on new keys, until the node takes part again; null: not in time. */
  readonly backMs: number | null;
  /** What it had to fetch from others; null where nobody counts it. */
  readonly bytesFetched: number | null;
  /** From the end of the attack until the node has the whole history again; null: it never lacked any, or does so still. */
  readonly historyMs: number | null;
  /** The lowest height that the node has all of in the end; 0: of all. */
  readonly heldFrom: number;
  readonly honestNodesAccused: number;
  readonly acknowledgedLost: number;
  readonly wrongAnswersServed: number;
  /** In words; empty when all is as it must be. */
  readonly broken: readonly string[];
};

export const promises = {
  noticedMsMax: 2_000,
  throughputShareMin: 0.8,
  backMsMax: 30_000,
  /**
   * Delta until silence shows, besides: a certified height is due for a window of 20, and whoever owes it is called silent after
   * another one (membership/spokesman.ts).
   */
  windowDeltas: 40,
} as const;

/** Within what time an attack must be noticed, and its node shut out, in milliseconds. */
export function noticeLimitMs({ isWindowed }: Pick<Attack, 'isWindowed'>, deltaMs: number): number {
  return promises.noticedMsMax + (isWindowed ? promises.windowDeltas * deltaMs : 0);
}

/** @param attack what was promised of it */
export function brokenPromises(
  figures: Omit<AttackFigures, 'broken'>,
  attack: Pick<Attack, 'isWindowed'>,
  deltaMs: number,
): string[] {
  const { throughputShareMin, backMsMax } = promises;
  const limitMs = noticeLimitMs(attack, deltaMs);
  const broken: string[] = [];
  const late = (what: string, ms: number | null): void => {
    if (ms === null) broken.push(`was not ${what}`);
    else if (ms > limitMs) broken.push(`was ${what} after ${ms} ms, more than ${limitMs}`);
  };
  late('noticed', figures.noticedMs);
  late('shut out', figures.excludedMs);
  if (figures.throughputShare < throughputShareMin)
    broken.push(`the others did ${figures.throughputShare} of before, less than ${throughputShareMin}`);
  if (figures.backMs === null || figures.backMs > backMsMax)
    broken.push(`${figures.node} was not back within ${backMsMax / 1000} s`);
  if (figures.heldFrom > 0) broken.push(`${figures.node} has the history from block ${figures.heldFrom} on only`);
  for (const [count, what] of [
    [figures.honestNodesAccused, 'honest nodes were accused'],
    [figures.acknowledgedLost, 'acknowledged transactions were lost'],
    [figures.wrongAnswersServed, 'wrong answers were served'],
  ] as const)
    if (count > 0) broken.push(`${count} ${what}`);
  return broken;
}
