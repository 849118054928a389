/** How the target set changes (protocol.md sections 5 and 6): who leaves, who joins, and what waits. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { equalBytes } from '../bytes/hex.ts';
import { attest } from './operations/attest.ts';
import type { EncodedOperation } from './operations/operation.ts';
import { ready } from './operations/ready.ts';
import { readKey } from './query.ts';
import { readAdmissions, readReady, readRemoved, readSuspensions } from './set-query.ts';
import { createSetWorld, lifeOf, linkOf, personOf, type SetWorld, validatorOf } from './testing/set-world.ts';

const idsTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i + 1}`);
const remove = (i: number) => ({ type: 'remove-validator', validator: `v${i}` }) as const;
const admit = (i: number, generation = 0) =>
  ({ type: 'admit-validator', validator: validatorOf(i, generation) }) as const;
const isRevoked = (world: SetWorld, i: number, generation = 0): boolean =>
  readKey(world.store, linkOf(i, generation).kid)!.untilHeight !== null;

/** All validators but these say that they are present. */
function presentBut(world: SetWorld, ...absent: number[]): void {
  const present = world.epoch().validators.filter(({ id }) => !absent.includes(Number(id.slice(1))));
  world.execute([], { authors: present.map(({ id }) => id) });
}

test('a validator proven faulty leaves the target in that block, and its keys with it', () => {
  const world = createSetWorld(5);
  const { targetSet, leaderHints } = world.execute([], { misbehaviour: [world.fault(2)] });
  assert.deepEqual(
    targetSet!.map(({ id }) => id),
    ['v1', 'v3', 'v4', 'v5'],
  );
  assert.deepEqual(leaderHints, [{ validator: 'v2', suspended: true }], 'it is suspended while it is in the set');
  assert.deepEqual(readRemoved(world.store), [{ validator: 'v2', member: 'm2', cause: 'fault', height: 1 }]);
  assert.ok(isRevoked(world, 2));
  assert.equal(world.attest(2, 'v2', 'present'), 'tx.revoked-key');
  world.settle();
  assert.deepEqual(world.epoch().number, 2);
  assert.deepEqual(readSuspensions(world.store), [], 'who has left is not suspended any more');
});

test('all that are proven faulty leave at once, in order of proof, but 4 remain', () => {
  const world = createSetWorld(6);
  world.execute([], { misbehaviour: [world.fault(5), world.fault(1), world.fault(3)] });
  assert.deepEqual(world.ids(), ['v2', 'v3', 'v4', 'v6']);
  assert.deepEqual(
    readSuspensions(world.store).map(({ validator }) => validator),
    ['v5', 'v1', 'v3'],
  );
  world.settle();
  assert.deepEqual(
    readSuspensions(world.store).map(({ validator }) => validator),
    ['v3'],
  );
  world.decide(admit(5, 1));
  assert.equal(world.ready(5, 1, 1), 'ok');
  assert.deepEqual(world.ids(), ['v2', 'v3', 'v4', 'v5', 'v6']);
  world.settle();
  assert.deepEqual(world.ids(), ['v2', 'v4', 'v5', 'v6'], 'now it can be spared');
});

test('in a network of four a faulty one stays, suspended, until it has new keys', () => {
  const world = createSetWorld(4);
  const { targetSet } = world.execute([], { misbehaviour: [world.fault(2)] });
  assert.equal(targetSet, null);
  assert.equal(world.ready(2, 1), 'validator.faulty-key');
  assert.equal(world.propose(2, admit(2)).code, 'validator.faulty-key');
  const { linkKey } = validatorOf(2);
  const withOldKey = { ...validatorOf(2, 1), votingKey: linkKey };
  assert.equal(world.propose(2, { type: 'admit-validator', validator: withOldKey }).code, 'validator.faulty-key');
  world.decide(admit(2, 1));
  assert.equal(world.ready(2, 7, 1), 'ok');
  assert.ok(isRevoked(world, 2) && !isRevoked(world, 2, 1));
  assert.deepEqual(readSuspensions(world.store).length, 1, 'its epoch still runs');
  const hints = Array.from({ length: 6 }, () => world.execute().leaderHints);
  assert.deepEqual(hints.flat(), [{ validator: 'v2', suspended: false }]);
  assert.deepEqual(hints[4], [{ validator: 'v2', suspended: false }], 'with the first block of the new epoch');
  assert.equal(world.execute([], { misbehaviour: [world.fault(2)] }).leaderHints.length, 1, 'the new key counts anew');
});

