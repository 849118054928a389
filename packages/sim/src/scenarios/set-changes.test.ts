/** Scenarios in which the validator set changes: 3, 9 and 18 as far as they are of that, and what came with epochs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCertificate, toEpoch, toValidatorIndex, toView, type Vote } from '@cairn-ledger/core';
import { ScenarioWorld } from './scenario-world.ts';

/** Lets a joiner be admitted, and waits until everybody has begun the epoch in which it votes. */
function admit(world: ScenarioWorld, joiner: number, everybody: readonly number[]): void {
  world.submit(0, `admit v00${joiner}`);
  world.until('all are in the next epoch', () => everybody.every((place) => world.epoch(place).number === 2));
  world.settle();
}

test('18: a set changes while a leader is away: views are nullified in the old epoch, and a quorum is one of the epoch it is of', () => {
  const world = new ScenarioWorld({
    name: '18-set-change-in-a-view-change',
    tells: `Node 4 joins while node 2 is away, so that views on the way to the boundary block are nullified. In epoch 2 five validators vote,
and four are a quorum: a nullification by three, enough in epoch 1, is refused, and one of epoch 1 says nothing any more.`,
    joinersCount: 1,
    byzantine: [3],
  });
  world.start();
  world.commit(0, 'one');
  world.crash(2);
  const present = [0, 1, 4];
  world.untold(
    () =>
      'node 4 was admitted and said that it is ready; over nullified views of node 2 all came to the boundary block',
    () => {
      world.submit(0, 'admit v004');
      world.until('those who live are in epoch 2', () => present.every((place) => world.epoch(place).number === 2));
      assert.ok(world.facts(0, 'nullified').length > 0, 'views of node 2 were nullified on the way');
      world.settle();
    },
  );
  assert.deepEqual(world.epoch(0).validators, [0, 1, 2, 3, 4]);
  const view = world.view(0);
  const nullifyOf = (epoch: number): Vote => ({ type: 'nullify', epoch: toEpoch(epoch), view: toView(view) });
  const by = (epoch: number, signers: readonly number[]) =>
    createCertificate(
      signers.map((signer) => ({ ...world.sign(signer, nullifyOf(epoch)), signer: toValidatorIndex(signer) })),
    );
  world.note('node 3 shows a nullification by three of epoch 2, and one by a quorum of epoch 1');
  world.say(3, [0, 1], { type: 'certificate', certificate: by(2, [0, 1, 3]) });
  world.say(3, [0, 1], { type: 'certificate', certificate: by(1, [0, 1, 3]) });
  world.settle();
  assert.deepEqual(
    [...new Set(world.refusals.map(({ code }) => code))],
    ['message.too-few-signers'],
    'a quorum is counted over the set of its epoch',
  );
  assert.equal(world.view(0), view, 'nobody moves');
  world.start(2);
  world.commit(4, 'two');
  world.finish();
});

test('03: a whole machine put back to yesterday, mark and all: its peers show it what it has signed, and it comes back with a life number', () => {
  const world = new ScenarioWorld({
    name: '03-yesterdays-machine',
    tells: `Node 3 votes in view 2, alone, and its machine is put back to before that: disk, and the mark beside the keys. Nothing here remembers. Its
peers do: the first status that it hears shows its own vote. It signs nothing, tells the ledger that it is ready with a new life number, and
votes again in the epoch whose set names that.`,
  });
  world.start();
  world.commit(0, 'one');
  world.nodes[3]!.disk.takeSnapshot();
  const { mark } = world.nodes[3]!.disk;
  const end = world.lose('votes of nodes 0, 1 and 2', (message, from) => message.type === 'vote' && from !== 3);
  world.submit(3, 'two');
  world.until('node 3 has proposed', () => world.signedSince(3, world.nowMs - 30) > 1);
  world.settle();
  world.crash(3);
  world.nodes[3]!.disk.rollBack();
  world.nodes[3]!.disk.mark = mark;
  world.forgetExecuted(3);
  world.note('the machine of node 3 is put back');
  end();
  const startedMs = world.nowMs;
  world.start(3);
  world.until('node 3 notices', () => world.nodes[3]!.fencedFor === 'rolled-back');
  assert.equal(world.signedSince(3, startedMs), 0);
  world.until(
    'node 3 votes again',
    () => world.nodes[3]!.driver!.replica.status().maySign && world.epoch(3).number === 2,
  );
  assert.equal(world.nodes[3]!.fencedFor, null);
  world.commit(3, 'three');
  world.finish();
});

