/** Promises that hold in every world: a fixed number of seeds, so that a failure is always the same one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan } from './plan.ts';
import { installQuickPlatform } from './quick-platform.ts';
import { replayCommand } from './shrink.ts';
import { defaultWorld, runWorld, viewsToCommitMax, type WorldOptions, type WorldReport } from './world.ts';

installQuickPlatform();

const seedsCount: Readonly<Record<number, number>> = { 4: 60, 5: 12, 7: 16, 10: 4, 13: 2, 20: 1 };
const recoveryMsMax = 25_000;

for (const nodesCount of Object.keys(seedsCount).map(Number)) {
  const reports: WorldReport[] = [];
  const optionsOf = (seed: number): WorldOptions => ({ ...defaultWorld, seed, nodesCount });
  const claim = (report: WorldReport, isTrue: boolean, texts: readonly string[]): void =>
    assert.ok(isTrue, [...texts, `replay: ${replayCommand(optionsOf(report.seed))}`].join('\n'));

  test(`${nodesCount} nodes never differ, sign nothing that proves them faulty, and none fences itself`, () => {
    for (let seed = 1; seed <= seedsCount[nodesCount]!; seed++) {
      const report = runWorld(optionsOf(seed));
      reports.push(report);
      claim(report, report.violations.length === 0, report.violations);
    }
  });

  test(`${nodesCount} nodes execute and certify everything once faults stop, though a minority stays down`, () => {
    for (const report of reports) {
      claim(report, report.stalls.length === 0, report.stalls);
      claim(report, report.recoveryMs <= recoveryMsMax, [`recovery took ${report.recoveryMs} ms`]);
    }
  });

  test(`${nodesCount} nodes commit within ${viewsToCommitMax} views of living honest leaders once faults stop`, () => {
    for (const report of reports) {
      const { viewsToCommit } = report;
      claim(report, viewsToCommit === null || viewsToCommit <= viewsToCommitMax, [`it took ${viewsToCommit} views`]);
    }
  });
}

test('a seed gives the same world again, to the frame', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const options = { ...defaultWorld, seed, nodesCount: 4 };
    assert.deepEqual(runWorld(options), runWorld(options));
  }
});

test('another seed gives another world', () => {
  const [a, b] = [1, 2].map((seed) => runWorld({ seed, nodesCount: 4, ...defaultWorld }));
  assert.notEqual(a!.fingerprint, b!.fingerprint);
});

test('code that throws in a world breaks a promise, and does not end whoever runs the world', () => {
  const report = runWorld({ ...defaultWorld, seed: 1, nodesCount: 4 }, (event) => {
    if (event.type === 'executed') throw new Error('of this test');
  });
  assert.match(report.violations.join(), /^threw Error: of this test at .*world\.test\.ts/);
});

test('a network too small to withstand anybody has nobody Byzantine', () => {
  for (const nodesCount of [1, 2, 3])
    for (let seed = 1; seed <= 20; seed++)
      assert.deepEqual(drawPlan({ ...defaultWorld, seed, nodesCount, kind: 'calm' }).byzantine, []);
});

test('a plan has every kind of fault and damage in some seed, and never more faulty nodes than f', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 400; seed++) {
    const { faults, byzantine, leftDown } = drawPlan({ ...defaultWorld, seed, nodesCount: 7 });
    const damaged = new Set<number>();
    for (const { fault } of faults) {
      seen.add(fault.type);
      if (['lying-disk', 'roll-back', 'bit-flip', 'misdirected-write', 'wipe'].includes(fault.type) && 'node' in fault)
        damaged.add(fault.node);
    }
    const faulty = new Set([...byzantine.map(({ node }) => node), ...leftDown, ...damaged]);
    assert.equal(faulty.size, byzantine.length + leftDown.length + damaged.size, 'nobody is faulty in two ways');
    assert.ok(faulty.size <= 2);
  }
  assert.equal(seen.size, 20, [...seen].sort().join(', '));
});
