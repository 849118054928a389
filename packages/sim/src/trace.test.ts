/** The readable trace: what it tells, that it is the same each time, and that nobody notices being watched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fact, toValidatorIndex, toView } from '@cairn-ledger/core';
import { installQuickPlatform } from './quick-platform.ts';
import { createTrace } from './trace.ts';
import { defaultWorld, runWorld } from './world.ts';

installQuickPlatform();

const options = {
  ...defaultWorld,
  seed: 11,
  nodesCount: 4,
  faultsMs: 900,
  calmMs: 5_000,
  mode: 'safety',
  byzantineCount: 0,
} as const;

function traceOf(mode: 'story' | 'full'): { readonly lines: string[]; readonly fingerprint: string } {
  const lines: string[] = [];
  const trace = createTrace({ mode, write: (line) => lines.push(line), validatorsCount: 4, twins: [0] });
  const { fingerprint } = runWorld(options, trace.observe);
  trace.finish();
  return { lines, fingerprint };
}

test('a world is told the same way each time, and is the same whether it is watched or not', () => {
  const first = traceOf('story');
  assert.deepEqual(traceOf('story'), first);
  assert.equal(runWorld(options).fingerprint, first.fingerprint);
});

test('the story names who proposes which block on what, and the rule of every step to its finality', () => {
  const text = traceOf('story').lines.join('\n');
  for (const rule of [
    /node \d proposes A in view \d+ on view \d+: height 1 on the genesis, .*\[R2\]/,
    /nodes? .* notarizes? A in view \d+ \[R3\]/,
    /forms? the notarization of A in view \d+ \[R4\], certif(?:y|ies) view \d+ \[R4\]/,
    /enters? view \d+ \[R1\]/,
    /votes? to finalize A of view \d+ \[R6\]/,
    /nodes? .* finalizes? A/,
    /nodes? .* executes? A \(height 1\)/,
  ])
    assert.match(text, rule);
});

test('the full trace has every frame, as it is sent and as it arrives', () => {
  const { lines } = traceOf('full');
  for (const frame of [
    'acknowledgement',
    'status',
    'vote: notarize',
    'certificate',
    'checkpoint signatures',
    'batch',
  ]) {
    assert.ok(
      lines.some((line) => / -> /.test(line) && line.includes(frame)),
      `sent: ${frame}`,
    );
    assert.ok(
      lines.some((line) => / <- /.test(line) && line.includes(frame)),
      `arrived: ${frame}`,
    );
  }
});

test('nodes that do the same at about the same time share a line, and each keeps its order', () => {
  const lines: string[] = [];
  const trace = createTrace({ mode: 'story', write: (line) => lines.push(line), validatorsCount: 4, twins: [1] });
  const enters = (node: number, view: number, atMs: number) =>
    trace.observe(
      { type: 'fact', node, fact: { type: 'entered-view', view: toView(view), by: 'nullification' } },
      atMs,
    );
  const proven: Fact = { type: 'fault-proven', accused: toValidatorIndex(3), kind: 'votes' };
  enters(0, 2, 10);
  trace.observe({ type: 'fact', node: 1, fact: proven }, 11);
  enters(1, 2, 12);
  enters(4, 2, 12);
  enters(2, 2, 90);
  trace.note('the end', 100);
  trace.finish();
  assert.deepEqual(lines, [
    '     10  node 0 enters view 2 [R1]',
    '     11  node 1 proves node 3 faulty (votes)',
    "     12  nodes 1, 1' enter view 2 [R1]",
    '     90  node 2 enters view 2 [R1]',
    '    100  the end',
  ]);
});
