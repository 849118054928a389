/**
 * Boundary blocks: protocol.md sections 3 and 5. Four validators; this one is 0, which leads the views 3, 7... With a lag of one height, a
 * block at height 2 ends the epoch exactly when the ledger wants another set after height 1.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hash } from '../../model/brands.ts';
import { createEpochTarget } from '../../model/epoch-target.ts';
import {
  batchOf,
  blockOn,
  constants,
  finalization,
  genesisTip,
  Hand,
  notarization,
  nullification,
  outcomeOf,
  proposalOf,
  tipOf,
  validatorsOf,
} from '../testing/hand.ts';

const same = createEpochTarget(validatorsOf(4), 1);
const wanted = createEpochTarget(validatorsOf(5), 1);
const otherRules = createEpochTarget(validatorsOf(4), 2);
const first = blockOn(genesisTip);
const lag = { ...constants, checkpointLag: 1 };

const secondWith = (nextSet: Hash | null, fields = {}) =>
  blockOn(tipOf(first), { checkpoint: outcomeOf(first).statement, nextSet, ...fields });
const boundary = secondWith(wanted.digest);

/** Height 1 is executed and certified; what the ledger wants after it is `target`. */
function afterFirst(target = wanted, isCertified = true): Hand {
  const hand = new Hand({ origin: { constants: lag }, targetAfter: (height) => (height >= 1 ? target : same) });
  hand.connectAll();
  hand.agreeOn(1, 0, first);
  if (isCertified) hand.certify(first);
  return hand;
}

const proposedBy = (hand: Hand) => hand.sentOf('proposal').map(({ block }) => block);

// --- What is voted for -----------------------------------------------------------------------------------------------

test('a block is voted for that names the set which the ledger wanted L heights before', () => {
  const hand = afterFirst();
  hand.hearProposal(proposalOf(2, 1, boundary), boundary);
  assert.equal(hand.votesOf('notarize', 2).length, 1);
});

for (const [what, block, target] of [
  ['names none where one is due', secondWith(null), wanted],
  ['names another one than is due', secondWith(same.digest), wanted],
  ['names one where none is due', boundary, same],
  ['names the present one where none is due', secondWith(same.digest), same],
  ['names none where only the rules are to change', secondWith(null), otherRules],
] as const) {
  test(`a block is invalid that ${what}`, () => {
    const hand = afterFirst(target);
    hand.hearProposal(proposalOf(2, 1, block), block);
    assert.deepEqual([hand.votesOf('notarize', 2).length, hand.votesOf('nullify', 2).length], [0, 1]);
  });
}

test('where only the rules are to change, the block names the set that stays', () => {
  const hand = afterFirst(otherRules);
  const block = secondWith(otherRules.digest);
  hand.hearProposal(proposalOf(2, 1, block), block);
  assert.equal(hand.votesOf('notarize', 2).length, 1);
});

test('nobody judges before the checkpoint of L heights before is certified: that is "not yet"', () => {
  for (const block of [boundary, secondWith(null)]) {
    const hand = afterFirst(wanted, false);
    hand.hearProposal(proposalOf(2, 1, block), block);
    assert.deepEqual([hand.votesOf('notarize', 2).length, hand.votesOf('nullify', 2).length], [0, 0]);
    hand.certify(first);
    const isRight = block === boundary;
    assert.equal(hand.votesOf(isRight ? 'notarize' : 'nullify', 2).length, 1);
  }
});

test('what a node certifies does not depend on what the ledger wants', () => {
  const hand = afterFirst();
  const block = secondWith(null);
  const proposal = proposalOf(2, 1, block);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(1, { type: 'block', block });
  assert.equal(hand.votesOf('finalize', 2).length, 1);
});

// --- Leading ---------------------------------------------------------------------------------------------------------

test('a leader proposes the boundary at once, though it has nothing to list', () => {
  const hand = afterFirst();
  hand.forgetSent();
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(25);
  assert.deepEqual(
    proposedBy(hand).map(({ header }) => [header.height, header.nextSet]),
    [[2, wanted.digest]],
  );
});

