/**
 * Kinds of worlds, each of which stresses some rules more than a world in which everything is drawn at random. A rule that
 * only matters in one corner is met there in a few seeds instead of a few million.
 *
 * A profile draws an ordinary plan and bends it; the world that runs it is the same one, with the same checks.
 */
import type { AdversaryName } from '../adversaries/index.ts';
import { defaultWorld, drawPlan, type PlannedFault, type WorldKind, type WorldPlan } from '../plan.ts';
import { createRandom, type Random } from '../random.ts';

export type ProfileName = keyof typeof profiles;

/** What a profile asks of the plan it bends. */
type Drawn = { readonly plan: WorldPlan; readonly random: Random; readonly faultsMax: number };

type Profile = {
  readonly kind?: WorldKind;
  /** How many are Byzantine: by chance without it. */
  readonly byzantine?: 'none' | 'all-f';
  /** Whether the validator set changes: without it only in `any`, by chance, since who is left down is chosen for the set as it is. */
  readonly changes?: boolean;
  bend(drawn: Drawn): Partial<WorldPlan>;
};

const profiles = {
  /** Everything at random, as the simulator runs them. */
  any: { bend: () => ({}) },

  /**
   * A good network; crashes in the middle of syncs; at the end of the faults all nodes restart at once, and of these just
   * enough stay for a quorum: what one of them has lost is lost.
   */
  restarts: {
    kind: 'restarts',
    byzantine: 'none',
    bend: ({ plan, random, faultsMax }) => ({
      profile: { delayMinMs: 1, delayMaxMs: random.pick([5, 40, 80]), lossShare: 0 },
      leftDown: drawNodes(plan, faultsMax, random),
      faults: [...plan.faults.filter(isHarmless), restartAllAtTheEnd(plan)],
    }),
  },

  /** A lag of one height, ledgers as slow as views, delays about Delta: leaders must propose again and again. */
  tight: {
    bend: ({ plan, random }) => ({
      constants: { checkpointLag: 1, heartbeatMs: 60_000 },
      profile: { delayMinMs: 20, delayMaxMs: random.pick([120, 200, 300]), lossShare: random.pick([0, 0.05]) },
      delays: plan.delays.map((delays) => ({ ...delays, executeMs: random.pick([10, 300, 1_000]) })),
    }),
  },

  /** Quiet times between single transactions, and a heartbeat that helps nobody. */
  quiet: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      constants: { heartbeatMs: 600_000 },
      calmProfile: { delayMinMs: 1, delayMaxMs: 40, lossShare: random.pick([0, 0.15, 0.25]) },
      calmTransactions: { count: random.integer(1, 6), pauseMs: random.pick([700, 1_500, 4_000]) },
      pauseMs: 1_500,
      byzantine: only(plan, random, ['teaser', 'silent-leader']),
    }),
  },

  /** Long quiet times, and Byzantine nodes that would like to keep the others busy: an idle chain stands still. */
  idle: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      constants: { heartbeatMs: 600_000 },
      options: { ...plan.options, calmMs: 5_000 },
      calmTransactions: { count: 2, pauseMs: 12_000 },
      calmViewsMax: 8 * plan.options.nodesCount,
      byzantine: only(plan, random, ['batch-equivocator', 'teaser', 'silent-leader']),
    }),
  },

  /** Finalizations reach some only, and leaders make the most of it. */
  divided: {
    kind: 'storm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      profile: { delayMinMs: 1, delayMaxMs: random.pick([10, 60]), lossShare: 0, overtakingShare: 0.3 },
      byzantine: only(plan, random, ['skipper', 'equivocator', 'selective-sender']),
      faults: loseFinalizations(plan, random),
    }),
  },

  /** The same among honest nodes whose clocks jump an hour ahead and back; just a quorum is left in the end. */
  jumps: {
    kind: 'storm',
    byzantine: 'none',
    bend: ({ plan, random, faultsMax }) => ({
      constants: { heartbeatMs: 60_000 },
      profile: { delayMinMs: 1, delayMaxMs: random.pick([10, 60]), lossShare: 0 },
      faults: [...loseFinalizations(plan, random), ...jumpClocks(plan, random)],
      leftDown: drawNodes(plan, faultsMax, random),
    }),
  },

  /** Leaders that bend the header of their blocks. */
  benders: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({ byzantine: only(plan, random, ['bender']) }),
  },

  /** Forged certificates. */
  forgers: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({ byzantine: only(plan, random, ['certificate-forger']) }),
  },

  /** Nodes that fall far behind, and peers that are no help. */
  behind: {
    kind: 'storm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      pauseMs: 30,
      byzantine: plan.byzantine.map((_, node) => ({
        node,
        name: random.pick(['silent-leader', 'withholder'] as const),
      })),
      faults: [{ atMs: 500, lastsMs: 60_000, fault: { type: 'crash', node: plan.options.nodesCount - 1 } }],
    }),
  },

  /** Leaders that propose two blocks, and hardly any other fault: the proposals themselves decide who holds what. */
  equivocators: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      profile: { delayMinMs: 1, delayMaxMs: random.pick([10, 60]), lossShare: 0, overtakingShare: 0.3 },
      byzantine: only(plan, random, ['equivocator']),
    }),
  },

  /** One more than f agree on a false result: too few to certify it, too many for another one to be certified. */
  'result-liars': {
    kind: 'calm',
    byzantine: 'none',
    bend: ({ plan, random, faultsMax }) => ({
      mode: 'safety',
      byzantine: drawNodes(plan, faultsMax + 1, random)
        .sort((a, b) => a - b)
        .map((node) => ({ node, name: 'result-liar' as const })),
    }),
  },

  /**
   * One node hears nothing while the views that it leads, and those of its slow neighbour, are nullified; when it hears
   * again the neighbour is gone, so its votes are needed, and it lacks all but the last of those nullifications.
   */
  gaps: {
    kind: 'calm',
    byzantine: 'none',
    bend: ({ plan, random }) => {
      const { nodesCount } = plan.options;
      const deaf = random.integer(0, nodesCount - 1);
      const neighbour = (deaf + random.pick([1, nodesCount - 1])) % nodesCount;
      const fromMs = 700 + random.next() * 400;
      return {
        constants: { heartbeatMs: 600_000 },
        profile: { delayMinMs: 1, delayMaxMs: random.pick([5, 20]), lossShare: 0 },
        options: { ...plan.options, faultsMs: fromMs + 500 + random.next() * 2_500 },
        pauseMs: 120,
        leftDown: [neighbour],
        faults: [
          { atMs: fromMs, lastsMs: 60_000, fault: { type: 'one-way-loss', node: deaf, isInbound: true, lossShare: 1 } },
          {
            atMs: fromMs,
            lastsMs: 60_000,
            fault: { type: 'slow-link', node: neighbour, byMs: random.integer(300, 900) },
          },
        ],
      };
    },
  },

  /** Leaders that list what may not be listed, and much to list. */
  listers: {
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({ pauseMs: 15, byzantine: only(plan, random, ['lister']) }),
  },

  /** Blocks and batches that few hold, and those who hold them go down. */
  withheld: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => ({
      byzantine: only(plan, random, ['withholder', 'silent-leader']),
    }),
  },

  /** As many down as may be, frames lost also in calm: whatever is said once is not heard. */
  lossy: {
    byzantine: 'none',
    bend: ({ plan, random, faultsMax }) => ({
      constants: { heartbeatMs: 600_000 },
      options: { ...plan.options, calmMs: 60_000 },
      // Votes are not sent again within a view: of many nodes all the votes hardly come through where many frames get lost.
      calmProfile: { delayMinMs: 1, delayMaxMs: 30, lossShare: plan.options.nodesCount === 4 ? 0.15 : 0.08 },
      leftDown: drawNodes(plan, faultsMax, random),
      faults: plan.faults.filter(isHarmless),
    }),
  },

  /** Delays that stay above Delta. */
  slow: {
    kind: 'calm',
    byzantine: 'none',
    bend: ({ random }) => {
      const delayMinMs = random.pick([150, 250, 400]);
      const network = { delayMinMs, delayMaxMs: delayMinMs + 50, lossShare: 0 };
      return { profile: network, calmProfile: network };
    },
  },

  /** Batches expire after a few heights. */
  expiry: {
    bend: ({ random }) => ({ constants: { retentionHeights: random.pick([3, 6, 12]) }, pauseMs: 30 }),
  },

  /** As many clocks as may be are far off, for good. */
  clocks: {
    kind: 'calm',
    byzantine: 'none',
    bend: ({ plan, random, faultsMax }) => {
      const off = drawNodes(plan, faultsMax, random);
      const offsetMs = () => random.pick([-3_600_000, -20_000, 20_000, 3_600_000]);
      return {
        leftDown: [],
        delays: plan.delays.map((delays, i) => (off.includes(i) ? { ...delays, clockOffsetMs: offsetMs() } : delays)),
      };
    },
  },

  /** The validator set changes, with everything else at random. */
  epochs: { changes: true, bend: () => ({}) },

  /** The set changes while as many are down as may be, and checkpoints are due at the next height: leavers are needed to sign. */
  'tight-epochs': {
    byzantine: 'none',
    changes: true,
    bend: ({ plan, random }) => {
      const leftDown = drawNodes(plan, faultsMaxOf(plan), random);
      return {
        constants: { checkpointLag: 1 },
        profile: { delayMinMs: 1, delayMaxMs: random.pick([10, 60]), lossShare: random.pick([0, 0.05]) },
        leftDown,
        faults: [
          ...leftDown.map((node) => ({ atMs: 60, lastsMs: 60_000, fault: { type: 'crash', node } as const })),
          ...restartOften(plan, random, leftDown),
        ],
      };
    },
  },

  /** The set changes while one node after the other restarts, and much is under way. */
  'restarted-epochs': {
    kind: 'restarts',
    byzantine: 'none',
    changes: true,
    bend: ({ plan, random }) => ({
      profile: { delayMinMs: 1, delayMaxMs: random.pick([20, 80]), lossShare: 0 },
      leftDown: [],
      faults: restartOften(plan, random),
      pauseMs: 20,
    }),
  },

  /** The set changes while finalizations reach some only. */
  'divided-epochs': {
    kind: 'storm',
    byzantine: 'none',
    changes: true,
    bend: ({ plan, random }) => ({
      profile: { delayMinMs: 1, delayMaxMs: random.pick([10, 60]), lossShare: 0 },
      faults: loseFinalizations(plan, random),
      leftDown: drawNodes(plan, faultsMaxOf(plan), random),
    }),
  },

  /** Leaders that bend the header of their blocks while the validator set changes. */
  'bent-epochs': {
    kind: 'calm',
    byzantine: 'all-f',
    changes: true,
    bend: ({ plan, random }) => ({ byzantine: only(plan, random, ['bender']) }),
  },

  /** Who contradicts itself is proven faulty, and leaves while others join and leave; nodes restart all the while. */
  'proven-epochs': {
    kind: 'restarts',
    byzantine: 'all-f',
    changes: true,
    bend: ({ plan, random }) => ({
      byzantine: only(plan, random, ['equivocator', 'batch-equivocator', 'result-liar']),
    }),
  },

  /** Nodes lose their disk, are taken back with another life number, and lose it again. */
  'lost-lives': {
    kind: 'storm',
    byzantine: 'none',
    changes: true,
    bend: ({ plan, random }) => {
      const { faultsMs } = plan.options;
      const wiped = drawNodes(plan, faultsMaxOf(plan), random);
      return {
        leftDown: [],
        options: { ...plan.options, faultsMs: 2 * faultsMs },
        faults: [
          ...plan.faults.filter(isHarmless),
          ...wiped.flatMap((node) => loseDisk(node, 500 + random.next() * 500, 2 * faultsMs, random)),
        ],
      };
    },
  },

  /**
   * A whole machine is put back to a moment ago, mark and all, while another node is away: nothing goes on without its votes, so what it
   * has signed is still open, and only its peers know.
   */
  'put-back': {
    kind: 'calm',
    byzantine: 'none',
    bend: ({ plan, random }) => {
      const [node, away] = drawNodes(plan, 2, random) as [number, number];
      const atMs = 800 + random.next() * 1_000;
      return {
        profile: { delayMinMs: 1, delayMaxMs: random.pick([20, 80]), lossShare: 0 },
        leftDown: [],
        pauseMs: 10,
        faults: [
          { atMs: atMs - random.next() * 300, lastsMs: 1_500, fault: { type: 'crash', node: away } },
          { atMs, lastsMs: 200 + random.next() * 400, fault: { type: 'put-back', node } },
        ],
      };
    },
  },

  /** Neighbours in the order of leaders that never propose. */
  neighbours: {
    kind: 'calm',
    byzantine: 'all-f',
    bend: ({ plan, random }) => {
      const first = random.integer(0, plan.options.nodesCount - 1);
      return {
        options: { ...plan.options, calmMs: 8_000 },
        // The time is for views alone.
        delays: plan.delays.map((delays) => ({ ...delays, executeMs: Math.min(delays.executeMs, 60) })),
        byzantine: plan.byzantine.map((_, i) => ({
          node: (first + i) % plan.options.nodesCount,
          name: 'silent-leader' as const,
        })),
      };
    },
  },
} as const satisfies Record<string, Profile>;