test('only one change is in flight: what comes meanwhile waits for the boundary', () => {
  const world = createSetWorld(7);
  world.execute([], { misbehaviour: [world.fault(1)] });
  assert.equal(world.ids().length, 6);
  world.execute([], { misbehaviour: [world.fault(2)] });
  world.pass(2);
  assert.equal(world.ids().length, 6, 'before the boundary');
  world.pass(1);
  assert.equal(world.epoch().number, 2);
  assert.equal(world.ids().length, 6, 'the boundary block itself is of the old epoch');
  world.pass(1);
  assert.deepEqual(world.ids(), ['v3', 'v4', 'v5', 'v6', 'v7'], 'the first block of the new one');
});

test('a fault proven with keys that are being replaced removes nobody', () => {
  const world = createSetWorld(5);
  world.decide(admit(3, 1));
  assert.equal(world.ready(3, 1, 1), 'ok');
  world.execute([], { misbehaviour: [world.fault(3)] });
  world.settle();
  world.pass(3);
  assert.deepEqual(world.ids(), idsTo(5));
  assert.deepEqual(readSuspensions(world.store), []);
});

test('the members remove at most f at once, in order of their decisions, and never below 4', () => {
  const world = createSetWorld(8);
  const proposals = [6, 2, 4, 8, 1].map((i) => world.propose(3, remove(i)).id);
  for (const id of proposals) for (const member of [1, 2, 4, 5]) assert.equal(world.vote(member, id), 'ok');
  // The sixth vote of eight decides: the first leaves alone, then as many as may go.
  const decided = proposals.map((id) => world.vote(7, id));
  assert.deepEqual(decided, ['ok', 'ok', 'ok', 'ok', 'ok']);
  world.settle();
  const left = () => world.eventsOf('target-changed').map((event) => event.left.map(({ validator }) => validator));
  assert.deepEqual(left(), [['v6'], ['v2', 'v4']]);
  world.settle();
  assert.deepEqual(left(), [['v6'], ['v2', 'v4'], ['v8']], 'f is 1 of five');
  world.settle();
  assert.deepEqual(world.ids(), ['v1', 'v3', 'v5', 'v7'], 'v1 must stay');
  assert.deepEqual(
    readRemoved(world.store).map(({ cause }) => cause),
    ['vote', 'vote', 'vote', 'vote'],
  );
});

test('in networks of four and fewer nobody can be voted out', () => {
  for (const count of [1, 2, 3, 4]) {
    const world = createSetWorld(count);
    world.decide(remove(1));
    world.pass(10);
    assert.deepEqual(world.ids(), idsTo(count));
  }
});

test('a removal that was waiting happens once another validator has joined, unless it is admitted again', () => {
  for (const isPardoned of [false, true]) {
    const world = createSetWorld(4, 5);
    world.decide(remove(1));
    if (isPardoned) world.decide(admit(1, 1));
    world.decide(admit(5));
    assert.equal(world.ready(5, 1), 'ok');
    world.settle();
    assert.deepEqual(world.ids(), isPardoned ? idsTo(5) : ['v2', 'v3', 'v4', 'v5']);
  }
});

test('whoever is present is not voted out where the others would be no quorum', () => {
  const world = createSetWorld(7);
  world.jumpTo(2_000);
  presentBut(world, 6, 7);
  world.decide(remove(1));
  world.settle();
  assert.deepEqual(world.ids(), idsTo(7), 'four of six would be present, five are needed');
  world.decide(remove(6));
  assert.deepEqual(world.ids(), ['v1', 'v2', 'v3', 'v4', 'v5', 'v7'], 'an absent one is missed by nobody');
  world.settle();
  assert.deepEqual(world.ids(), ['v2', 'v3', 'v4', 'v5', 'v7'], 'now four of the other five are enough');
});

