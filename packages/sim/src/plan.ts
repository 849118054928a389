/**
 * What will happen in a world, drawn from its seed before it begins: who is Byzantine, how slow everybody is, which faults
 * strike when. A plan is data, so a world that fails can be told, and shrunk by taking faults away one by one.
 */
import type { ProtocolConstants } from '@cairn-ledger/core';
import { type AdversaryName, adversaryNames } from './adversaries/index.ts';
import { drawForkPlan } from './fork-plan.ts';
import { createRandom, type Random } from './random.ts';
import type { NetworkProfile } from './virtual-network.ts';
import type { NodeDelays } from './virtual-node.ts';

/**
 * `safety`: faults never stop and nothing is asked of progress. `liveness`: they do, and the chain must go on. `forks`: more
 * than f are Byzantine, safety may break, and then those who broke it must be named.
 */
export type WorldMode = 'safety' | 'liveness' | 'forks';

/**
 * `storm`: everything at once. `restarts`: a good network, nodes that crash in the middle of syncs, all of them at once
 * now and then. `calm`: nothing but Byzantine nodes and slow ledgers, so that nothing shakes a deadlock loose.
 */
export type WorldKind = 'storm' | 'restarts' | 'calm';

export type WorldOptions = {
  readonly seed: number;
  readonly nodesCount: number;
  /** How long faults happen, in milliseconds of virtual time. */
  readonly faultsMs: number;
  /** How long the chain may take afterwards to execute and certify everything, in milliseconds of virtual time. */
  readonly calmMs: number;
  readonly kind?: WorldKind;
  readonly mode?: WorldMode;
  /** Exactly so many Byzantine nodes, also more than f; without it at most f. */
  readonly byzantineCount?: number;
  /** Whether members vote for changes of the validator set, and then for one at least; drawn without it. */
  readonly changes?: boolean;
  /** What all Byzantine nodes are. */
  readonly adversary?: AdversaryName;
  /** Only these of the planned faults, by number. */
  readonly keptFaults?: readonly number[];
  /** Only these of the Byzantine nodes; the others are honest. */
  readonly keptByzantine?: readonly number[];
  /** Faults end already now, in milliseconds of virtual time. */
  readonly untilMs?: number;
};

/** Calm lasts so long that the slowest ledgers execute what is final when the faults stop; worlds that are done end earlier. */
export const defaultWorld = { faultsMs: 3_000, calmMs: 45_000 };

/** Validators of a thousand worlds: mostly few, since a world costs the square of them. */
const sizeShares: readonly (readonly [nodesCount: number, share: number])[] = [
  [4, 745],
  [5, 135],
  [7, 85],
  [10, 20],
  [13, 10],
  [20, 5],
];

/** How long faults happen: what many faults in a row do shows in the long ones, what one does in many short ones. */
const faultsMsDrawn = [1_000, 1_500, 2_000, 3_000];

/** The world of a seed, where nobody asks for a size or a length. */
export function worldOf(seed: number): WorldOptions {
  const random = createRandom(seed ^ 0x517e);
  return { ...defaultWorld, nodesCount: drawSize(random), faultsMs: random.pick(faultsMsDrawn), seed };
}

function drawSize(random: Random): number {
  let left = random.integer(0, 999);
  for (const [nodesCount, share] of sizeShares) {
    if (left < share) return nodesCount;
    left -= share;
  }
  return 4;
}

export type Fault =
  | { readonly type: 'crash'; readonly node: number }
  | {
      readonly type: 'crash-at-sync';
      readonly node: number;
      readonly fate: 'crash-before' | 'crash-torn' | 'crash-after';
    }
  | { readonly type: 'restart-all'; readonly spreadMs: number }
  | { readonly type: 'partition'; readonly groups: readonly number[] }
  | { readonly type: 'flapping-partition'; readonly groups: readonly number[]; readonly periodMs: number }
  | { readonly type: 'one-way-loss'; readonly node: number; readonly isInbound: boolean; readonly lossShare: number }
  | { readonly type: 'cut-directions'; readonly pairs: readonly (readonly [from: number, to: number])[] }
  | { readonly type: 'lost-votes'; readonly node: number; readonly voteKind: number; readonly spared: number }
  | { readonly type: 'lost-certificates'; readonly node: number; readonly isInbound: boolean }
  | { readonly type: 'slow-link' | 'slow-disk' | 'slow-ledger'; readonly node: number; readonly byMs: number }
  | { readonly type: 'clock'; readonly node: number; readonly offsetMs: number }
  | { readonly type: 'full-disk'; readonly node: number }
  | { readonly type: 'twins-swap'; readonly places: readonly number[] }
  /** Of nodes that count as faulty from then on: their safety record is not what it was. */
  | {
      readonly type: 'lying-disk' | 'roll-back' | 'put-back' | 'bit-flip' | 'misdirected-write' | 'wipe';
      readonly node: number;
    };

