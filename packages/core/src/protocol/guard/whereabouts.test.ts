/** Statuses: what a peer shows of the own record, and how guests follow (protocol.md sections 5 and 6). Self is 0 of four unless told otherwise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import { type Message, nothingToRecall, type Recall } from '../../model/message.ts';
import type { SignedVote } from '../../model/vote.ts';
import type { JournalRecord } from '../effects.ts';
import {
  batchOf,
  blockOn,
  constants,
  finalize,
  genesisTip,
  Hand,
  notarize,
  nullification,
  nullify,
  proposalOf,
} from '../testing/hand.ts';

const block = blockOn(genesisTip);
const other = blockOn(genesisTip, { timeMs: 2_000_000 });
const proposal = proposalOf(1, 0, block);

function statusWith(recall: Partial<Recall>, epoch = 1): Message {
  return {
    type: 'status',
    epoch: toEpoch(epoch),
    view: toView(1),
    lastFinalized: toView(0),
    height: toHeight(0),
    asks: false,
    finalization: null,
    recall: { ...nothingToRecall, ...recall },
  };
}

/** Whether a node with this journal fences itself when it is shown these votes. */
function isFencedBy(votes: readonly SignedVote[], records: readonly JournalRecord[] = []): boolean {
  const hand = new Hand({ records });
  hand.hear(2, statusWith({ votes }));
  assert.equal(hand.replica.status().maySign, !hand.isFenced);
  return hand.isFenced;
}

const cast = (vote: SignedVote): JournalRecord => ({ type: 'own-vote', vote: vote.vote });

// --- Recall ----------------------------------------------------------------------------------------------------------

test('who is shown a vote of its own that it does not remember has lost its record, and signs nothing', () => {
  assert.equal(isFencedBy([nullify(0, 5)]), true);
  assert.equal(isFencedBy([notarize(0, proposal)]), true);
  assert.equal(isFencedBy([finalize(0, proposal)]), true);
});

test('what it remembers is no news', () => {
  const votes = [nullify(0, 2), notarize(0, proposal), finalize(0, proposal)];
  assert.equal(isFencedBy(votes, votes.map(cast)), false);
  assert.equal(isFencedBy([finalize(0, proposal)], [cast(notarize(0, proposal))]), true, 'another kind');
  assert.equal(
    isFencedBy([notarize(0, proposalOf(1, 0, other))], [cast(notarize(0, proposal))]),
    true,
    'another block',
  );
  assert.equal(isFencedBy([nullify(0, 3)], [cast(nullify(0, 2))]), true, 'another view');
});

test('votes of others, of other epochs and of finalized views say nothing', () => {
  assert.equal(isFencedBy([nullify(1, 5)]), false);
  const { vote } = nullify(0, 5);
  assert.equal(vote.type, 'nullify');
  const ofBefore: SignedVote = { ...nullify(0, 5), vote: { type: 'nullify', epoch: toEpoch(7), view: toView(5) } };
  assert.equal(isFencedBy([ofBefore]), false);
  const hand = new Hand();
  hand.agreeOn(3, 0, block);
  hand.hear(2, statusWith({ votes: [nullify(0, 2), notarize(0, proposalOf(3, 0, other))] }));
  assert.equal(hand.isFenced, false, 'nothing is signed there any more');
  hand.hear(2, statusWith({ votes: [nullify(0, 4)] }));
  assert.equal(hand.isFenced, true);
});

test('a status of another epoch is not looked at', () => {
  const hand = new Hand();
  hand.hear(2, statusWith({ votes: [nullify(0, 5)] }, 2));
  assert.equal(hand.isFenced, false);
});

test('so with the own batch that has the highest number', () => {
  const fencedBy = (batch: Recall['batch'], records: readonly JournalRecord[] = []) => {
    const hand = new Hand({ records });
    hand.hear(2, statusWith({ batch }));
    return hand.isFenced;
  };
  const own = batchOf(0, 1);
  const record: JournalRecord = { type: 'batch', batch: own };
  assert.equal(fencedBy(own), true);
  assert.equal(fencedBy(own, [record]), false);
  assert.equal(fencedBy(batchOf(0, 2), [record]), true, 'a number above the highest known');
  assert.equal(fencedBy(batchOf(0, 1, { text: 'another one' }), [record]), true);
  assert.equal(fencedBy(batchOf(1, 9), [record]), false, "another validator's");
  assert.equal(fencedBy(batchOf(0, 9, { epoch: 2 }), [record]), false, 'of another epoch');
});