test('a new validator joins when it is ready, with its life number, in the block after it the boundary counts from', () => {
  const world = createSetWorld(4, 5);
  world.decide(admit(5));
  world.pass(3);
  assert.deepEqual(world.ids(), idsTo(4));
  assert.equal(world.ready(5, 1), 'ok');
  assert.deepEqual(world.target().at(-1), { ...validatorOf(5), life: lifeOf(1) });
  assert.deepEqual(readAdmissions(world.store), []);
  assert.equal(readReady(world.store, 'v5'), null);
  world.settle();
  assert.deepEqual(
    world.epoch().validators.map(({ id }) => id),
    idsTo(5),
  );
  assert.equal(world.attest(5, 'v5', 'present'), 'ok');
  assert.deepEqual(world.eventsOf('target-changed'), [{ type: 'target-changed', joined: 'v5', left: [], rules: 1 }]);
});

test('one joins at a time, in the order in which they were ready', () => {
  const world = createSetWorld(4, 7);
  for (const i of [5, 6, 7]) world.decide(admit(i));
  const all = [7, 5, 6].map((i) => world.sign(linkOf(i), { operations: [world.readyOf(i, i)] }));
  world.execute(all);
  const sizes = Array.from({ length: 12 }, () => {
    world.execute();
    return world.ids().length;
  });
  assert.deepEqual(sizes, [5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7]);
  assert.deepEqual(
    world.eventsOf('target-changed').map(({ joined }) => joined),
    ['v7', 'v5', 'v6'],
  );
});

test('ready is signed with the link key of the validator, and names the present set and a height lately', () => {
  const world = createSetWorld(4, 5);
  assert.equal(world.ready(1, 1), 'ok');
  assert.equal(world.verdict(linkOf(2), world.readyOf(1, 2)), 'ready.not-admitted');
  assert.equal(world.verdict(personOf(1), world.readyOf(1, 2)), 'ready.not-admitted');
  world.decide(admit(5));
  assert.equal(world.verdict(linkOf(4), world.readyOf(5, 1)), 'ready.not-admitted');
  world.settle();
  const words = {
    ...{ validator: 'v5', life: lifeOf(5), historyRoot: new Uint8Array(32) },
    setDigest: world.readyOf(5, 5)[3] as Uint8Array,
  };
  world.jumpTo(2_000);
  presentBut(world);
  const verdictAt = (height: number) => world.verdict(linkOf(5), ready.toCbor({ ...words, height }));
  assert.equal(verdictAt(world.height() + 1), 'ready.wrong-height');
  assert.equal(verdictAt(world.height() - 1_000), 'ready.wrong-height');
  const wrongSet = { ...words, setDigest: new Uint8Array(32), height: world.height() };
  assert.equal(world.verdict(linkOf(5), ready.toCbor(wrongSet)), 'ready.wrong-set');
  const malformed: unknown[][] = [
    ['v5', new Uint8Array(15), new Uint8Array(32), 1, new Uint8Array(32)],
    ['v5', new Uint8Array(16), new Uint8Array(31), 1, new Uint8Array(32)],
    ['v5', new Uint8Array(16), new Uint8Array(32), -1, new Uint8Array(32)],
    ['v5', new Uint8Array(16), new Uint8Array(32), 1, new Uint8Array(33)],
    ['V', new Uint8Array(16), new Uint8Array(32), 1, new Uint8Array(32)],
  ];
  for (const items of malformed) {
    assert.equal(world.verdict(linkOf(5), [10, ...items] as unknown as EncodedOperation), 'tx.bad-operation');
  }
  assert.equal(verdictAt(world.height() + 1 - 1_000), 'ok');
});