/** What members vote for, and what comes of it: a node joins, leaves, or returns with a new safety record. */
export type PlannedChange = { readonly atMs: number; readonly verb: 'admit' | 'remove'; readonly node: number };

export type PlannedFault = { readonly atMs: number; readonly lastsMs: number; readonly fault: Fault };

export type WorldPlan = {
  readonly options: WorldOptions;
  readonly kind: WorldKind;
  readonly mode: WorldMode;
  readonly profile: NetworkProfile;
  readonly calmProfile: NetworkProfile;
  readonly delays: readonly NodeDelays[];
  readonly byzantine: readonly { readonly node: number; readonly name: AdversaryName }[];
  readonly faults: readonly PlannedFault[];
  /** Down for good once the faults stop; with the Byzantine ones and those whose disk is damaged at most f. */
  readonly leftDown: readonly number[];
  /** Nodes beside the validators of the genesis, with the numbers behind theirs; they follow, and may be admitted. */
  readonly joinersCount?: number;
  readonly changes?: readonly PlannedChange[];
  /** How often transactions come: the longest usual pause, in milliseconds. */
  readonly pauseMs: number;
  /** Constants of the network that are not the usual ones. */
  readonly constants?: Partial<ProtocolConstants>;
  /** Transactions submitted one by one in calm, besides the last one: how many, and the pause after each. */
  readonly calmTransactions?: { readonly count: number; readonly pauseMs: number };
  /** So many views may be entered in calm; without it nobody counts. */
  readonly calmViewsMax?: number;
};

export function drawPlan(options: WorldOptions): WorldPlan {
  const { seed, nodesCount } = options;
  const random = createRandom(seed);
  const kind = options.kind ?? random.pick<WorldKind>(['storm', 'storm', 'storm', 'restarts', 'calm']);
  const mode = options.mode ?? (kind !== 'calm' && random.chance(0.25) ? 'safety' : 'liveness');
  const faultsMax = Math.floor((nodesCount - 1) / 3);
  if ((options.byzantineCount ?? 0) > faultsMax) return drawForkPlan(options, options.byzantineCount!);
  const everybody = shuffled(nodesCount, random);
  const byzantineCount =
    options.byzantineCount ??
    (kind === 'calm' || random.chance(0.5) ? random.integer(Math.min(1, faultsMax), faultsMax) : 0);
  const byzantine = everybody
    .slice(0, byzantineCount)
    .map((node) => ({ node, name: options.adversary ?? random.pick(adversaryNames) }))
    .sort((a, b) => a.node - b.node);
  const honest = everybody.slice(byzantineCount);
  const faultyMax = Math.max(0, faultsMax - byzantineCount);
  const damagedCount = kind !== 'calm' && random.chance(0.3) ? random.integer(0, faultyMax) : 0;
  const damaged = honest.slice(0, damagedCount);
  const leftDown = honest.slice(damagedCount, damagedCount + random.integer(0, faultyMax - damagedCount));
  const change = drawChanges(options, [...byzantine.map(({ node }) => node), ...damaged, ...leftDown]);
  const totalCount = nodesCount + change.joinersCount;
  const faults = kind === 'calm' ? [] : drawFaults({ ...options, nodesCount: totalCount }, kind, random);
  for (const node of damaged) faults.push(drawDamage(node, options.faultsMs, random));
  for (const { node, name } of byzantine) if (name === 'twin') faults.push(...drawSwaps(options, node, random));
  for (const { node, name } of byzantine)
    if (name === 'amnesiac') faults.push(...drawForgetting(options, node, random));
  faults.sort((a, b) => a.atMs - b.atMs);
  // With slow ledgers re-proposals matter; with quick ones a commit within few views can be asked for.
  const ledgers = kind === 'calm' && createRandom(seed ^ 0xca1).chance(0.5) ? 'slow' : 'quick';
  return {
    options,
    kind,
    mode,
    profile: kind === 'storm' ? random.pick(stormProfiles) : random.pick(calmProfiles),
    calmProfile: random.pick(calmProfiles),
    joinersCount: change.joinersCount,
    changes: change.changes,
    // Nobody waits for a joiner before it votes, so it must keep up by itself.
    delays: Array.from({ length: totalCount }, (_, i) => drawDelays(i < nodesCount ? ledgers : 'quick', random)),
    byzantine: byzantine.filter(({ node }) => options.keptByzantine?.includes(node) ?? true),
    faults: faults.filter((_, i) => options.keptFaults?.includes(i) ?? true),
    leftDown,
    pauseMs: random.pick([40, 150, 150, 500]),
  };
}

