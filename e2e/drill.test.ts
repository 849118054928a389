/**
 * Drills on real nodes (operations.md, "Drills"): what may be asked for on a machine that has other work to do. Throughput and the
 * limits in milliseconds are for `npm run drill`, when it is quiet.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttackName } from '../packages/node/src/cli/drill/attack.ts';
import { runDrill } from '../packages/node/src/cli/drill/run-drill.ts';

const attacks: readonly AttackName[] = ['tamper', 'wipe', 'silence', 'twin'];

test('a node is attacked: noticed, shut out, taken back, nothing lost and nobody wronged', {
  timeout: 600_000,
}, async (t) => {
  const all = await runDrill({
    attacks,
    nodes: 4,
    atOnce: 1,
    dir: null,
    isKept: false,
    windowMs: 2_000,
    // The machine may have other work to do.
    patienceMs: 90_000,
    clients: 1,
    tell: (line) => t.diagnostic(line),
    signal: t.signal,
  });
  assert.deepEqual(
    all.map(({ name }) => name),
    attacks,
  );
  for (const figures of all) {
    await t.test(figures.name, () => {
      assert.notEqual(figures.noticedMs, null, 'it is noticed');
      assert.notEqual(figures.excludedMs, null, 'it is shut out');
      assert.notEqual(figures.backMs, null, 'the node comes back');
      assert.ok(figures.throughputShare > 0.2, 'the others go on');
      assert.equal(figures.honestNodesAccused, 0);
      assert.equal(figures.acknowledgedLost, 0);
      assert.equal(figures.wrongAnswersServed, 0);
    });
  }
});
