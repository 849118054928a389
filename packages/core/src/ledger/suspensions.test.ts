/** Suspended validators (protocol.md section 6): what suspends, for how long, and what the engine is told. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { attest } from './operations/attest.ts';
import { readAttestations, readSuspensions, readSuspensionsOf } from './set-query.ts';
import type { AttestVerdict } from './set-records.ts';
import { createSetWorld, linkOf, personOf, type SetWorld, validatorOf } from './testing/set-world.ts';

const suspended = (world: SetWorld): string[] =>
  readSuspensions(world.store).map(({ validator, cause }) => `${validator} ${cause}`);

/** All of `by` attest in one block; what the engine is told. */
function attestAll(world: SetWorld, by: readonly number[], i: number, verdict: AttestVerdict) {
  const operation = attest.toCbor({ validator: `v${i}`, verdict, reason: 'silent' });
  return world.execute(by.map((each) => world.sign(linkOf(each), { operations: [operation] }))).leaderHints;
}

test('f + 1 suspicions suspend, and f + 1 words that all is well end it', () => {
  const world = createSetWorld(7);
  assert.deepEqual(attestAll(world, [1, 2], 5, 'suspect'), []);
  assert.deepEqual(attestAll(world, [1, 2], 5, 'suspect'), [], 'each counts once');
  assert.deepEqual(attestAll(world, [3], 5, 'suspect'), [{ validator: 'v5', suspended: true }]);
  assert.deepEqual(suspended(world), ['v5 attested']);
  assert.deepEqual(readAttestations(world.store), [], 'everybody is asked anew');
  assert.deepEqual(attestAll(world, [1, 2], 5, 'clear'), []);
  assert.deepEqual(attestAll(world, [6], 5, 'clear'), [{ validator: 'v5', suspended: false }]);
  assert.deepEqual(suspended(world), []);
});

test('the last word of a validator counts, for 1,000 heights', () => {
  const world = createSetWorld(7);
  attestAll(world, [1, 2], 5, 'suspect');
  attestAll(world, [2], 5, 'clear');
  attestAll(world, [3], 5, 'suspect');
  assert.deepEqual(suspended(world), []);
  assert.deepEqual(
    readAttestations(world.store).map(({ by, verdict, reason }) => `${by} ${verdict} ${reason}`),
    ['v1 suspect silent', 'v2 clear silent', 'v3 suspect silent'],
  );
  world.jumpTo(1_001);
  attestAll(world, [4], 5, 'suspect');
  assert.deepEqual(suspended(world), [], 'that of v1 is 1,001 heights old');
  attestAll(world, [6], 5, 'suspect');
  assert.deepEqual(suspended(world), ['v5 attested']);
});

test('a suspension by attestations lapses 1,000 heights later', () => {
  const world = createSetWorld(4);
  attestAll(world, [1, 2], 3, 'suspect');
  world.jumpTo(1_000);
  assert.deepEqual(suspended(world), ['v3 attested']);
  const { leaderHints } = world.execute();
  assert.deepEqual(leaderHints, [{ validator: 'v3', suspended: false }]);
});

test('at most f are suspended by attestations at a time; the oldest makes room', () => {
  const world = createSetWorld(7);
  attestAll(world, [1, 2, 3], 5, 'suspect');
  attestAll(world, [1, 2, 3], 6, 'suspect');
  world.execute([], { misbehaviour: [world.fault(4, 'damage')] });
  const hints = attestAll(world, [1, 2, 3], 7, 'suspect');
  assert.deepEqual(hints, [
    { validator: 'v7', suspended: true },
    { validator: 'v5', suspended: false },
  ]);
  assert.deepEqual(suspended(world), ['v6 attested', 'v4 damage', 'v7 attested'], 'what is proven is outside of that');
});

test('in a network without a fault to spare nobody is suspended by attestations', () => {
  const world = createSetWorld(3);
  attestAll(world, [1, 2], 3, 'suspect');
  assert.deepEqual(suspended(world), []);
});