/** Whether the validator set of a world changes, and how; with a randomness of its own, so that the rest stays what it was. */
function drawChanges(
  { seed, nodesCount, faultsMs, changes: isAsked }: WorldOptions,
  faulty: readonly number[],
): { readonly joinersCount: number; readonly changes: readonly PlannedChange[] } {
  const random = createRandom(seed ^ 0xc4a);
  const isChanging = random.chance(0.25);
  if (nodesCount < 4 || !(isAsked ?? isChanging)) return { joinersCount: 0, changes: [] };
  const joinersCount = random.integer(isAsked ? 1 : 0, 3);
  let members = Array.from({ length: nodesCount }, (_, i) => i);
  const outside = Array.from({ length: joinersCount }, (_, i) => nodesCount + i);
  const changes: PlannedChange[] = [];
  const steps = random.integer(1, 4);
  for (let i = 0; i < steps; i++) {
    const atMs = 200 + random.next() * (faultsMs - 200);
    const joiner = outside[0];
    const isOwed = isAsked && changes.length === 0;
    if (joiner !== undefined && (random.chance(0.6) || isOwed)) {
      changes.push({ atMs, verb: 'admit', node: joiner });
      outside.shift();
      continue;
    }
    // Whatever order they come in: those who join may come last, and those who are faulty may leave last.
    const leaver = random.pick(members);
    const left = members.filter((node) => node !== leaver);
    const isEnough = faulty.includes(leaver) || faulty.length <= Math.floor((left.length - 1) / 3);
    if (left.length < 4 || !isEnough) continue;
    members = left;
    changes.push({ atMs, verb: 'remove', node: leaver });
  }
  return { joinersCount, changes: changes.sort((a, b) => a.atMs - b.atMs) };
}

function drawDelays(ledgers: 'slow' | 'quick', random: Random): NodeDelays {
  const executeMs = ledgers === 'slow' ? random.pick([1, 60, 400, 1_000]) : random.pick([1, 10, 60]);
  return { syncMs: random.pick([0.1, 2, 10]), executeMs, clockOffsetMs: random.integer(-1_500, 1_500) };
}

/** Once faults stop, delays are below Delta; frames may still get lost, as they do when a queue is full. */
const calmProfiles: readonly NetworkProfile[] = [
  { delayMinMs: 1, delayMaxMs: 10, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 40, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 20, lossShare: 0.02 },
];

const stormProfiles: readonly NetworkProfile[] = [
  { delayMinMs: 0.5, delayMaxMs: 3, lossShare: 0 },
  { delayMinMs: 0.5, delayMaxMs: 5, lossShare: 0.02 },
  { delayMinMs: 5, delayMaxMs: 60, lossShare: 0.01, doubledShare: 0.05 },
  { delayMinMs: 20, delayMaxMs: 200, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 150, lossShare: 0.05, overtakingShare: 0.3 },
  { delayMinMs: 1, delayMaxMs: 60, lossShare: 0.25 },
  { delayMinMs: 20, delayMaxMs: 500, lossShare: 0.1, doubledShare: 0.1, overtakingShare: 0.1 },
];

type FaultDrawing = {
  readonly type: string;
  readonly weight: number;
  /** At most, in milliseconds. */
  readonly lastsMs: number;
  draw(random: Random, nodesCount: number): Fault;
};

const pickNode = (random: Random, nodesCount: number) => random.integer(0, nodesCount - 1);
const drawGroups = (random: Random, nodesCount: number) =>
  Array.from({ length: nodesCount }, () => random.integer(0, 1));
const drawCrash = (random: Random, nodesCount: number): Fault => ({
  type: 'crash',
  node: pickNode(random, nodesCount),
});
const drawCrashAtSync = (random: Random, nodesCount: number): Fault => ({
  type: 'crash-at-sync',
  node: pickNode(random, nodesCount),
  fate: random.pick(['crash-before', 'crash-torn', 'crash-after']),
});
const drawRestartAll = (random: Random): Fault => ({ type: 'restart-all', spreadMs: random.next() * 300 });

