/** Scenarios 1, 12, 14, 21 and 22: what leaders do, and what becomes of their blocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Batch,
  createBatch,
  createBlock,
  type Hash,
  type Message,
  signBatch,
  signedBytes,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
} from '@cairn-ledger/core';
import { ScenarioWorld } from './scenario-world.ts';

test('01: a leader that proposes two blocks to split the others is proven faulty, and one block wins', () => {
  const world = new ScenarioWorld({
    name: '01-leader-equivocates',
    tells: `Node 2 leads view 1. It proposes one block to node 0 and another one to nodes 1 and 3, and votes for both. Whoever
sees both of its votes holds the proof; the block that a quorum notarized is final.`,
    byzantine: [2],
  });
  world.start();
  const others = new Map<string, Message>();
  world.rewrite(2, (message, to) => {
    if (to === 0) return [message];
    if (message.type === 'proposal' && message.vote.vote.type === 'notarize') {
      const { header } = message.block;
      const block = createBlock({ ...header, timeMs: header.timeMs + 1 }, [], []);
      const proposal = { ...message.vote.vote.proposal, digest: block.digest };
      const second: Message = { type: 'proposal', vote: world.sign(2, { type: 'notarize', proposal }), block };
      others.set('proposal', second);
      return [second];
    }
    return [message];
  });
  world.commit(0, 'pay', [0, 1, 3]);
  world.settle();
  for (const node of [0, 1, 3]) assert.deepEqual(world.proven(node), [2], `node ${node} holds the proof`);
  world.finish();
});

test('12: a block that only one node finalized before the view change stays final when the others find out', () => {
  const world = new ScenarioWorld({
    name: '12-view-change-while-committing',
    tells: `The votes to finalize block A reach node 0 alone, and what node 0 says of it gets lost. Node 0 executes it while the
others change views; their next leader builds on A, for A is notarized.`,
  });
  world.start();
  const end = world.lose(
    'votes to finalize on the way to nodes 1, 2, 3, and certificates of node 0',
    (message, from, to) => {
      if (message.type === 'vote') return message.vote.vote.type === 'finalize' && to !== 0;
      return message.type === 'certificate' && from === 0;
    },
  );
  world.submit(0, 'pay');
  world.untilExecuted('pay', [0]);
  world.crash(3);
  world.note('node 3, the leader of view 2, is down');
  world.submit(1, 'pay back');
  world.until('the others leave view 2', () => world.view(1) >= 3 && world.view(2) >= 3);
  end();
  world.start(3);
  world.untilExecuted('pay back');
  assert.deepEqual(world.executed(1), ['pay', 'pay back']);
  assert.equal(world.facts(1, 'nullified').length > 0, true);
  world.finish();
});

test('14: a block that lists nothing is proposed, finalized and executed like any other; a batch of nothing is none', () => {
  const world = new ScenarioWorld({
    name: '14-empty-payload',
    tells: `Nobody submits anything: after the heartbeat of 10 s the leader proposes an empty block. Then Byzantine node 3 sends
a batch that holds no transaction, which is refused.`,
    byzantine: [3],
  });
  world.start();
  world.nodes[0]!.submit([]);
  world.until('an empty block is executed everywhere', () =>
    world.nodes.every(({ place }) => world.blocks(place).length === 1),
  );
  assert.equal(world.blocks(0)[0]!.batches.length, 0);
  world.say(3, [0, 1, 2], { type: 'batch', batch: batchOf(world, 3, 1, null, []) });
  world.settle();
  for (const node of [0, 1, 2])
    assert.ok(world.refusals.some((row) => row.node === node && row.peer === 3 && row.code === 'message.malformed'));
  world.commit(0, 'pay');
  world.finish();
});

test('21: a proposal beyond the limits is refused, or nullified at once; the next leader orders what was waiting', () => {
  const world = new ScenarioWorld({
    name: '21-oversized-proposal',
    tells: `Node 2 seals five batches of nearly 1 MiB. As the leader of view 1 it proposes a block that lists 65 batches, which is
no block at all; then one that lists all five: more than 4 MiB. Both cost one view.`,
    byzantine: [2],
  });
  world.start();
  world.rewrite(2, () => []);
  const batches: Batch[] = [];
  for (let seq = 1; seq <= 5; seq++) {
    const transactions = Array.from({ length: 15 }, (_, i) => new Uint8Array(65_000).fill(16 * seq + i));
    batches.push(batchOf(world, 2, seq, batches.at(-1)?.digest ?? null, transactions));
  }
  for (const batch of batches) world.say(2, [0, 1, 3], { type: 'batch', batch });
  world.settle();
  const fields = {
    epoch: toEpoch(1),
    height: toHeight(1),
    rules: 1,
    parent: world.chain.set.genesis.digest,
    timeMs: 1,
    checkpoint: world.chain.set.genesis.digest,
    nextSet: null,
  };
  const propose = (listed: readonly Batch[]): Message => {
    const block = createBlock(
      fields,
      listed.map(({ header, digest }) => ({ author: header.author, seq: header.seq, digest })),
      [],
    );
    const proposal = { epoch: toEpoch(1), view: toView(1), parentView: toView(0), digest: block.digest };
    return { type: 'proposal', vote: world.sign(2, { type: 'notarize', proposal }), block };
  };
  world.say(2, [0, 1, 3], propose(Array.from({ length: 65 }, (_, i) => batches[i % 5]!)));
  world.settle();
  assert.ok(world.refusals.some(({ peer, code }) => peer === 2 && code === 'message.malformed'));
  world.say(2, [0, 1, 3], propose(batches));
  world.settle();
  for (const node of [0, 1, 3])
    assert.deepEqual(world.facts(node, 'nullified')[0], { type: 'nullified', view: 1, reason: 'invalid-proposal' });
  world.commit(0, 'pay', [0, 1, 3]);
  world.finish();
});

test('22: a batch of an abandoned block is ordered by the next leader, once; an old leader cannot list it again', () => {
  const world = new ScenarioWorld({
    name: '22-pending-transaction-revived',
    tells: `Block A of view 1 lists a payment, and reaches nobody but its leader, node 2. The view is nullified, and the next
leader orders the payment in block B. When node 2 leads again it lists the payment once more: that block is invalid.`,
    byzantine: [2],
  });
  world.start();
  let batch: Batch | null = null;
  let isReviving = false;
  world.rewrite(2, (message) => {
    if (message.type === 'proposal' && !isReviving) return [];
    if (message.type !== 'proposal' || message.vote.vote.type !== 'notarize') return [message];
    const { author, seq } = batch!.header;
    const block = createBlock(message.block.header, [{ author, seq, digest: batch!.digest }], []);
    const proposal = { ...message.vote.vote.proposal, digest: block.digest };
    return [{ type: 'proposal', vote: world.sign(2, { type: 'notarize', proposal }), block }];
  });
  world.commit(0, 'pay', [0, 1, 3]);
  batch = world.nodes[0]!.disk.executed.flatMap(({ batches }) => batches)[0]!;
  isReviving = true;
  world.note('node 2 will list the payment again');
  for (const [i, text] of ['two', 'three', 'four'].entries()) world.commit([0, 1, 3][i]!, text, [0, 1, 3]);
  assert.ok(world.facts(0, 'nullified').some(({ reason }) => reason === 'invalid-proposal'));
  assert.deepEqual(world.executed(0), ['pay', 'two', 'three', 'four']);
  world.finish();
});

function batchOf(
  world: ScenarioWorld,
  author: number,
  seq: number,
  previous: Hash | null,
  transactions: readonly Uint8Array[],
): Batch {
  const fields = {
    epoch: toEpoch(1),
    author: toValidatorIndex(author),
    seq,
    base: 1,
    previous: previous ?? new Uint8Array(0),
    expiryHeight: toHeight(1_000),
  };
  const unsigned = createBatch(fields, transactions);
  const bytes = signedBytes('batch', world.chain.ledgerHash, unsigned.headerBytes);
  return signBatch(unsigned, world.chain.signers[author]!.voting.sign(bytes));
}
