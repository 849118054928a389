/**
 * Drills on real nodes (operations.md, "Drills"): what may be asked for on a machine that has other work to do. Throughput and the
 * limits in milliseconds are for `npm run drill`, when it is quiet.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttackName } from '../packages/node/src/cli/drill/attack.ts';
import { runDrill } from '../packages/node/src/cli/drill/run-drill.ts';

const attacks: readonly AttackName[] = ['tamper', 'silence', 'wipe', 'twin'];

for (const attack of attacks) {
  test(`${attack}: noticed, shut out, and taken back, with nothing lost and nobody wronged`, {
    timeout: 150_000,
  }, async (t) => {
    const told: string[] = [];
    const [figures] = await runDrill({
      attacks: [attack],
      nodes: 4,
      atOnce: 1,
      dir: null,
      isKept: false,
      tell: (line) => told.push(line),
      signal: t.signal,
    });
    for (const line of told) t.diagnostic(line);
    assert.ok(figures !== undefined);
    assert.notEqual(figures.noticedMs, null, 'it is noticed');
    assert.notEqual(figures.excludedMs, null, 'it is shut out');
    assert.notEqual(figures.backMs, null, 'the node comes back');
    assert.ok(figures.throughputShare > 0.2, 'the others go on');
    assert.equal(figures.honestNodesAccused, 0);
    assert.equal(figures.acknowledgedLost, 0);
    assert.equal(figures.wrongAnswersServed, 0);
  });
}
