import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createStallWatch, type SyncProgress } from './stall-watch.ts';

const behind: SyncProgress = { isSyncing: true, finalizedHeight: 10, executedHeight: 10, isLinked: true };

test('a node that is behind and takes no step has stalled after so long, and again after as long', () => {
  const watch = createStallWatch(100);
  assert.deepEqual(
    [0, 10, 60, 109, 110, 111, 210, 212].map((nowMs) => watch.tick(nowMs, behind)),
    [false, false, false, false, true, false, false, true],
  );
});

for (const [what, once] of Object.entries<Partial<SyncProgress>>({
  'a block that became final': { finalizedHeight: 11 },
  'a block that was executed': { executedHeight: 9 },
  'nothing lacking any more': { isSyncing: false },
  'nobody linked': { isLinked: false },
})) {
  test(`counted anew after ${what}`, () => {
    const watch = createStallWatch(100);
    watch.tick(0, behind);
    watch.tick(10, behind);
    assert.equal(watch.tick(109, { ...behind, ...once }), false);
    assert.equal(watch.tick(110, { ...behind, ...once, isSyncing: true, isLinked: true }), false);
    assert.equal(watch.tick(150, { ...behind, ...once, isSyncing: true, isLinked: true }), false);
  });
}