test('nobody joins before a quorum of the next set has given a sign of life; a ready lapses after 1,000 heights', () => {
  const world = createSetWorld(4, 5);
  world.decide(admit(5));
  world.jumpTo(1_500);
  world.execute([], { authors: ['v1', 'v2'] });
  assert.equal(world.ready(5, 1), 'ok');
  assert.deepEqual(world.ids(), idsTo(4), 'v1, v2 and v5 are three, and five need four');
  world.jumpTo(1_502 + 1_000);
  assert.notEqual(readReady(world.store, 'v5'), null);
  world.jumpTo(1_502 + 1_001);
  assert.equal(readReady(world.store, 'v5'), null);
  assert.equal(world.eventsOf('ready-lapsed').length, 1);
  assert.equal(world.ready(5, 2), 'ok');
  for (const i of [1, 2, 3]) {
    assert.deepEqual(world.ids(), idsTo(4));
    assert.equal(world.attest(i, `v${i}`, 'present'), 'ok');
  }
  assert.deepEqual(world.ids(), idsTo(5));
});

test('a fenced validator is not present, whatever batches of it are listed, until it says so', () => {
  const world = createSetWorld(4, 5);
  world.decide(admit(5));
  for (const i of [3, 4]) assert.equal(world.attest(i, `v${i}`, 'fenced'), 'ok');
  assert.equal(world.ready(5, 1), 'ok');
  world.execute([], { authors: ['v3', 'v4'] });
  assert.deepEqual(world.ids(), idsTo(4));
  assert.equal(world.attest(3, 'v3', 'present'), 'ok');
  assert.deepEqual(world.ids(), idsTo(5));
});

test('signs of life are written once in 100 heights', () => {
  const world = createSetWorld(4);
  const writes = (height: number) => world.execute([], { height, authors: ['v1', 'v2', 'v1'] }).writes.length;
  assert.equal(writes(10), 2);
  assert.equal(writes(11), 0);
  assert.equal(writes(110), 0);
  assert.equal(writes(111), 2);
});

test('a validator that lost its safety record returns with a new life number, at most once in 1,000 heights', () => {
  const world = createSetWorld(4);
  assert.equal(world.attest(2, 'v2', 'fenced'), 'ok');
  assert.equal(world.ready(2, 1), 'ok');
  assert.deepEqual(world.target()[1], { ...validatorOf(2), life: lifeOf(1) });
  const returned = world.height();
  assert.equal(world.ready(2, 1), 'ready.used-life');
  assert.equal(world.ready(2, 2), 'ready.too-soon');
  world.settle();
  world.pass(1);
  assert.deepEqual(readSuspensions(world.store), [], 'a new life number ends its own notice');
  assert.ok(!isRevoked(world, 2));
  world.jumpTo(returned + 997);
  presentBut(world);
  assert.equal(world.ready(2, 2), 'ready.too-soon');
  assert.equal(world.ready(2, 2), 'ok', '1,000 heights later');
  assert.deepEqual(world.target()[1]!.life, lifeOf(2));
});

test('a later ready takes the place of an earlier one that still waits', () => {
  const world = createSetWorld(4);
  world.execute([], { misbehaviour: [], authors: [] });
  world.decide(admit(3, 1));
  assert.equal(world.ready(3, 9, 1), 'ok');
  assert.equal(world.ready(2, 1), 'ok');
  assert.equal(world.ready(2, 2), 'ok', 'it lost its record again');
  world.settle();
  assert.ok(equalBytes(world.target()[1]!.life!, lifeOf(2)));
});

test('keys are replaced in one change: the old node key is revoked, the count of validators stays', () => {
  const world = createSetWorld(4);
  world.decide(admit(3, 1));
  assert.equal(world.ready(3, 1), 'ok', 'with the old key it returns');
  world.settle();
  assert.equal(world.ready(3, 2, 1), 'ok');
  assert.deepEqual(world.target()[2], { ...validatorOf(3, 1), life: lifeOf(2) });
  assert.ok(isRevoked(world, 3) && !isRevoked(world, 3, 1));
});

test('an admission ends what the validator was ready for before', () => {
  const world = createSetWorld(4, 5);
  world.decide(admit(5));
  assert.equal(world.ready(5, 1), 'ok');
  assert.equal(world.ready(2, 2), 'ok');
  world.decide({ type: 'admit-validator', validator: { ...validatorOf(2), addresses: ['10.0.0.2:7000'] } });
  world.settle();
  world.pass(5);
  assert.equal(world.target()[1]!.life, null, 'it has not said that it is ready for its new address');
  assert.equal(world.ready(2, 3), 'ok');
  assert.deepEqual(world.target()[1]!.addresses, ['10.0.0.2:7000']);
  assert.ok(!isRevoked(world, 2), 'it keeps its link key');
});

