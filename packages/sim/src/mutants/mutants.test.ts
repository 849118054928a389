/** The mutants fit the sources of today, and those that show at once are found; `npm run sim:mutants` hunts all of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { catalogue } from './catalogue.ts';
import { covered } from './covered.ts';
import { repository } from './load-mutated.ts';
import { editsByFile, mutate } from './mutant.ts';
import { runHunt } from './run-hunt.ts';

/** One or two of each chapter that show within a few seeds. */
const quick = [
  'floors-from-executed-state',
  'finalize-after-own-nullify',
  'leader-waits-instead-of-proposing-again',
  'no-advance-timer',
  'notarize-forgotten-in-a-restart',
  'checkpoint-signatures-neither-sent-again-nor-asked-for',
  'floors-not-begun-anew',
];
const quickSeedsMax = 30;

test('every mutant replaces text that its sources hold exactly once, and what comes out is TypeScript', () => {
  for (const mutant of [...catalogue, ...covered]) {
    for (const [file, edits] of editsByFile(mutant)) {
      const text = readFileSync(new URL(file, repository), 'utf8');
      const mutated = mutate(text, edits);
      assert.notEqual(mutated, text, mutant.name);
      assert.doesNotThrow(() => stripTypeScriptTypes(mutated), mutant.name);
    }
  }
});

test('there are mutants of every chapter, and no name is used twice', () => {
  assert.ok(catalogue.length >= 40);
  const all = [...catalogue, ...covered];
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
});

test('a mutant whose text has moved on is refused', () => {
  const edit = { file: 'x.ts', find: 'b', replace: 'c' };
  assert.equal(mutate('abd', [edit]), 'acd');
  assert.throws(() => mutate('ad', [edit]), /does not contain/);
  assert.throws(() => mutate('abbd', [edit]), /more than once/);
});

for (const name of quick) {
  test(`the simulator finds: ${name}`, async () => {
    const found = await runHunt({ mutant: name, isMutated: true, from: 1, count: quickSeedsMax });
    assert.notEqual(found.how, null, `not in ${found.seeds} seeds`);
    assert.notEqual(found.how, 'hang', found.text);
    const control = await runHunt({ mutant: name, isMutated: false, from: found.seed, count: 1 });
    assert.equal(control.how, null, `seed ${found.seed} is bad without the mutant: ${control.text}`);
  });
}