/** The world of one seed. */
export function drawWorld(name: ProfileName, seed: number, nodesCount: number): WorldPlan {
  const profile: Profile = profiles[name];
  const faultsMax = Math.floor((nodesCount - 1) / 3);
  const counts = { none: 0, 'all-f': faultsMax };
  const plan = drawPlan({
    seed,
    nodesCount,
    ...defaultWorld,
    ...(name !== 'any' && { mode: 'liveness' as const }),
    ...(profile.kind !== undefined && { kind: profile.kind }),
    ...(profile.byzantine !== undefined && { byzantineCount: counts[profile.byzantine] }),
    ...(name !== 'any' && { changes: profile.changes ?? false }),
  });
  return { ...plan, ...profile.bend({ plan, random: createRandom(seed ^ 0xbe4d), faultsMax }) };
}

/** So many different nodes. */
function drawNodes({ options }: WorldPlan, count: number, random: Random): number[] {
  const nodes = new Set<number>();
  while (nodes.size < count) nodes.add(random.integer(0, options.nodesCount - 1));
  return [...nodes];
}

/** How many may be faulty while the set is smallest, whatever the order of its changes. */
function faultsMaxOf({ options, changes = [] }: WorldPlan): number {
  const leaversCount = changes.filter(({ verb }) => verb === 'remove').length;
  return Math.floor((options.nodesCount - leaversCount - 1) / 3);
}

