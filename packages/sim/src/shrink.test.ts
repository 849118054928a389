/** A failing world is made short, and stays one that fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan } from './plan.ts';
import { installQuickPlatform } from './quick-platform.ts';
import { replayCommand, shrinkWorld } from './shrink.ts';
import { defaultWorld, runWorld } from './world.ts';

installQuickPlatform();

/** No chain can go on within so little time: this world stalls, whatever its faults do. */
const hopeless = { ...defaultWorld, seed: 8, nodesCount: 4, kind: 'storm', mode: 'liveness', calmMs: 0 } as const;

test('a world that fails without any fault is shrunk to one without any', () => {
  const shrunk = shrinkWorld(hopeless);
  assert.ok(shrunk !== null);
  assert.ok(drawPlan(hopeless).faults.length > 0);
  assert.deepEqual(shrunk.options.keptFaults, []);
  assert.ok(shrunk.report.stalls.length > 0);
  assert.ok(shrunk.options.untilMs! < defaultWorld.faultsMs);
});

test('a shrunk world fails again when it is run again', () => {
  const shrunk = shrinkWorld(hopeless)!;
  assert.deepEqual(runWorld(shrunk.options), shrunk.report);
  assert.match(replayCommand(shrunk.options), /^npm run sim -- 8 --nodes 4 --kind storm --mode liveness --faults none/);
});

test('a world that holds is not shrunk', () => {
  assert.equal(shrinkWorld({ ...defaultWorld, seed: 1, nodesCount: 4 }), null);
});
