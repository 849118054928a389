import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { concentrationsOf } from '../concentration.ts';
import { concentrationText, concentrationWarnings, presentText, resilienceText, standingTexts } from './resilience.ts';

const four = ['a', 'b', 'c', 'd'].map((id, i) => ({
  id,
  member: id,
  host: i < 2 ? 'hall 1' : `hall ${i}`,
  operator: `op ${i}`,
}));

test('what a network withstands, and what it takes to harm it', () => {
  assert.match(
    resilienceText(20),
    /withstands 6 faulty validators of 20; 7 can halt it, 8 can fork it .*, 14 can certify/,
  );
  assert.match(resilienceText(1), /development only/);
});

test('those out of order now are taken off what it withstands', () => {
  assert.equal(presentText(7, 0), 'right now all 7 are well');
  assert.equal(presentText(7, 1), 'right now 1 of 7 is out of order or proven faulty: it withstands 1 more');
  assert.equal(
    presentText(7, 2),
    'right now 2 of 7 are out of order or proven faulty: one more could halt the network',
  );
  assert.equal(presentText(7, 4), 'right now 4 of 7 are out of order or proven faulty: 2 more than it withstands');
});

test('a host or operator with more validators than the network withstands is warned of', () => {
  assert.deepEqual(concentrationsOf(four), [{ place: 'host', name: 'hall 1', validators: ['a', 'b'] }]);
  assert.deepEqual(concentrationWarnings(four), [
    'host hall 1 has 2 of 4 validators (a, b): alone it could halt and fork the network',
  ]);
  const seven = Array.from({ length: 7 }, (_, i) => ({
    id: `v${i}`,
    member: i < 2 ? 'one' : `m${i}`,
    ...(i === 2 && { operator: 'one' }),
  }));
  assert.deepEqual(concentrationWarnings(seven), [
    'operator one has 3 of 7 validators (v0, v1, v2): alone it could halt and fork the network',
  ]);
  assert.deepEqual(concentrationWarnings(seven.slice(1)), [
    'operator one has 2 of 6 validators (v1, v2): alone it could halt the network',
  ]);
});

test('how many fall together is told also where it is harmless', () => {
  const seven = Array.from({ length: 7 }, (_, i) => ({
    id: `v${i}`,
    member: `m${i}`,
    host: i < 2 ? 'hall 1' : `hall ${i}`,
  }));
  assert.equal(concentrationText(seven), 'of 7 validators at most 2 at one host (hall 1)');
  assert.equal(concentrationText(four), 'of 4 validators at most 2 at one host (hall 1)');
  const oneOwner = seven.map((each) => ({ ...each, operator: 'cloud' }));
  assert.equal(
    concentrationText(oneOwner),
    'of 7 validators at most 2 at one host (hall 1), 7 of one operator (cloud)',
  );
  assert.equal(concentrationText(seven.slice(2)), null);
});

test('who does not just vote is told with the reason', () => {
  assert.deepEqual(
    standingTexts([
      { id: 'a', state: 'active', causes: [] },
      { id: 'b', state: 'suspended', causes: ['proven-fault', 'own-notice'], sinceHeight: 12 },
      { id: 'c', state: 'suspended', causes: ['attested'] },
      { id: 'd', state: 'leaving', causes: [] },
      { id: 'e', state: 'joining', causes: [], sinceHeight: null },
      { id: 'f', state: 'admitted', causes: [] },
      { id: 'g', state: 'removed', causes: ['vote'], sinceHeight: 7 },
    ]),
    [
      'suspended, their views are skipped: b (proven faulty, fenced itself, since height 12), c (suspected by others)',
      'leaving with this epoch: d',
      'joining with the next epoch: e',
      'admitted, not ready yet: f',
      'removed: g (by vote of the members, since height 7)',
    ],
  );
  assert.deepEqual(standingTexts([{ id: 'a', state: 'active', causes: [] }]), []);
});

test('validators whose records name no place warn of nothing', () => {
  assert.deepEqual(concentrationWarnings(['a', 'b', 'c'].map((id) => ({ id, member: id }))), []);
  assert.deepEqual(concentrationWarnings([]), [], 'nor do validators that nobody told');
});