test('while a change is wanted nobody is idle, and leaders fill the heights up to the boundary', () => {
  const hand = new Hand({ targetAfter: (height) => (height >= 1 ? wanted : same) });
  hand.connectAll();
  assert.equal(hand.replica.status().isIdle, true);
  hand.agreeOn(1, 0, first);
  hand.certify(first);
  assert.equal(hand.replica.status().isIdle, false);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(25);
  assert.deepEqual(
    proposedBy(hand).map(({ header }) => [header.height, header.nextSet]),
    [[2, null]],
    'the checkpoint of height 1 is carried, and its wish fulfilled, at height 5',
  );
  const calm = afterFirst(same);
  assert.equal(calm.replica.status().isIdle, true);
});

// --- Until it is final -----------------------------------------------------------------------------------------------

/** The boundary is notarized and certified in view 2, and not final. */
function notarized(hand = afterFirst()): Hand {
  hand.hearProposal(proposalOf(2, 1, boundary), boundary);
  hand.hearCertificate(notarization(proposalOf(2, 1, boundary), [1, 2, 3]));
  hand.forgetSent();
  return hand;
}

test('nothing is built on a boundary that is not final: it is proposed again, unchanged', () => {
  const hand = notarized();
  assert.equal(hand.view, 3);
  hand.hearBatch(batchOf(1, 1));
  assert.deepEqual(proposedBy(hand), [], 'its finalization may be under way');
  hand.pass(constants.deltaMs / 4);
  assert.deepEqual(
    hand.sentOf('proposal').map(({ vote, block }) => [vote.vote.type === 'notarize' && vote.vote.proposal, block]),
    [[proposalOf(3, 2, boundary), boundary]],
  );
});

test('a block on top of a boundary is invalid, whatever it names', () => {
  for (const nextSet of [null, wanted.digest, same.digest]) {
    const hand = notarized();
    hand.hearCertificate(nullification(3, [1, 2, 3]));
    const third = blockOn(tipOf(boundary), { checkpoint: outcomeOf(boundary).statement, nextSet });
    hand.hearProposal(proposalOf(4, 2, third), third);
    assert.deepEqual([hand.votesOf('notarize', 4).length, hand.votesOf('nullify', 4).length], [0, 1]);
  }
});

test('the boundary proposed again is voted for, view after view', () => {
  const hand = notarized();
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  const again = proposalOf(4, 2, boundary);
  hand.hearProposal(again, boundary);
  assert.equal(hand.votesOf('notarize', 4).length, 1);
  hand.hearCertificate(notarization(again, [1, 2, 3]));
  assert.equal(hand.votesOf('finalize', 4).length, 1);
});

test('the tail is not idle while the boundary waits for its finalization', () => {
  const hand = notarized();
  assert.equal(hand.replica.status().isIdle, false);
});

// --- Afterwards ------------------------------------------------------------------------------------------------------

test('once the boundary is final nothing more is voted on, proposed or nullified in its epoch', () => {
  const hand = notarized();
  hand.hearCertificate(finalization(proposalOf(2, 1, boundary), [1, 2, 3]));
  assert.equal(hand.delivered.at(-1)?.header.height, 2);
  const votes = hand.votes.length;
  hand.hearBatch(batchOf(1, 1));
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  const third = blockOn(tipOf(boundary), { checkpoint: outcomeOf(boundary).statement });
  for (const block of [third, boundary]) hand.hearProposal(proposalOf(4, 2, block), block);
  hand.pass(60_000);
  assert.equal(hand.votes.length, votes);
  assert.deepEqual(proposedBy(hand), []);
});

test('who has voted in later views before it learns of that finalization stops there', () => {
  const hand = notarized();
  hand.pass(constants.deltaMs / 4);
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  assert.equal(hand.view, 4);
  hand.hearCertificate(finalization(proposalOf(2, 1, boundary), [1, 2, 3]));
  const votes = hand.votes.length;
  hand.pass(60_000);
  assert.equal(hand.votes.length, votes);
});
