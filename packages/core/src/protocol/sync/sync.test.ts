/** protocol.md section 7: fetching by digest, and pages of the finalized chain. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from '../../model/block.ts';
import { toValidatorIndex } from '../../model/brands.ts';
import { skipTimeoutMs } from '../constants.ts';
import { PeerActivity } from '../guard/peer-activity.ts';
import {
  batchOf,
  blockOn,
  constants,
  createBench,
  finalization,
  genesisTip,
  Hand,
  notarization,
  proposalOf,
  tipOf,
} from '../testing/hand.ts';
import { Fetcher } from './fetcher.ts';

const { deltaMs } = constants;
const digest = blockOn(genesisTip).digest;

function createFetcher() {
  const bench = createBench(4);
  const activity = new PeerActivity(4, bench.context.self, 3, skipTimeoutMs(constants), 0);
  for (const peer of [1, 2, 3]) activity.onConnected(toValidatorIndex(peer));
  const fetcher = new Fetcher(bench.context, activity);
  const asked = () => bench.effects.flatMap((effect) => (effect.type === 'send' ? [effect.to[0]] : []));
  return { ...bench, activity, fetcher, asked };
}

test('one peer is asked at a time, who should have it first, the next one after Delta', () => {
  const { fetcher, at, asked } = createFetcher();
  for (let i = 0; i < 4; i++) {
    at(i * deltaMs);
    fetcher.want('block', digest, [toValidatorIndex(2)]);
    fetcher.askDue();
    fetcher.want('block', digest, [toValidatorIndex(2)]);
    fetcher.askDue();
  }
  assert.deepEqual(asked().slice(0, 3), [2, 1, 3]);
  assert.equal(asked().length, 4);
});

test('more candidates join those known; who wants nothing is asked nothing', () => {
  const { fetcher, at, asked } = createFetcher();
  fetcher.want('block', digest, []);
  fetcher.want('block', digest, [toValidatorIndex(3)]);
  fetcher.want('block', digest, [toValidatorIndex(3), toValidatorIndex(2)]);
  assert.deepEqual([fetcher.size, fetcher.deadline()], [1, 0]);
  fetcher.askDue();
  assert.deepEqual(asked(), [3]);
  assert.equal(fetcher.deadline(), deltaMs);
  at(deltaMs - 1);
  fetcher.want('block', digest, []);
  fetcher.askDue();
  assert.deepEqual(asked(), [3], 'not before Delta');
  at(deltaMs);
  fetcher.want('block', digest, []);
  fetcher.askDue();
  assert.deepEqual(asked(), [3, 2]);
  fetcher.forget('block', digest);
  assert.deepEqual([fetcher.size, fetcher.deadline()], [0, Number.POSITIVE_INFINITY]);
});

test('a block and a batch of one digest are two things, each wanted for the step in which it was', () => {
  const { fetcher } = createFetcher();
  fetcher.want('block', digest, []);
  assert.deepEqual([fetcher.isWanted('block', digest), fetcher.isWanted('batch', digest)], [true, false]);
  fetcher.askDue();
  assert.equal(fetcher.isWanted('block', digest), true, 'the step before');
  fetcher.askDue();
  assert.equal(fetcher.isWanted('block', digest), false);
});

test('a peer without a link is not asked; with no link at all the request waits', () => {
  const { fetcher, activity, at, asked } = createFetcher();
  for (const peer of [1, 2, 3]) activity.onDisconnected(toValidatorIndex(peer));
  fetcher.want('batch', digest, [toValidatorIndex(2)]);
  fetcher.askDue();
  assert.deepEqual(asked(), []);
  activity.onConnected(toValidatorIndex(3));
  at(deltaMs);
  fetcher.want('batch', digest, []);
  fetcher.askDue();
  assert.deepEqual(asked(), [3]);
});

test('what came is forgotten, and what nobody wants any more too: bogus digests fill no table', () => {
  const { fetcher, at } = createFetcher();
  fetcher.want('block', digest, [toValidatorIndex(2)]);
  fetcher.forget('block', digest);
  assert.equal(fetcher.isWanted('block', digest), false);
  fetcher.want('block', digest, [toValidatorIndex(2)]);
  fetcher.askDue();
  at(deltaMs);
  fetcher.askDue();
  assert.equal(fetcher.isWanted('block', digest), false);
  assert.equal(fetcher.deadline(), Number.POSITIVE_INFINITY);
});

test('a leader that names blocks nobody has costs nothing after its view', () => {
  const hand = new Hand();
  hand.connectAll();
  const ghost = blockOn(genesisTip, { rules: 9 });
  const proposal = proposalOf(1, 0, ghost);
  hand.hear(2, {
    type: 'vote',
    vote: { vote: { type: 'notarize', proposal }, signer: toValidatorIndex(2), signature: new Uint8Array(64) },
    entry: null,
  });
  assert.equal(hand.sentOf('request-block').length, 1);
  hand.pass(10 * deltaMs);
  hand.forgetSent();
  hand.pass(10 * deltaMs);
  assert.equal(hand.sentOf('request-block').length, 0);
});

test('a block or batch nobody asked for is not taken for an answer', () => {
  const hand = new Hand();
  const block = blockOn(genesisTip);
  hand.hear(1, { type: 'block', block });
  assert.equal(hand.journal.length, 0);
});

// --- Pages of the chain -----------------------------------------------------------------------------------------------

function chainOf(length: number): Block[] {
  const blocks: Block[] = [];
  for (let i = 0; i < length; i++) blocks.push(blockOn(i === 0 ? genesisTip : tipOf(blocks[i - 1]!)));
  return blocks;
}

const blocks = chainOf(10);
const last = blocks[9]!;
const lastFinalization = finalization(proposalOf(30, 29, last), [1, 2, 3]);

function behind(): Hand {
  const hand = new Hand();
  hand.connectAll();
  hand.hearCertificate(lastFinalization);
  hand.pass(2 * deltaMs);
  return hand;
}

test('a node far behind asks for pages from its first missing height, of one peer after the other', () => {
  const hand = behind();
  hand.pass(6 * deltaMs);
  const requests = hand.sentOf('request-chain');
  assert.ok(requests.length >= 3);
  assert.deepEqual([...new Set(requests.map(({ from }) => from))], [1]);
  assert.deepEqual([...new Set(requests.map(({ peers }) => peers[0]))].sort(), [1, 2, 3]);
});

test('pages are asked for every 2 Delta, and each asking is told', () => {
  const hand = behind();
  hand.forgetSent();
  const before = hand.facts.filter(({ type }) => type === 'syncing').length;
  hand.pass(8 * deltaMs);
  assert.equal(hand.sentOf('request-chain').length, 4);
  assert.equal(hand.facts.filter(({ type }) => type === 'syncing').length - before, 4);
});

test('a page that links to what is here and ends with its finalization is executed in order', () => {
  const hand = behind();
  hand.hear(1, { type: 'chain', blocks, finalization: lastFinalization });
  assert.deepEqual(
    hand.delivered.map(({ header }) => header.height),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.equal(hand.replica.status().isSyncing, false);
});

test('a page may begin below what is here, and its end may be below the finalization known', () => {
  const hand = behind();
  const half = finalization(proposalOf(9, 8, blocks[4]!), [1, 2, 3]);
  hand.hear(1, { type: 'chain', blocks: blocks.slice(0, 5), finalization: half });
  assert.equal(hand.replica.status().finalizedHeight, 5);
  hand.hear(1, { type: 'chain', blocks: blocks.slice(2), finalization: lastFinalization });
  assert.equal(hand.replica.status().finalizedHeight, 10);
});

for (const [what, page, end] of [
  ['has a gap', [blocks[0]!, blocks[2]!, last], lastFinalization],
  ['does not link to what is here', blocks.slice(1), lastFinalization],
  ['does not end with what its finalization names', blocks.slice(0, 9), lastFinalization],
  ['is empty', [], lastFinalization],
  [
    'swaps a block',
    [...blocks.slice(0, 4), blockOn(tipOf(blocks[3]!), { rules: 5 }), ...blocks.slice(5)],
    lastFinalization,
  ],
  ['ends with a notarization', blocks, notarization(proposalOf(30, 29, last), [1, 2, 3])],
] as const) {
  test(`a page that ${what} is refused as a whole`, () => {
    const hand = behind();
    hand.hear(1, { type: 'chain', blocks: page, finalization: end });
    assert.equal(hand.delivered.length, 0);
    assert.equal(hand.replica.status().finalizedHeight, 0);
  });
}

test('a page delivered twice is executed once', () => {
  const hand = behind();
  hand.hear(1, { type: 'chain', blocks, finalization: lastFinalization });
  hand.hear(2, { type: 'chain', blocks, finalization: lastFinalization });
  assert.equal(hand.delivered.length, 10);
});

test('finalized blocks wait for their batches, which are asked of the signers, and are delivered in order', () => {
  const batch = batchOf(2, 1);
  const first = blockOn(genesisTip, { batches: [batch] });
  const second = blockOn(tipOf(first));
  const hand = new Hand();
  hand.connectAll();
  const proposal = proposalOf(2, 1, second);
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  hand.hear(1, { type: 'chain', blocks: [first, second], finalization: finalization(proposal, [1, 2, 3]) });
  assert.equal(hand.delivered.length, 0);
  assert.deepEqual(
    hand.sentOf('request-batch').map((message) => message.digest),
    [batch.digest],
  );
  hand.hearBatch(batch, 3);
  assert.deepEqual(
    hand.delivered.map(({ header }) => header.height),
    [1, 2],
  );
});

test('at most eight blocks are with the ledger at once', () => {
  const hand = new Hand({ holdExecution: true });
  hand.connectAll();
  hand.hearCertificate(lastFinalization);
  hand.hear(1, { type: 'chain', blocks, finalization: lastFinalization });
  assert.equal(hand.delivered.length, 8);
  hand.execute();
  assert.equal(hand.delivered.length, 9);
});

test('finalized blocks that are not executed survive a restart, and are delivered again', () => {
  const hand = new Hand({ holdExecution: true });
  const batch = batchOf(1, 1);
  hand.hearBatch(batch);
  const block = blockOn(genesisTip, { batches: [batch] });
  hand.agreeOn(1, 0, block);
  for (const records of [hand.journal, [...hand.replica.liveRecords()]]) {
    const again = new Hand({ records, holdExecution: true });
    assert.deepEqual(
      again.delivered.map((delivered) => delivered.digest),
      [block.digest],
    );
  }
});

test('what storage may know and the replica does not is served from storage', () => {
  const hand = new Hand();
  hand.hear(1, { type: 'request-block', digest });
  hand.hear(1, { type: 'request-batch', digest });
  hand.hear(1, { type: 'request-chain', from: 1 as never });
  hand.hear(1, { type: 'request-checkpoint', height: 9 as never });
  assert.deepEqual(
    hand.served.map(({ type }) => type),
    ['request-block', 'request-batch', 'request-chain', 'request-checkpoint'],
  );
});
