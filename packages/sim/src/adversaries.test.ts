/** Every adversary alone, and more of them than the protocol withstands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdversaryName, adversaryNames } from './adversaries/index.ts';
import { fakeVerifier } from './fake-crypto.ts';
import type { WorldKind } from './plan.ts';
import { installQuickPlatform } from './quick-platform.ts';
import { isBad, textOfReport } from './report.ts';
import { replayCommand } from './shrink.ts';
import { defaultWorld, runWorld, type WorldOptions, type WorldReport } from './world.ts';

installQuickPlatform();

const kinds: readonly WorldKind[] = ['storm', 'calm', 'restarts', 'storm'];
const worldsOf = (adversary: AdversaryName): WorldOptions[] =>
  kinds.map((kind, i) => ({
    ...defaultWorld,
    seed: i + 1,
    nodesCount: 4,
    kind,
    mode: 'liveness',
    adversary,
    byzantineCount: 1,
  }));

/** Those whose words are all true: what they do is signing twice. */
const sayNothingElse: readonly AdversaryName[] = ['amnesiac', 'twin'];
/** What these sign proves them faulty, as soon as honest nodes compare notes. */
const signTwice: ReadonlySet<AdversaryName> = new Set([
  'amnesiac',
  'batch-equivocator',
  'conspirator',
  'equivocator',
  'mutator',
  'twin',
]);

for (const name of adversaryNames) {
  test(`one ${name} of four breaks no promise and does not stop the chain`, () => {
    const reports = worldsOf(name).map((options) => claimGood(options));
    const lies = reports.reduce((sum, report) => sum + report.lies, 0);
    assert.equal(lies > 0, !sayNothingElse.includes(name), `${lies} lies`);
    if (signTwice.has(name)) assert.ok(reports.some(({ named }) => named.length > 0));
  });
}

// With more than f Byzantine nodes: [validators, Byzantine, worlds, forks in them at least].
const conspiracies = [
  [4, 2, 10, 2],
  [5, 3, 10, 2],
  [7, 3, 10, 2],
  [7, 4, 6, 2],
] as const;

for (const [nodesCount, byzantineCount, worldsCount, forksMin] of conspiracies) {
  test(`${byzantineCount} Byzantine nodes of ${nodesCount} can fork the chain, and are named whenever they do`, () => {
    const reports: WorldReport[] = [];
    for (let seed = 1; seed <= worldsCount; seed++)
      reports.push(claimGood({ ...defaultWorld, seed, nodesCount, byzantineCount }));
    const forked = reports.filter(({ forks }) => forks.length > 0);
    assert.ok(forked.length >= forksMin, `${forked.length} forks in ${worldsCount} worlds`);
    const quorum = nodesCount - Math.floor((nodesCount - 1) / 3);
    for (const { named } of forked) assert.ok(named.length >= 2 * quorum - nodesCount);
  });
}

test('two Byzantine nodes of five, one less than two quorums share, cannot fork the chain', () => {
  for (let seed = 1; seed <= 6; seed++) {
    const report = claimGood({ ...defaultWorld, seed, nodesCount: 5, byzantineCount: 2 });
    assert.deepEqual(report.forks, []);
  }
});

test('where signatures are not checked, a forged certificate, a framed node and a false vote are found', () => {
  const { verify } = fakeVerifier;
  const broken: [AdversaryName, RegExp][] = [
    ['certificate-forger', /holds a \w+ certificate that \d has not signed/],
    ['framer', /honest node \d is proven faulty|proves nothing/],
  ];
  Object.assign(fakeVerifier, { verify: () => true });
  try {
    for (const [name, expected] of broken) {
      const violations = worldsOf(name).flatMap((options) => runWorld(options).violations);
      assert.ok(
        violations.some((text) => expected.test(text)),
        `${name}: ${violations.join('\n')}`,
      );
    }
  } finally {
    Object.assign(fakeVerifier, { verify });
  }
});

function claimGood(options: WorldOptions): WorldReport {
  const report = runWorld(options);
  assert.ok(!isBad(report), textOfReport(report, replayCommand(options)));
  return report;
}