test('whoever is proven faulty does not come in with a key it had then, admitted and ready as it may be', () => {
  const world = createSetWorld(4);
  world.decide(admit(1, 1));
  assert.equal(world.ready(1, 1, 1), 'ok');
  world.decide({ type: 'admit-validator', validator: { ...validatorOf(2, 1), votingKey: validatorOf(2).votingKey } });
  assert.equal(world.ready(2, 2, 1), 'ok', 'it waits for the change that is in flight');
  assert.equal(world.ready(3, 3), 'ok');
  world.execute([], { misbehaviour: [world.fault(2), world.fault(3)] });
  assert.deepEqual(readAdmissions(world.store), []);
  assert.ok(isRevoked(world, 2, 1));
  world.settle();
  world.pass(2);
  assert.deepEqual(world.target().slice(1), world.genesis.validators.slice(1));
});

test('an admission with the link key of a validator that leaves for a fault goes with it', () => {
  const world = createSetWorld(5);
  world.decide({ type: 'admit-validator', validator: { ...validatorOf(2), addresses: ['10.0.0.2:7000'] } });
  world.execute([], { misbehaviour: [world.fault(2)] });
  assert.deepEqual(readAdmissions(world.store), []);
  assert.ok(isRevoked(world, 2));
});

test('a removed validator returns under its id with new keys, of the same member only', () => {
  const world = createSetWorld(5);
  world.decide(remove(5));
  world.settle();
  assert.equal(world.propose(5, admit(5)).code, 'key.exists', 'its node key is revoked');
  const foreign = { ...validatorOf(5, 1), member: 'm1' };
  assert.equal(world.propose(1, { type: 'admit-validator', validator: foreign }).code, 'validator.foreign');
  world.decide(admit(5, 1));
  assert.equal(world.ready(5, 1, 1), 'ok');
  assert.deepEqual(world.ids(), idsTo(5));
  assert.deepEqual(readRemoved(world.store), []);
});

test('new rules are wanted when nothing else is on the agenda', () => {
  const world = createSetWorld(5);
  const { id } = world.propose(1, { type: 'change-rules', rules: 2 });
  for (const member of [2, 3]) world.vote(member, id);
  // The block that decides it removes a validator as well, which comes first.
  const last = world.sign(personOf(4), { operations: [[8, id, 1]] });
  const removing = world.execute([last], { misbehaviour: [world.fault(5)] });
  assert.deepEqual([removing.targetSet!.length, removing.targetRules], [4, 1]);
  world.pass(4);
  assert.equal(world.execute().targetRules, 2);
  assert.equal(world.propose(1, { type: 'change-rules', rules: 2 }).code, 'proposal.not-next-rules');
});

test('an idle block reads five records, whatever the size of the set', () => {
  const world = createSetWorld(10);
  world.pass(3);
  const read: string[] = [];
  const store = {
    get(key: Uint8Array) {
      read.push(String.fromCharCode(...key));
      return world.store.get(key);
    },
  };
  const { validators } = world.epoch();
  const block = { ...world.next(), rules: 1, epoch: 1, transactions: [], misbehaviour: [], validators, authors: [] };
  assert.deepEqual(world.ledger.execute(store, block).writes, []);
  assert.deepEqual(read.sort(), ['open-proposals', 'parameters', 'set-agenda', 'suspensions', 'target-rules']);
});

test('attest is read strictly', () => {
  const world = createSetWorld(4);
  for (const items of [
    ['v2', 4, 'x'],
    ['v2', 0],
    ['v2', 0, 'Not A Word'],
    [2, 0, 'x'],
    ['v2', 0, 'x', 1],
  ]) {
    assert.equal(world.verdict(linkOf(1), [9, ...items] as unknown as EncodedOperation), 'tx.bad-operation');
  }
  assert.deepEqual(attest.toCbor({ validator: 'v2', verdict: 'fenced', reason: 'audit' }), [9, 'v2', 3, 'audit']);
});
