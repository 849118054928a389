/** The check after a start: protocol.md section 6. Four validators, of which three are a quorum; self is 0 unless told otherwise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { type Message, nothingToRecall } from '../../model/message.ts';
import {
  blockOn,
  constants,
  createBench,
  finalization,
  genesisTip,
  Hand,
  nullify,
  proposalOf,
} from '../testing/hand.ts';
import { StartCheck } from './start-check.ts';

function create(self = 0, isDone = false, validatorsCount = 4) {
  const bench = createBench(validatorsCount, self);
  const check = new StartCheck(bench.context, isDone);
  const hear = (...peers: number[]) => {
    for (const peer of peers) check.onStatus(toValidatorIndex(peer));
    return check.isDone;
  };
  return { ...bench, check, hear };
}

test('a quorum must be heard, the node itself included', () => {
  const { hear } = create();
  assert.equal(hear(2), false);
  assert.equal(hear(2, 2), false, 'each one counts once');
  assert.equal(hear(0), false, 'and the node itself is counted already');
  assert.equal(hear(3), true);
});

test('guests do not count, neither as those who are heard nor as those who hear', () => {
  const { hear } = create();
  assert.equal(hear(1, 4, 5, 200), false);
  assert.equal(hear(2), true);
  const guest = create(4);
  assert.equal(guest.hear(0, 1), false);
  assert.equal(guest.hear(2), true);
});

test('who is a quorum alone, or goes on from the epoch before, waits for nobody', () => {
  assert.equal(create(0, false, 1).check.isDone, true);
  const { check } = create(0, true);
  assert.deepEqual([check.isDone, check.isAskDue(), check.deadline()], [true, false, Number.POSITIVE_INFINITY]);
});

test('all are asked at once, and again every Delta until a quorum has answered', () => {
  const { check, hear, at } = create();
  assert.equal(check.isAskDue(), true);
  assert.equal(check.isAskDue(), false);
  assert.equal(check.deadline(), constants.deltaMs);
  at(constants.deltaMs - 1);
  assert.equal(check.isAskDue(), false);
  at(constants.deltaMs);
  assert.equal(check.isAskDue(), true);
  hear(1, 2);
  at(9 * constants.deltaMs);
  assert.deepEqual([check.isAskDue(), check.deadline()], [false, Number.POSITIVE_INFINITY]);
});

// --- On a whole replica ----------------------------------------------------------------------------------------------

function statusWith(held: Certificate | null): Message {
  return {
    type: 'status',
    epoch: toEpoch(1),
    view: toView(1),
    lastFinalized: toView(held === null ? 0 : 1),
    height: toHeight(0),
    asks: false,
    finalization: held,
    recall: nothingToRecall,
  };
}

function started() {
  const hand = new Hand({ origin: { awaitsQuorum: true } });
  hand.connectAll();
  const saysThatItSigns = () => hand.facts.some(({ type }) => type === 'start-checked');
  return { hand, saysThatItSigns };
}

test('before a quorum was heard a node signs nothing, whatever is due', () => {
  const { hand, saysThatItSigns } = started();
  hand.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  hand.pass(60_000);
  assert.deepEqual(hand.votes, []);
  assert.deepEqual(hand.sentOf('batch'), []);
  assert.deepEqual(hand.sentOf('acknowledgement'), []);
  assert.equal(hand.replica.status().maySign, false);
  const asking = hand.sentOf('status').filter(({ asks }) => asks);
  assert.ok(asking.length > 500, 'it asks every Delta');
  for (const peer of [1, 3]) hand.hear(peer, statusWith(null));
  assert.equal(saysThatItSigns(), true);
  hand.pass(60_000);
  assert.ok(hand.votes.length > 0);
  assert.equal(hand.sentOf('batch')[0]?.batch.header.author, 0, 'what was handed in meanwhile is sealed');
});

test('it waits on while it does not know the chain that it heard of', () => {
  const { hand, saysThatItSigns } = started();
  const block = blockOn(genesisTip);
  const certificate = finalization(proposalOf(1, 0, block), [1, 2, 3]);
  for (const peer of [1, 3]) hand.hear(peer, statusWith(certificate));
  assert.equal(hand.replica.status().isSyncing, true);
  assert.deepEqual([saysThatItSigns(), hand.replica.status().maySign], [false, false]);
  hand.hear(1, { type: 'block', block });
  hand.pass(1);
  assert.equal(hand.replica.status().finalizedHeight, 1);
  assert.deepEqual([saysThatItSigns(), hand.replica.status().maySign], [true, true]);
});

test('votes of the journal are sent again once the quorum was heard, not before', () => {
  const { vote } = nullify(0, 1);
  const hand = new Hand({ origin: { awaitsQuorum: true }, records: [{ type: 'own-vote', vote }] });
  hand.connectAll();
  hand.pass(1_000);
  assert.deepEqual(hand.votes, []);
  for (const peer of [1, 3]) hand.hear(peer, statusWith(null));
  assert.deepEqual(hand.votesOf('nullify', 1), [vote]);
});

test('who is fenced meanwhile does not say that it signs', () => {
  const { hand, saysThatItSigns } = started();
  hand.replica.stopSigning();
  for (const peer of [1, 3]) hand.hear(peer, statusWith(null));
  hand.pass(60_000);
  assert.deepEqual([saysThatItSigns(), hand.votes.length], [false, 0]);
});
