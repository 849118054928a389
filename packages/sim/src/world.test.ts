/** Promises that hold in every world: a fixed number of seeds, so that a failure is always the same one. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { installSha256 } from '@cairn-ledger/core';
import { defaultWorld, runWorld, type WorldReport } from './world.ts';

installSha256((bytes) => hash('sha256', bytes, 'buffer'));

const seedsCount: Readonly<Record<number, number>> = { 4: 60, 7: 30 };
const recoveryMsMax = 15_000;

for (const nodesCount of [4, 7]) {
  const reports: WorldReport[] = [];
  const claim = (report: WorldReport, isTrue: boolean, texts: readonly string[]): void =>
    assert.ok(isTrue, [...texts, `replay: npm run sim -- ${report.seed} --nodes ${nodesCount}`].join('\n'));

  test(`${nodesCount} nodes never differ, sign nothing that proves them faulty, and none fences itself`, () => {
    for (let seed = 1; seed <= seedsCount[nodesCount]!; seed++) {
      const report = runWorld({ seed, nodesCount, ...defaultWorld });
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

  test(`a seed gives the same world of ${nodesCount} nodes again, to the frame`, () => {
    for (const report of reports.slice(0, 3)) {
      assert.deepEqual(runWorld({ seed: report.seed, nodesCount, ...defaultWorld }), report);
    }
  });
}

test('another seed gives another world', () => {
  const [a, b] = [1, 2].map((seed) => runWorld({ seed, nodesCount: 4, ...defaultWorld }));
  assert.notEqual(a!.fingerprint, b!.fingerprint);
});