test('an own batch at or below the finalized floor says nothing: nobody lists another one there', () => {
  const own = batchOf(0, 1);
  const hand = new Hand({ records: [{ type: 'batch', batch: own }] });
  hand.agreeOn(1, 0, blockOn(genesisTip, { batches: [own] }));
  hand.hear(2, statusWith({ batch: batchOf(0, 1, { text: 'another one' }) }));
  assert.equal(hand.isFenced, false);
});

test('who connects is shown its own votes of open views, and its highest batch', () => {
  const hand = new Hand();
  const batch = batchOf(2, 1);
  hand.hearBatch(batch, 2);
  hand.hearVote(nullify(2, 1));
  hand.hearVote(nullify(3, 1));
  hand.hearVote(nullify(2, 2));
  hand.forgetSent();
  hand.input({ type: 'connected', peer: toValidatorIndex(2) });
  const [shown] = hand.sentOf('status');
  assert.deepEqual(shown?.recall, { votes: [nullify(2, 2), nullify(2, 1)], batch });
});

test('who asks is answered, once in a Delta / 4', () => {
  const hand = new Hand();
  const ask = (): number => {
    hand.forgetSent();
    hand.hear(2, { ...statusWith({}), asks: true } as Message);
    return hand.sentOf('status').length;
  };
  assert.equal(ask(), 1);
  assert.equal(ask(), 0);
  hand.pass(constants.deltaMs / 4);
  assert.equal(ask(), 1);
});

// --- Guests ----------------------------------------------------------------------------------------------------------

test('a guest asks one linked validator each Delta where it is, one after the other', () => {
  const hand = new Hand({ self: 4 });
  for (const peer of [0, 1, 3]) hand.input({ type: 'connected', peer: toValidatorIndex(peer) });
  hand.forgetSent();
  hand.pass(6 * constants.deltaMs);
  const asked = hand.sentOf('status').flatMap(({ peers, asks }) => (asks ? [peers] : []));
  assert.deepEqual(asked.slice(0, 6), [[0], [1], [3], [0], [1], [3]]);
});

test('a validator asks nobody by itself', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.forgetSent();
  hand.pass(6 * constants.deltaMs);
  assert.deepEqual(hand.sentOf('status'), []);
});

test('a guest follows: it executes what is final, and signs nothing', () => {
  const hand = new Hand({ self: 4 });
  hand.connectAll();
  hand.agreeOn(1, 0, block);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(60_000);
  assert.deepEqual(
    hand.delivered.map(({ header }) => header.height),
    [1],
  );
  assert.deepEqual([hand.votes, hand.sentOf('checkpoint-signatures'), hand.sentOf('acknowledgement')], [[], [], []]);
});

test('what a guest acknowledges does not count', () => {
  const hand = new Hand();
  const batch = batchOf(1, 1);
  hand.hearBatch(batch);
  hand.pass(30);
  const acknowledge = (from: number) =>
    hand.hear(from, {
      type: 'acknowledgement',
      epoch: toEpoch(1),
      rows: [{ author: toValidatorIndex(1), seq: 1, digest: batch.digest }],
    });
  const countOf = () => hand.replica.batches.chains[1]!.acknowledged;
  acknowledge(4);
  acknowledge(250);
  assert.deepEqual(countOf(), [1, 0, 0, 0]);
  acknowledge(2);
  assert.deepEqual(countOf(), [1, 0, 1, 0]);
});

test('a guest that asks is answered like a validator, and shown nothing of its own', () => {
  const hand = new Hand();
  hand.forgetSent();
  hand.hear(5, { ...statusWith({}), asks: true } as Message);
  assert.deepEqual(
    hand.sentOf('status').map(({ peers, recall }) => [peers, recall]),
    [[[5], nothingToRecall]],
  );
});