test('28: a leaver that is switched off the moment its epoch is over keeps nobody from certifying the old heights', () => {
  const world = new ScenarioWorld({
    name: '28-leaver-switched-off',
    tells: `Node 4 of five is voted out, and its process ends when it has executed the boundary block. The heights up to the boundary are signed by the
set of epoch 1: four of five are a quorum of it, and go on signing them in epoch 2.`,
    nodesCount: 5,
  });
  world.start();
  world.commit(0, 'one');
  world.submit(0, 'remove v004');
  world.until('node 4 is out', () => world.epoch(4).number === 2);
  world.crash(4);
  world.commit(1, 'two', [0, 1, 2, 3]);
  world.until('all heights are certified', () =>
    [0, 1, 2, 3].every((place) => {
      const { executedHeight, certifiedHeight } = world.nodes[place]!.driver!.replica.status();
      return executedHeight === certifiedHeight;
    }),
  );
  assert.deepEqual(world.epoch(0).validators, [0, 1, 2, 3]);
  world.finish();
});

test('29: two of four that were taken out come back to the same height, and the chain goes on', () => {
  const world = new ScenarioWorld({
    name: '29-two-fenced-of-four',
    tells: `The operators of nodes 2 and 3 take them out: two are no quorum, and nothing is ordered. When they let them back in no new height is asked of
them, or they would wait for each other for ever.`,
  });
  world.start();
  world.commit(0, 'one');
  for (const place of [2, 3]) world.nodes[place]!.driver!.fence('operator');
  world.submit(1, 'two');
  world.pass(2_000);
  assert.deepEqual(world.executed(0), ['one']);
  world.note('nodes 2 and 3 are let back in');
  for (const place of [2, 3]) assert.ok(world.nodes[place]!.driver!.unfence('operator'));
  world.untilExecuted('two');
  world.finish();
});

test('30: a node that was away for two changes of the set follows them one after the other, and votes again', () => {
  const world = new ScenarioWorld({
    name: '30-away-for-two-epochs',
    tells: `Node 3 is away while node 4 joins and node 0 leaves. It speaks of epoch 1, is told how that ended, executes up to the boundary, and so on.`,
    joinersCount: 1,
  });
  world.start();
  world.commit(0, 'one');
  world.crash(3);
  world.untold(
    () => 'node 4 has joined in epoch 2, node 0 has left in epoch 3',
    () => {
      admit(world, 4, [0, 1, 2, 4]);
      world.submit(1, 'remove v000');
      world.until('node 1 is in epoch 3', () => world.epoch(1).number === 3);
      world.commit(1, 'two', [1, 2, 4]);
    },
  );
  world.start(3);
  world.until('node 3 is in epoch 3', () => world.epoch(3).number === 3);
  assert.deepEqual(world.epoch(3).validators, [1, 2, 3, 4]);
  world.commit(3, 'three');
  world.finish();
});

test('31: two of four lose their records, the members restart the network, and all sign again, with nothing lost', () => {
  const world = new ScenarioWorld({
    name: '31-restart-by-the-members',
    tells: `Nodes 2 and 3 lose everything but their keys and marks. They follow, and sign nothing; two are no quorum, so nothing is ordered, and
what node 0 has sealed waits. The members end the epoch at the height that all have, and name the life numbers that the two have
drawn. Epoch 2 begins right there: all vote, and what waited is ordered.`,
  });
  world.start();
  world.commit(0, 'one');
  world.crash(2, 3);
  for (const place of [2, 3]) {
    world.nodes[place]!.disk.lose(false);
    world.forgetExecuted(place);
  }
  world.note('the disks of nodes 2 and 3 are empty');
  world.untold(
    () => 'nodes 2 and 3 have followed, and are fenced; "two" is sealed at node 0, and for 3 s nothing was ordered',
    () => {
      world.start(2, 3);
      world.submit(0, 'two');
      world.pass(3_000);
    },
  );
  for (const place of [0, 1, 2, 3]) assert.deepEqual(world.executed(place), ['one'], String(place));
  assert.deepEqual(
    world.nodes.map(({ fencedFor }) => fencedFor),
    [null, null, 'rolled-back', 'rolled-back'],
  );
  const lives = world.nodes.map(({ driver }) => driver!.life);
  assert.deepEqual(
    lives.map((life) => life === null),
    [true, true, false, false],
  );
  const height = world.blocks(0).length;
  world.crash(0, 1, 2, 3);
  world.restart(lives);
  world.untold(
    () => 'all have begun epoch 2, sign in it, and have ordered "two"',
    () => {
      world.start();
      world.untilExecuted('two');
    },
  );
  for (const place of [0, 1, 2, 3]) {
    assert.deepEqual([world.epoch(place).number, world.nodes[place]!.driver!.fencedFor], [2, null], String(place));
    assert.equal(world.nodes[place]!.driver!.replica.status().maySign, true);
    assert.equal(world.blocks(place)[height]!.header.nextSet === null, false, 'the block of the members');
  }
  world.commit(3, 'three');
  world.until('the end of epoch 1 is signed by a quorum of it', () =>
    world.nodes.every(({ disk }) => (disk.certified.get(height + 1)?.length ?? 0) >= 3),
  );
  world.finish();
});
