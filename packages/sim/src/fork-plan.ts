/**
 * Plans of worlds with more than f Byzantine nodes, in which the chain may fork: the honest nodes are two halves, apart for
 * most of the time, and the Byzantine ones talk to both. They are twins (one instance in each half), conspirators (one
 * instance that tells each half another story), or a mixture of everything. Then all are connected again, and have
 * some time to find out who did it.
 */
import type { AdversaryName } from './adversaries/index.ts';
import type { PlannedFault, WorldOptions, WorldPlan } from './plan.ts';
import { createRandom, type Random } from './random.ts';
import type { NetworkProfile } from './virtual-network.ts';

/** Of a partition: reaches everybody. */
export const everyGroup = -1;

const profiles: readonly NetworkProfile[] = [
  { delayMinMs: 0.5, delayMaxMs: 3, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 20, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 40, lossShare: 0.02, doubledShare: 0.05 },
];

export function drawForkPlan(options: WorldOptions, byzantineCount: number): WorldPlan {
  const { seed, nodesCount, faultsMs } = options;
  const random = createRandom(seed ^ 0xf0);
  const places = Array.from({ length: nodesCount }, (_, node) => ({ node, rank: random.next() }));
  const everybody = places.sort((a, b) => a.rank - b.rank).map(({ node }) => node);
  const names = drawNames(random);
  const byzantine = everybody
    .slice(0, byzantineCount)
    .map((node) => ({ node, name: options.adversary ?? random.pick(names) }))
    .sort((a, b) => a.node - b.node);
  const groups = new Array<number>(nodesCount).fill(0);
  everybody.slice(byzantineCount).forEach((node, i) => {
    groups[node] = i % 2;
  });
  for (const { node, name } of byzantine) groups[node] = name === 'twin' ? 0 : everyGroup;
  const splitAtMs = random.next() * 0.3 * faultsMs;
  const lastsMs = (faultsMs - splitAtMs) * (0.3 + 0.7 * random.next());
  const faults: PlannedFault[] = [{ atMs: splitAtMs, lastsMs, fault: { type: 'partition', groups } }];
  // The second instance of a twin talks to the second half.
  const firstHalf = everybody.filter((node) => groups[node] === 0);
  for (const { node, name } of byzantine) {
    const places = [node, ...firstHalf.filter((place) => place !== node)];
    if (name === 'twin') faults.push({ atMs: splitAtMs, lastsMs: 0, fault: { type: 'twins-swap', places } });
  }
  const crashesCount = random.pick([0, 0, 2, 6]);
  for (let i = 0; i < crashesCount; i++) {
    const node = random.integer(0, nodesCount - 1);
    faults.push({ atMs: random.next() * faultsMs, lastsMs: random.next() * 400, fault: { type: 'crash', node } });
  }
  faults.sort((a, b) => a.atMs - b.atMs);
  return {
    options,
    kind: 'calm',
    mode: 'forks',
    profile: random.pick(profiles),
    calmProfile: random.pick(profiles),
    delays: everybody.map(() => ({
      syncMs: random.pick([0.1, 2, 10]),
      executeMs: random.pick([1, 10, 60]),
      clockOffsetMs: random.integer(-1_500, 1_500),
    })),
    byzantine: byzantine.filter(({ node }) => options.keptByzantine?.includes(node) ?? true),
    faults: faults.filter((_, i) => options.keptFaults?.includes(i) ?? true),
    leftDown: [],
    pauseMs: random.pick([30, 120, 500]),
  };
}

function drawNames(random: Random): readonly AdversaryName[] {
  return random.pick<readonly AdversaryName[]>([
    ['twin'],
    ['twin'],
    ['conspirator'],
    ['conspirator'],
    ['equivocator', 'conspirator', 'amnesiac', 'skipper', 'selective-sender', 'certificate-forger', 'framer'],
  ]);
}