/** Whether a fault leaves a node as good as before: damage would count among the f. */
function isHarmless({ fault }: PlannedFault): boolean {
  return !['lying-disk', 'roll-back', 'put-back', 'bit-flip', 'misdirected-write', 'wipe'].includes(fault.type);
}

/** One node, again and again. */
function loseDisk(node: number, fromMs: number, untilMs: number, random: Random): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let atMs = fromMs; atMs < untilMs; atMs += 800 + random.next() * 1_500)
    faults.push({ atMs, lastsMs: random.next() * 300, fault: { type: 'wipe', node } });
  return faults;
}

function restartAllAtTheEnd({ options }: WorldPlan): PlannedFault {
  return { atMs: options.faultsMs - 1, lastsMs: 1_000, fault: { type: 'restart-all', spreadMs: 0 } };
}

/** One node after the other is down for a moment, and those who leave more often than others. */
function restartOften(
  { options, joinersCount = 0, changes = [] }: WorldPlan,
  random: Random,
  spared: readonly number[] = [],
): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let atMs = 400; atMs < options.faultsMs; atMs += 20 + random.next() * 150) {
    const leavers = changes.filter((change) => change.verb === 'remove' && change.atMs < atMs).map(({ node }) => node);
    const isLeaver = leavers.length > 0 && random.chance(0.6);
    const node = isLeaver ? random.pick(leavers) : random.integer(0, options.nodesCount + joinersCount - 1);
    if (spared.includes(node)) continue;
    if (random.chance(0.5)) faults.push({ atMs, lastsMs: random.next() * 80, fault: { type: 'crash', node } });
    else faults.push({ atMs, lastsMs: 0, fault: { type: 'crash-at-sync', node, fate: 'crash-before' } });
  }
  return faults;
}

