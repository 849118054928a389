/**
 * The model of agreement (agreement.pml) holds within a bound, misses no rule that is taken away, and allows what the
 * production code does in simulated worlds. The full bound: `npm run model`.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ModelStep, type ModelTrace, recordModelTrace } from '../packages/sim/src/model-trace/model-trace.ts';
import { installQuickPlatform } from '../packages/sim/src/quick-platform.ts';
import { mutants, quickChecks } from './checks.ts';
import { replay, verify, whatIsMissing } from './spin.ts';
import { traceToPromela } from './trace.ts';

installQuickPlatform();
const missing = await whatIsMissing();
const options = { skip: missing === null ? false : `skipped: ${missing}` };

const checkpointLag = 4;
const viewsMax = 200;
const kinds = ['storm', 'restarts', 'calm'] as const;
/** Ten seeds of each kind; among the calm ones some in which blocks are proposed again. */
const firstSeeds = { storm: 1, restarts: 1, calm: 5 } as const;

for (const { name, definitions } of quickChecks) {
  test(`agreement holds in every state: ${name}`, options, async () => {
    const { violation, states } = await verify(definitions);
    assert.equal(violation, null, violation?.steps.join('\n'));
    assert.ok(states > 5_000, `only ${states} states were reached`);
  });
}

for (const { rule, definitions, finding } of mutants) {
  test(`the model breaks without a rule: ${rule}`, options, async () => {
    const { violation } = await verify(definitions);
    assert.equal(violation?.assertion, finding);
    assert.ok(violation.steps.length > 1, 'a counterexample has steps');
  });
}

const worlds = kinds.flatMap((kind) =>
  Array.from({ length: 10 }, (_, i) => ({
    seed: firstSeeds[kind] + i,
    kind,
    nodesCount: 4,
    faultsMs: 3_000,
    calmMs: 15_000,
  })),
);
const traces = worlds.flatMap((world) => {
  const trace = missing === null ? recordModelTrace(world, viewsMax) : null;
  return trace === null ? [] : [{ world, trace }];
});
const refusalOf = (trace: ModelTrace) => replay(traceToPromela(trace, checkpointLag));

test('the model allows every step of simulated worlds', options, async () => {
  for (const { world, trace } of traces) {
    const { allowedCount, assertion } = await refusalOf(trace);
    const next = JSON.stringify(trace.steps[allowedCount]);
    const at = `${JSON.stringify(world)}: step ${allowedCount} of ${trace.steps.length}, ${next}, breaks ${assertion}`;
    assert.equal(assertion, null, at);
    assert.equal(allowedCount, trace.steps.length, at);
  }
});

test('these worlds show restarts, faulty nodes, nullified views and blocks proposed again', options, () => {
  const steps = traces.flatMap(({ trace }) => trace.steps);
  assert.ok(traces.filter(({ trace }) => trace.faulty !== null).length > 5);
  assert.ok(steps.filter(({ rule }) => rule === 'Restart').length > 20);
  assert.ok(steps.filter(({ rule }) => rule === 'Nullification').length > 20);
  assert.ok(steps.filter(({ rule, kind }) => rule === 'Notarize' && kind === 0).length > 5);
  assert.ok(steps.filter(({ rule, view, parentView }) => rule === 'Notarize' && view > parentView + 1).length > 5);
  assert.ok(steps.filter(({ rule }) => rule === 'CheckpointCertified').length > 100);
});

/** Changes that make a trace one that no honest validator leaves, and the rule whose step is refused. */
const forgeries: readonly {
  title: string;
  refused: ModelStep['rule'];
  /** Null where the run does not lend itself to it. */
  forge(steps: readonly ModelStep[]): ModelStep[] | null;
}[] = [
  {
    title: 'finalizes what it nullified',
    refused: 'Finalize',
    forge: (steps) => {
      const { who, view } = steps.find(({ rule }) => rule === 'Finalize')!;
      return steps.flatMap((step) =>
        step.rule === 'Notarize' && step.who === who && step.view === view
          ? [step, { ...step, rule: 'Nullify', parentView: 0, kind: 0 }]
          : [step],
      );
    },
  },
  {
    title: 'notarizes twice in a view',
    refused: 'Notarize',
    forge: (steps) => steps.flatMap((step) => (step.rule === 'Notarize' ? [step, { ...step, kind: 2 }] : [step])),
  },
  {
    title: 'proposes on a parent although a view between has no nullification',
    refused: 'Notarize',
    forge: (steps) => {
      const at = steps.findIndex(({ rule, who, view, parentView }, i) => {
        const before = steps.slice(0, i);
        const isFirst = !before.some((step) => step.rule === 'Notarize' && step.view === view);
        const finalized = before.findLast((step) => step.rule === 'Finalized' && step.who === who)?.view;
        const isNullified = before.some((step) => step.rule === 'Nullification' && step.view === view - 1);
        return rule === 'Notarize' && isFirst && !isNullified && parentView === view - 1 && finalized === view - 2;
      });
      const vote = steps[at];
      return vote === undefined ? null : [...steps.slice(0, at), { ...vote, parentView: vote.view - 2, kind: 1 }];
    },
  },
  {
    title: 'holds a nullification that nobody voted for',
    refused: 'Nullification',
    forge: (steps) => steps.filter(({ rule }) => rule !== 'Nullify'),
  },
  {
    title: 'finalizes what it has not certified',
    refused: 'Finalize',
    forge: (steps) => {
      const last = steps.findLast(({ rule }) => rule === 'Finalize')!;
      const isItsOwn = ({ rule, who, view }: ModelStep) => rule === 'Certify' && who === last.who && view === last.view;
      return steps.filter(
        (step) => !isItsOwn(step) && !(step.rule === 'EnterView' && step.who === last.who && step.view > last.view),
      );
    },
  },
  {
    title: 'builds on results that are not certified',
    refused: 'Notarize',
    forge: (steps) =>
      steps.some(({ rule, height }) => rule === 'Execute' && height > checkpointLag + 1)
        ? steps.filter(({ rule }) => rule !== 'CheckpointCertified')
        : null,
  },
  {
    title: 'executes a block that is not final',
    refused: 'Execute',
    forge: (steps) =>
      steps.filter(({ rule }) => rule !== 'Finalize' && rule !== 'Finalization' && rule !== 'Finalized'),
  },
];

for (const { title, refused, forge } of forgeries) {
  test(`the model refuses a run in which a validator ${title}`, options, async () => {
    const steady = traces.filter(({ trace }) => trace.steps.some(({ rule }) => rule === 'Nullify'));
    for (const { trace } of steady) {
      const steps = forge(trace.steps);
      if (steps === null) continue;
      const { allowedCount, assertion } = await refusalOf({ ...trace, steps });
      assert.notEqual(assertion, null);
      assert.equal(steps[allowedCount]?.rule, refused);
      return;
    }
    assert.fail('no run lends itself to this forgery');
  });
}

test('every name of the model that spec/README.md ties to the code is in the model', () => {
  const model = readFileSync(new URL('agreement.pml', import.meta.url), 'utf8');
  const page = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const section = page.split(/^## /m).find((each) => each.startsWith('Names in the model'));
  const names = [...section!.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`(\w+)`/g)]);
  assert.ok(names.length > 15, 'the table has rows like | `name` | `file.ts` | `name` |');
  for (const [, name] of names)
    assert.match(model, new RegExp(`(?:inline|#define|byte|short|bit|Proposal) ${name}\\b`));
});