test('a fenced validator says so, and that it is present again; only of itself', () => {
  const world = createSetWorld(4);
  assert.equal(world.attest(1, 'v2', 'fenced'), 'attest.wrong-subject');
  assert.equal(world.attest(1, 'v2', 'present'), 'attest.wrong-subject');
  assert.equal(world.attest(1, 'v1', 'suspect'), 'attest.wrong-subject');
  assert.equal(world.attest(1, 'v1', 'clear'), 'attest.wrong-subject');
  assert.equal(world.attest(2, 'v2', 'fenced'), 'ok');
  assert.equal(world.attest(2, 'v2', 'fenced'), 'ok');
  assert.deepEqual(suspended(world), ['v2 own-notice']);
  attestAll(world, [1, 3], 2, 'clear');
  assert.deepEqual(suspended(world), ['v2 own-notice'], 'nobody else knows');
  assert.equal(world.attest(2, 'v2', 'present'), 'ok');
  assert.deepEqual(suspended(world), []);
});

test('only validators of the set attest, of validators of the set', () => {
  const world = createSetWorld(4, 5);
  assert.equal(world.attest(1, 'v5', 'suspect'), 'validator.unknown');
  assert.equal(world.attest(1, 'v2', 'suspect', personOf(1)), 'attest.not-validator');
  world.decide({ type: 'admit-validator', validator: validatorOf(5) });
  assert.equal(world.attest(5, 'v1', 'suspect'), 'attest.not-validator');
});

test('damage suspends until f + 1 say that all is well; it is no fault', () => {
  const world = createSetWorld(5);
  attestAll(world, [1, 3], 2, 'clear');
  const { targetSet } = world.execute([], { misbehaviour: [world.fault(2, 'damage')] });
  assert.equal(targetSet, null);
  world.jumpTo(2_000);
  assert.deepEqual(suspended(world), ['v2 damage']);
  attestAll(world, [1], 2, 'clear');
  assert.deepEqual(suspended(world), ['v2 damage'], 'what was said before it does not count');
  attestAll(world, [3], 2, 'clear');
  assert.deepEqual(suspended(world), []);
  world.execute([], { authors: world.ids() });
  assert.equal(world.ready(2, 1), 'ok', 'it may come back with its keys');
});

test('a validator with several causes is suspended until the last one has ended', () => {
  const world = createSetWorld(4);
  assert.deepEqual(attestAll(world, [1, 3], 2, 'suspect'), [{ validator: 'v2', suspended: true }]);
  assert.deepEqual(attestAll(world, [2], 2, 'fenced'), []);
  assert.deepEqual(attestAll(world, [1, 3], 2, 'clear'), []);
  assert.deepEqual(attestAll(world, [2], 2, 'present'), [{ validator: 'v2', suspended: false }]);
});

test('what a refused transaction attests suspends nobody', () => {
  const world = createSetWorld(4);
  const fenced = attest.toCbor({ validator: 'v2', verdict: 'fenced', reason: 'audit' });
  const { leaderHints, events } = world.execute([world.sign(linkOf(2), { operations: [fenced, [99]] })]);
  assert.deepEqual([leaderHints, events, suspended(world)], [[], [], []]);
});

test('suspensions are of a validator as it was: with another key or life number it is somebody else', () => {
  const world = createSetWorld(5);
  world.execute([], { misbehaviour: [world.fault(1, 'damage')] });
  attestAll(world, [3, 4], 2, 'suspect');
  attestAll(world, [3], 3, 'fenced');
  const causes = (changed: Partial<ReturnType<typeof validatorOf>>) =>
    readSuspensionsOf(
      world.store,
      [1, 2, 3].map((i) => ({ ...validatorOf(i), ...changed })),
    ).map(({ cause }) => cause);
  assert.deepEqual(causes({}), ['damage', 'attested', 'own-notice']);
  assert.deepEqual(causes({ life: new Uint8Array(16) }), ['damage']);
  assert.deepEqual(causes({ votingKey: new Uint8Array(32) }), []);
  assert.deepEqual(readSuspensionsOf(world.store, [validatorOf(4)]), []);
});