const stormFaults: readonly FaultDrawing[] = [
  { type: 'crash', weight: 6, lastsMs: 1_500, draw: drawCrash },
  { type: 'crash-at-sync', weight: 4, lastsMs: 0, draw: drawCrashAtSync },
  { type: 'restart-all', weight: 1, lastsMs: 300, draw: drawRestartAll },
  {
    type: 'partition',
    weight: 6,
    lastsMs: 1_500,
    draw: (random, n) => ({ type: 'partition', groups: drawGroups(random, n) }),
  },
  {
    type: 'long-partition',
    weight: 1,
    lastsMs: 5_000,
    draw: (random, n) => ({ type: 'partition', groups: drawGroups(random, n) }),
  },
  {
    type: 'flapping-partition',
    weight: 1,
    lastsMs: 2_000,
    draw: (random, n) => ({
      type: 'flapping-partition',
      groups: drawGroups(random, n),
      periodMs: random.integer(40, 400),
    }),
  },
  {
    type: 'one-way-loss',
    weight: 3,
    lastsMs: 2_000,
    draw: (random, n) => ({
      type: 'one-way-loss',
      node: pickNode(random, n),
      isInbound: random.chance(0.5),
      lossShare: random.pick([0.3, 0.8, 1]),
    }),
  },
  {
    type: 'cut-directions',
    weight: 2,
    lastsMs: 2_000,
    draw: (random, n) => ({
      type: 'cut-directions',
      pairs: Array.from({ length: random.integer(1, n) }, () => [pickNode(random, n), pickNode(random, n)] as const),
    }),
  },
  {
    type: 'lost-votes',
    weight: 3,
    lastsMs: 3_000,
    draw: (random, n) => ({
      type: 'lost-votes',
      node: pickNode(random, n),
      voteKind: random.pick([0, 1, 2, 2]),
      spared: pickNode(random, n),
    }),
  },
  {
    type: 'lost-certificates',
    weight: 3,
    lastsMs: 3_000,
    draw: (random, n) => ({ type: 'lost-certificates', node: pickNode(random, n), isInbound: random.chance(0.5) }),
  },
  {
    type: 'slow-link',
    weight: 2,
    lastsMs: 2_000,
    draw: (random, n) => ({ type: 'slow-link', node: pickNode(random, n), byMs: random.pick([50, 200, 800]) }),
  },
  {
    type: 'slow-disk',
    weight: 2,
    lastsMs: 2_000,
    draw: (random, n) => ({ type: 'slow-disk', node: pickNode(random, n), byMs: random.pick([80, 300, 700]) }),
  },
  {
    type: 'slow-ledger',
    weight: 2,
    lastsMs: 2_000,
    draw: (random, n) => ({ type: 'slow-ledger', node: pickNode(random, n), byMs: random.pick([80, 300, 700]) }),
  },
  {
    type: 'clock',
    weight: 1,
    lastsMs: 3_000,
    draw: (random, n) => ({
      type: 'clock',
      node: pickNode(random, n),
      offsetMs: random.pick([-3_600_000, 3_600_000, -10_000, 10_000]),
    }),
  },
  {
    type: 'full-disk',
    weight: 1,
    lastsMs: 1_500,
    draw: (random, n) => ({ type: 'full-disk', node: pickNode(random, n) }),
  },
];

const restartFaults: readonly FaultDrawing[] = [
  { type: 'crash', weight: 4, lastsMs: 600, draw: drawCrash },
  { type: 'crash-at-sync', weight: 8, lastsMs: 0, draw: drawCrashAtSync },
  { type: 'restart-all', weight: 3, lastsMs: 300, draw: drawRestartAll },
];

/** One fault after the other, of some of the kinds only: fewer kinds show better what each does. */
function drawFaults({ nodesCount, faultsMs }: WorldOptions, kind: WorldKind, random: Random): PlannedFault[] {
  const all = kind === 'storm' ? stormFaults : restartFaults;
  const kept = all.filter(() => random.chance(0.6));
  const bag = (kept.length > 0 ? kept : all).flatMap((each) => new Array<FaultDrawing>(each.weight).fill(each));
  const gapMs = kind === 'storm' ? 1_000 : 400;
  const faults: PlannedFault[] = [];
  for (let atMs = 500; atMs < faultsMs; atMs += random.next() * gapMs) {
    const drawing = random.pick(bag);
    faults.push({ atMs, lastsMs: random.next() * drawing.lastsMs, fault: drawing.draw(random, nodesCount) });
  }
  return faults;
}

function drawDamage(node: number, faultsMs: number, random: Random): PlannedFault {
  const type = random.pick(['lying-disk', 'roll-back', 'bit-flip', 'misdirected-write', 'wipe'] as const);
  return {
    atMs: 800 + random.next() * (faultsMs - 800),
    lastsMs: random.next() * 800,
    fault: { type, node },
  };
}

/** Twins share the others among them, anew now and then. */
function drawSwaps({ nodesCount, faultsMs }: WorldOptions, node: number, random: Random): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let atMs = 0; atMs < faultsMs; atMs += 300 + random.next() * 1_500) {
    const places = Array.from({ length: nodesCount }, (_, i) => i).filter(
      (place) => place !== node && random.chance(0.5),
    );
    faults.push({ atMs, lastsMs: 0, fault: { type: 'twins-swap', places: [node, ...places] } });
  }
  return faults;
}

/** Who forgets when it goes down must go down. */
function drawForgetting({ faultsMs }: WorldOptions, node: number, random: Random): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let atMs = 300; atMs < faultsMs; atMs += 120 + random.next() * 300)
    faults.push({ atMs, lastsMs: random.next() * 40, fault: { type: 'crash', node } });
  return faults;
}

function shuffled(count: number, random: Random): number[] {
  const items = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