/** Votes to finalize and certificates of one node after the other get lost or come late. */
function loseFinalizations({ options }: WorldPlan, random: Random): PlannedFault[] {
  const { nodesCount, faultsMs } = options;
  const faults: PlannedFault[] = [];
  for (let atMs = 100; atMs < faultsMs; atMs += 20 + random.next() * 200) {
    const node = random.integer(0, nodesCount - 1);
    const fault = random.pick([
      { type: 'lost-votes', node, voteKind: 2, spared: random.integer(0, nodesCount - 1) } as const,
      { type: 'lost-certificates', node, isInbound: random.chance(0.7) } as const,
      { type: 'slow-link', node, byMs: random.integer(20, 200) } as const,
    ]);
    faults.push({ atMs, lastsMs: random.next() * 800, fault });
  }
  return faults;
}

/** Most clocks jump an hour ahead, and back again. */
function jumpClocks({ options }: WorldPlan, random: Random): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (let atMs = 600; atMs < options.faultsMs; atMs += 1_000) {
    const lastsMs = random.next() * 900;
    for (let node = 0; node < options.nodesCount; node++) {
      if (random.chance(0.75)) faults.push({ atMs, lastsMs, fault: { type: 'clock', node, offsetMs: 3_600_000 } });
    }
  }
  return faults;
}

function only(plan: WorldPlan, random: Random, names: readonly AdversaryName[]): WorldPlan['byzantine'] {
  return plan.byzantine.map(({ node }) => ({ node, name: random.pick(names) }));
}
