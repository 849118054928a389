/** The rules of protocol.md section 3, one by one, on a replica driven by hand. Four validators; this one is 0. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingToRecall } from '../../model/message.ts';
import { viewOfVote } from '../../model/vote.ts';
import {
  batchOf,
  blockOn,
  constants,
  finalization,
  finalize,
  genesisTip,
  Hand,
  notarization,
  notarize,
  nullification,
  nullify,
  outcomeOf,
  proposalOf,
  tipOf,
  wallStartMs,
} from '../testing/hand.ts';

const { deltaMs, heartbeatMs } = constants;
const retryMs = 4 * deltaMs;
const first = blockOn(genesisTip);
const other = blockOn(genesisTip, { timeMs: wallStartMs + 5 });

/** A chain of empty blocks agreed on in the views 1, 2, 3..., without checkpoint signatures of others. */
function grow(hand: Hand, count: number) {
  let parent = genesisTip;
  const blocks = [];
  for (let view = 1; view <= count; view++) {
    const block = blockOn(parent);
    hand.agreeOn(view, view - 1, block);
    blocks.push(block);
    parent = tipOf(block);
  }
  return blocks;
}

// --- R1 ---------------------------------------------------------------------------------------------------------------

test('R1: a replica begins in view 1 and enters the next one on a nullification', () => {
  const hand = new Hand();
  assert.equal(hand.view, 1);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.equal(hand.view, 2);
});

test('R1: a later nullification or finalization lets a replica jump; it never goes back', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(9, [1, 2, 3]));
  assert.equal(hand.view, 10);
  hand.hearCertificate(nullification(4, [1, 2, 3]));
  assert.equal(hand.view, 10);
  hand.hearCertificate(finalization(proposalOf(12, 0, first), [1, 2, 3]));
  assert.equal(hand.view, 13);
});

test('R1: a notarization lets nobody enter the next view before its payload is certified', () => {
  const hand = new Hand();
  const proposal = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.view, 1);
  hand.hear(2, { type: 'block', block: first });
  assert.equal(hand.view, 2);
});

test('R1: the view of a leader that already nullified it is skipped at once, and does not count for Delta_eff', () => {
  const hand = new Hand();
  // Views 1, 2, 4 and 5 are led by others; 3 is the own one.
  for (const view of [1, 2, 4, 5]) {
    hand.hearVote(nullify((1 + view) % 4, view));
    if (view > 1) assert.equal(hand.votesOf('nullify', view).length, 0, 'not the current view yet');
    if (view === 2) hand.hearCertificate(nullification(2, [1, 2, 3]));
    if (view > 2) hand.hearCertificate(nullification(view - 1, [1, 2, 3]));
    if (view !== 2) assert.equal(hand.votesOf('nullify', view).length, 1);
  }
  hand.hearCertificate(nullification(5, [1, 2, 3]));
  hand.hearBatch(batchOf(1, 1));
  hand.pass(20 * deltaMs);
  // The one nullify of view 1 came after entry and counts; f = 1 of them is free, so Delta is still not doubled.
  assert.equal(hand.facts.filter((fact) => fact.type === 'nullified' && fact.reason === 'leader-nullified').length, 3);
  const before = hand.nowMs;
  hand.hearCertificate(nullification(6, [1, 2, 3]));
  hand.hearCertificate(nullification(7, [1, 2, 3]));
  while (hand.votesOf('nullify', 8).length === 0) hand.pass(1);
  assert.equal(hand.nowMs - before, 4 * deltaMs, 'doubled once: by the nullifies of views 1 and 6 alone');
});

test('R1: a leader silent for skipTimeout while a quorum is active is skipped, but nobody is in a quiet network', () => {
  const hand = new Hand();
  hand.connectAll();
  for (let ms = 100; ms <= 1_200; ms += 100) {
    hand.passTo(ms);
    for (const peer of [1, 2]) hand.hear(peer, { type: 'acknowledgement', epoch: hand.set.epoch, rows: [] });
  }
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.deepEqual(
    hand.facts.filter((fact) => fact.type === 'nullified').map((fact) => fact.reason),
    ['leader-silent'],
  );
  const quiet = new Hand();
  quiet.connectAll();
  quiet.passTo(1_200);
  quiet.hearCertificate(nullification(1, [1, 2, 3]));
  assert.equal(quiet.votes.length, 0);
});

// --- R2 ---------------------------------------------------------------------------------------------------------------

/** Replica 0 leads view 3. */
function toOwnView(hand: Hand): void {
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.hearCertificate(nullification(2, [1, 2, 3]));
}

test('R2: a leader with nothing to list proposes after the heartbeat, once', () => {
  const hand = new Hand();
  toOwnView(hand);
  hand.pass(heartbeatMs - 1);
  assert.equal(hand.sentOf('proposal').length, 0);
  hand.pass(1);
  const [sent] = hand.sentOf('proposal');
  assert.equal(sent!.block.header.height, 1);
  assert.deepEqual(sent!.vote.vote.type === 'notarize' && sent!.vote.vote.proposal.parentView, 0);
  hand.pass(deltaMs);
  assert.equal(hand.sentOf('proposal').length, 1);
});

test('R2: a leader proposes at once when a quorum, itself included, has acknowledged a batch', () => {
  const hand = new Hand();
  toOwnView(hand);
  const batch = batchOf(1, 1);
  hand.hearBatch(batch);
  hand.pass(10);
  const rows = [{ author: batch.header.author, seq: 1, digest: batch.digest }];
  hand.hear(1, { type: 'acknowledgement', epoch: hand.set.epoch, rows });
  assert.equal(hand.sentOf('proposal').length, 0);
  hand.hear(2, { type: 'acknowledgement', epoch: hand.set.epoch, rows });
  assert.deepEqual(
    hand.sentOf('proposal').map(({ block }) => block.batches.map(({ seq }) => seq)),
    [[1]],
  );
});

test('R2: a leader does not propose in a view it nullified', () => {
  const hand = new Hand();
  toOwnView(hand);
  hand.hearBatch(batchOf(1, 1));
  hand.pass(6 * deltaMs);
  assert.equal(hand.votesOf('nullify', 3).length, 1);
  const rows = [{ author: batchOf(1, 1).header.author, seq: 1, digest: batchOf(1, 1).digest }];
  for (const peer of [1, 2]) hand.hear(peer, { type: 'acknowledgement', epoch: hand.set.epoch, rows });
  assert.equal(hand.sentOf('proposal').length, 0);
});

test('R2: a leader asks for the nullifications it lacks above its parent, and proposes once it has them', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(heartbeatMs);
  assert.equal(hand.sentOf('proposal').length, 0);
  const requests = hand.sentOf('request-certificates');
  assert.deepEqual([...new Set(requests.map(({ from, to }) => `${from}-${to}`))], ['1-1']);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.equal(hand.sentOf('proposal').length, 1);
});

test('R2: a leader builds on the tail that is not finalized after 2 Delta', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const proposal = proposalOf(2, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.view, 3);
  hand.pass(2 * deltaMs);
  assert.equal(hand.sentOf('proposal')[0]!.block.header.height, 2);
});

test('R2: a leader proposes the unfinalized block again, unchanged, when checkpoint h - L is not certified', () => {
  const hand = new Hand();
  const blocks = grow(hand, 5);
  assert.equal(hand.replica.status().certifiedHeight, 0);
  const sixth = blockOn(tipOf(blocks[4]!), { checkpoint: outcomeOf(blocks[1]!).statement });
  // A quorum has certified height 2 elsewhere; this node only sees the notarization.
  const proposal = proposalOf(6, 5, sixth);
  hand.hearProposal(proposal, sixth);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.view, 7);
  // The finalization of the parent has a moment to come first.
  assert.equal(hand.sentOf('proposal').length, 0);
  hand.pass(deltaMs / 4);
  const again = hand.sentOf('proposal').at(-1)!;
  assert.deepEqual(again.block, sixth);
  assert.deepEqual(again.vote.vote, { type: 'notarize', proposal: proposalOf(7, 6, sixth) });
});

test('R2: a leader on a finalized parent waits while checkpoint h - L is not certified', () => {
  const hand = new Hand();
  const blocks = grow(hand, 5);
  const sixth = blockOn(tipOf(blocks[4]!), { checkpoint: outcomeOf(blocks[1]!).statement });
  hand.hearProposal(proposalOf(6, 5, sixth), sixth);
  hand.hearCertificate(finalization(proposalOf(6, 5, sixth), [1, 2, 3]));
  hand.pass(heartbeatMs);
  assert.equal(hand.view, 7);
  assert.equal(hand.sentOf('proposal').length, 0);
  hand.certify(blocks[2]!, [1, 2]);
  assert.deepEqual(
    hand.sentOf('proposal').map(({ block }) => block.header.height),
    [7],
  );
});

// --- R3 ---------------------------------------------------------------------------------------------------------------

test('R3: a valid proposal of the leader is notarized, once', () => {
  const hand = new Hand();
  const proposal = proposalOf(1, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearProposal(proposal, first);
  hand.hearVote(notarize(1, proposal));
  assert.deepEqual(hand.votesOf('notarize', 1), [{ type: 'notarize', proposal }]);
});

test('R3: block and vote are durable in this order before the vote leaves', () => {
  const hand = new Hand();
  hand.hearProposal(proposalOf(1, 0, first), first);
  assert.deepEqual(
    hand.journal.map(({ type }) => type),
    ['block', 'own-vote'],
  );
});

test('R3: nobody but the leader can propose', () => {
  const hand = new Hand();
  hand.hear(1, { type: 'proposal', vote: notarize(1, proposalOf(1, 0, first)), block: first });
  hand.hearVote(notarize(3, proposalOf(1, 0, first)));
  assert.equal(hand.votes.length, 0);
});

test('R3: nothing is notarized outside the current view or after the own nullify', () => {
  const hand = new Hand();
  const second = blockOn(tipOf(first));
  hand.hearProposal(proposalOf(2, 1, second), second);
  assert.equal(hand.votes.length, 0);
  hand.pass(heartbeatMs + 2 * deltaMs);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
  hand.hearProposal(proposalOf(1, 0, first), first);
  assert.equal(hand.votesOf('notarize', 1).length, 0);
});

test('R3: a listed batch that is missing is asked of the leader, and the vote waits for it', () => {
  const hand = new Hand();
  hand.connectAll();
  const batch = batchOf(3, 1);
  const block = blockOn(genesisTip, { batches: [batch] });
  hand.hearProposal(proposalOf(1, 0, block), block);
  assert.equal(hand.votes.length, 0);
  assert.deepEqual(
    hand.sentOf('request-batch').map(({ peers, digest }) => [peers, digest]),
    [[[2], batch.digest]],
  );
  hand.hearBatch(batch, 2);
  assert.equal(hand.votesOf('notarize', 1).length, 1);
});

test('R3: the ancestry that is missing is asked of this leader alone, and never makes a proposal invalid', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  assert.equal(hand.view, 4);
  hand.pass(deltaMs);
  hand.forgetSent();
  const block = blockOn(tipOf(first));
  hand.hearProposal(proposalOf(4, 1, block), block);
  assert.deepEqual(
    hand.sentOf('request-certificates').map(({ peers, from }) => [peers, from]),
    [[[1], 1]],
  );
  assert.equal(hand.votes.length, 0);
  const parent = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(parent, [1, 2, 3]));
  hand.hear(1, { type: 'block', block: first });
  assert.equal(hand.votesOf('notarize', 4).length, 1);
});

test('R3: a gap in the nullifications between parent and view is never voted over', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.hearProposal(proposalOf(4, 0, first), first);
  assert.equal(hand.votes.length, 0);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  assert.equal(hand.votesOf('notarize', 4).length, 1);
});

test('R3: a proposal on a parent below the last finalized view is permanently invalid: nullified now', () => {
  const hand = new Hand();
  hand.agreeOn(1, 0, first);
  hand.hearProposal(proposalOf(2, 0, other), other);
  assert.equal(hand.votesOf('notarize', 2).length, 0);
  assert.equal(hand.votesOf('nullify', 2).length, 1);
});

for (const [what, block] of [
  ['a wrong height', blockOn(genesisTip, { height: 2 })],
  ['other rules', blockOn(genesisTip, { rules: 2 })],
  ['another epoch', blockOn(genesisTip, { epoch: 2 })],
  ['another parent', blockOn({ ...genesisTip, digest: other.digest })],
  ['a time not above the parent', blockOn(genesisTip, { timeMs: 0 })],
  ['a checkpoint that is not the certified one', blockOn(genesisTip, { checkpoint: outcomeOf(first).statement })],
] as const) {
  test(`R3: a block with ${what} is nullified, not notarized`, () => {
    const hand = new Hand();
    hand.hearProposal(proposalOf(1, 0, block), block);
    assert.deepEqual(
      hand.votes.map((vote) => vote.type),
      ['nullify'],
    );
  });
}

test('R3: a block ahead of the clock by more than the drift waits, and is notarized when the clock allows', () => {
  const hand = new Hand();
  const early = blockOn(genesisTip, { timeMs: wallStartMs + constants.clockDriftMs + 150 });
  hand.hearProposal(proposalOf(1, 0, early), early);
  hand.pass(149);
  assert.equal(hand.votes.length, 0);
  hand.pass(1);
  assert.equal(hand.votesOf('notarize', 1).length, 1);
});

test('R3: a new block waits until checkpoint h - L is certified for this node', () => {
  const hand = new Hand();
  const blocks = grow(hand, 4);
  const fifth = blockOn(tipOf(blocks[3]!), { checkpoint: outcomeOf(blocks[0]!).statement });
  hand.hearProposal(proposalOf(5, 4, fifth), fifth);
  assert.equal(hand.votesOf('notarize', 5).length, 0);
  hand.certify(blocks[0]!);
  assert.equal(hand.votesOf('notarize', 5).length, 1);
});

test('R3: a re-proposal is notarized without a certified checkpoint and without looking at its time', () => {
  const hand = new Hand();
  const blocks = grow(hand, 4);
  const fifth = blockOn(tipOf(blocks[3]!), { checkpoint: outcomeOf(blocks[0]!).statement });
  const proposal = proposalOf(5, 4, fifth);
  hand.hearProposal(proposal, fifth);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.view, 6);
  hand.hearProposal(proposalOf(6, 5, fifth), fifth);
  assert.equal(hand.votesOf('notarize', 6).length, 1);
  assert.equal(hand.replica.status().certifiedHeight, 0);
});

test('R3: a re-proposal of a block finalized here meanwhile is notarized too, executed or not', () => {
  const hand = new Hand();
  const batch = batchOf(1, 1);
  hand.hearBatch(batch);
  const block = blockOn(genesisTip, { batches: [batch] });
  hand.agreeOn(1, 0, block);
  assert.equal(hand.replica.status().executedHeight, 1);
  hand.hear(3, { type: 'vote', vote: notarize(3, proposalOf(2, 1, block)), entry: null });
  assert.equal(hand.votesOf('notarize', 2).length, 1);
});

test('R3: a held certificate stands against the later Notarize of its leader', () => {
  const hand = new Hand();
  const certified = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(certified, [1, 3, 2]));
  hand.hearProposal(proposalOf(1, 0, other), other);
  assert.equal(hand.votesOf('notarize', 1).length, 0);
  hand.hear(2, { type: 'block', block: first });
  assert.equal(hand.votesOf('finalize', 1).length, 0, 'the view is equivocated');
  assert.equal(hand.view, 2, 'what is notarized is certified all the same');
});

test('R3: after a second Notarize of the leader nobody here notarizes or finalizes the view; the proof is kept', () => {
  const hand = new Hand();
  const batch = batchOf(3, 1);
  const needsBatch = blockOn(genesisTip, { batches: [batch] });
  hand.hearProposal(proposalOf(1, 0, needsBatch), needsBatch);
  hand.hearProposal(proposalOf(1, 0, first), first);
  hand.hearBatch(batch);
  assert.equal(hand.votesOf('notarize', 1).length, 0);
  assert.deepEqual(
    [...hand.replica.proofs()].map(({ type, accused }) => [type, accused]),
    [['votes', 2]],
  );
  assert.ok(hand.journal.some(({ type }) => type === 'evidence'));
  hand.hearCertificate(notarization(proposalOf(1, 0, first), [1, 2, 3]));
  assert.equal(hand.votesOf('finalize', 1).length, 0);
});

// --- R4 ---------------------------------------------------------------------------------------------------------------

test('R4: certification needs no clock, no checkpoint and no rules of state: links and presence are enough', () => {
  const hand = new Hand();
  const odd = blockOn(genesisTip, {
    timeMs: wallStartMs + 3_600_000,
    checkpoint: outcomeOf(first).statement,
    rules: 99,
  });
  hand.hearProposal(proposalOf(1, 0, odd), odd);
  assert.equal(hand.votesOf('notarize', 1).length, 0);
  const late = new Hand();
  const proposal = proposalOf(1, 0, odd);
  late.hearCertificate(notarization(proposal, [1, 2, 3]));
  late.hear(2, { type: 'block', block: odd });
  assert.equal(late.view, 2);
  assert.equal(late.votesOf('finalize', 1).length, 1);
});

test('R4: a notarized block that does not link to its parent is rejected, nullified and never built on', () => {
  const hand = new Hand();
  const loose = blockOn({ ...genesisTip, digest: other.digest });
  const proposal = proposalOf(1, 0, loose);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(2, { type: 'block', block: loose });
  assert.equal(hand.view, 1);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
  assert.ok(hand.journal.some((record) => record.type === 'certified' && !record.isOk));
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const child = blockOn(tipOf(loose));
  hand.hearProposal(proposalOf(2, 1, child), child);
  assert.equal(hand.votesOf('nullify', 2).length, 1);
});

test('R4: certification goes on after the own nullify and after the nullification', () => {
  const hand = new Hand();
  hand.pass(heartbeatMs + 2 * deltaMs);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const proposal = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(2, { type: 'block', block: first });
  assert.ok(hand.journal.some((record) => record.type === 'certified' && record.view === 1 && record.isOk));
  const child = blockOn(tipOf(first));
  hand.hearProposal(proposalOf(2, 1, child), child);
  assert.equal(hand.votesOf('notarize', 2).length, 1);
});

test('R4: a missing payload is asked of the signers, one after the other', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.hearCertificate(notarization(proposalOf(1, 0, first), [1, 2, 3]));
  hand.pass(2 * deltaMs);
  assert.deepEqual(
    hand.sentOf('request-block').map(({ peers }) => peers),
    [[1], [2], [3]],
  );
});

test('R4: a certificate is durable before it is passed on, and passed on once', () => {
  const hand = new Hand();
  hand.hearVote(nullify(1, 1));
  hand.hearVote(nullify(3, 1));
  assert.equal(hand.sentOf('certificate').length, 0);
  hand.hearVote(nullify(2, 1));
  assert.equal(hand.journal.filter(({ type }) => type === 'certificate').length, 1);
  hand.pass(10 * deltaMs);
  hand.hearCertificate(nullification(1, [1, 2, 3]), 3);
  assert.deepEqual(
    hand.sentOf('certificate').map(({ peers }) => peers),
    [[1, 2, 3]],
    'its voters were about to form it; after Delta / 2 without a sign of it they are sent it',
  );
});

test('R4: who has not voted for a certificate is sent it at once; who shows it holds it, never', () => {
  const hand = new Hand();
  hand.pass(heartbeatMs + 2 * deltaMs);
  hand.hearVote(nullify(1, 1));
  hand.hearVote(nullify(2, 1));
  assert.deepEqual(
    hand.sentOf('certificate').map(({ peers }) => peers),
    [[3]],
  );
  hand.hearVote(notarize(1, proposalOf(2, 0, first)));
  hand.pass(deltaMs / 2);
  assert.deepEqual(
    hand.sentOf('certificate').map(({ peers }) => peers),
    [[3], [2]],
  );
});

// --- R5 ---------------------------------------------------------------------------------------------------------------

test('R5: an idle view is nullified after heartbeat + 2 Delta without a proposal', () => {
  const hand = new Hand();
  hand.pass(heartbeatMs + 2 * deltaMs - 1);
  assert.equal(hand.votes.length, 0);
  hand.pass(1);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
});

test('R5: with a batch pending for 5 Delta the view is nullified, at the earliest 2 Delta after entry', () => {
  const hand = new Hand();
  hand.hearBatch(batchOf(1, 1));
  hand.pass(5 * deltaMs - 1);
  assert.equal(hand.votes.length, 0);
  hand.pass(10);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.pass(2 * deltaMs - 1);
  assert.equal(hand.votesOf('nullify', 2).length, 0);
  hand.pass(1);
  assert.equal(hand.votesOf('nullify', 2).length, 1);
});

test('R5: a proposal that is not certified within 3 Delta of its arrival is given up', () => {
  const hand = new Hand();
  hand.pass(1_000);
  hand.hearProposal(proposalOf(1, 0, first), first);
  hand.pass(3 * deltaMs - 1);
  assert.equal(hand.votesOf('nullify', 1).length, 0);
  hand.pass(1);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
});

test("R5: the leader's own nullify ends the wait, also after its proposal", () => {
  const hand = new Hand();
  hand.hearProposal(proposalOf(1, 0, first), first);
  hand.hearVote(nullify(2, 1));
  assert.equal(hand.votesOf('nullify', 1).length, 1);
});

test('R5: while in the view a nullify is sent again every tRetry, with the certificate that let us enter', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.pass(heartbeatMs + 2 * deltaMs);
  hand.forgetSent();
  hand.pass(2 * retryMs);
  const resent = hand.sentOf('vote').filter(({ vote }) => vote.vote.type === 'nullify');
  assert.equal(resent.length, 2);
  assert.deepEqual(
    resent.map(({ entry }) => entry?.vote.type),
    ['nullify', 'nullify'],
  );
  hand.hearCertificate(finalization(proposalOf(1, 0, first), [1, 2, 3]));
  hand.forgetSent();
  hand.pass(retryMs);
  assert.deepEqual(
    hand.sentOf('vote').map(({ entry }) => entry?.vote.type),
    ['finalize'],
    'the best one: finalization before nullification before notarization',
  );
});

test('R5: Delta_eff doubles with each failed view beyond f, and falls back on a finalization only', () => {
  const hand = new Hand();
  hand.hearBatch(batchOf(1, 1));
  hand.pass(20 * deltaMs);
  const waits: number[] = [];
  for (let view = 1; view <= 6; view++) {
    const enteredAtMs = hand.nowMs;
    while (hand.votesOf('nullify', view).length === 0) hand.pass(1);
    waits.push(hand.nowMs - enteredAtMs);
    hand.hearCertificate(nullification(view, [1, 2, 3]));
  }
  assert.deepEqual(waits.slice(1), [200, 400, 800, 1_600, 3_200]);
  const proposal = proposalOf(7, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  const enteredAtMs = hand.nowMs;
  while (hand.votesOf('nullify', 8).length === 0) hand.pass(1);
  assert.equal(hand.nowMs - enteredAtMs, 200);
});

// --- R6 ---------------------------------------------------------------------------------------------------------------

test('R6: a certified view is finalized, also one already left', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const proposal = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(2, { type: 'block', block: first });
  assert.deepEqual(hand.votesOf('finalize', 1), [{ type: 'finalize', proposal }]);
});

test('R6: a replica never finalizes a view it nullified, not even after a restart', () => {
  const hand = new Hand();
  hand.pass(heartbeatMs + 2 * deltaMs);
  const proposal = proposalOf(1, 0, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(2, { type: 'block', block: first });
  assert.equal(hand.view, 2);
  assert.equal(hand.votesOf('finalize', 1).length, 0);
  const again = new Hand({ records: hand.journal });
  again.pass(heartbeatMs);
  assert.equal(again.votesOf('finalize', 1).length, 0);
  const fromLive = new Hand({ records: [...hand.replica.liveRecords()] });
  assert.equal(fromLive.votesOf('finalize', 1).length, 0);
});

test('R6: a replica never finalizes another proposal than the one it notarized, not even after a restart', () => {
  const hand = new Hand();
  hand.hearProposal(proposalOf(1, 0, first), first);
  assert.equal(hand.votesOf('notarize', 1).length, 1);
  hand.hearCertificate(notarization(proposalOf(1, 0, other), [1, 2, 3]));
  hand.hear(2, { type: 'block', block: other });
  assert.equal(hand.view, 2);
  assert.equal(hand.votesOf('finalize', 1).length, 0);
  const again = new Hand({ records: hand.journal });
  assert.equal(again.view, 2);
  assert.equal(again.votesOf('finalize', 1).length, 0);
});

test('R6: after its own finalize a replica never nullifies that view', () => {
  const hand = new Hand();
  const proposal = proposalOf(1, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.votesOf('finalize', 1).length, 1);
  const again = new Hand({ records: hand.journal.filter((record) => record.type === 'own-vote') });
  assert.equal(again.view, 1);
  again.pass(2 * heartbeatMs);
  assert.equal(again.votesOf('nullify', 1).length, 0);
});

test('R6: a finalization finalizes all ancestors, and they are delivered in order', () => {
  const hand = new Hand();
  const second = blockOn(tipOf(first));
  const one = proposalOf(1, 0, first);
  hand.hearProposal(one, first);
  hand.hearCertificate(notarization(one, [1, 2, 3]));
  const two = proposalOf(2, 1, second);
  hand.hearProposal(two, second);
  hand.hearCertificate(finalization(two, [1, 2, 3]));
  assert.deepEqual(
    hand.delivered.map(({ header }) => header.height),
    [1, 2],
  );
  assert.equal(hand.replica.status().lastFinalizedView, 2);
});

test('R6: Q finalizes make a finalization; fewer, or on different proposals, make none', () => {
  const hand = new Hand();
  const proposal = proposalOf(1, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearVote(finalize(1, proposal));
  hand.hearVote(finalize(1, proposal));
  hand.hearVote(finalize(2, proposal));
  hand.hearVote(finalize(3, proposalOf(1, 0, other)));
  assert.equal(hand.replica.status().lastFinalizedView, 0);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.replica.status().lastFinalizedView, 1, 'with the own finalize');
});

// --- R7, R8 -----------------------------------------------------------------------------------------------------------

test('R7: a nullify of an earlier view is answered with what lets its sender go on, rate-limited', () => {
  const hand = new Hand();
  hand.agreeOn(1, 0, first);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  hand.pass(deltaMs);
  hand.forgetSent();
  hand.hearVote(nullify(3, 2));
  hand.hearVote(nullify(3, 2));
  const sent = hand.sentOf('certificate');
  assert.deepEqual(
    sent.map(({ peers, certificate }) => [peers, certificate.vote.type, viewOfVote(certificate.vote)]),
    [
      [[3], 'finalize', 1],
      [[3], 'nullify', 2],
      [[3], 'nullify', 3],
    ],
  );
});

test('R7: a Status with a lower finalized view is answered with the highest finalization', () => {
  const hand = new Hand();
  hand.agreeOn(1, 0, first);
  hand.pass(deltaMs);
  hand.forgetSent();
  hand.hear(3, {
    type: 'status',
    epoch: hand.set.epoch,
    view: 1 as never,
    lastFinalized: 0 as never,
    height: 0 as never,
    asks: false,
    finalization: null,
    recall: nothingToRecall,
  });
  assert.equal(hand.sentOf('certificate')[0]!.certificate.vote.type, 'finalize');
});

test('R7: a nullify sent again says what is finalized here, so that idle peers send a finalization that got lost', () => {
  const hand = new Hand();
  const proposal = proposalOf(1, 0, first);
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.view, 2, 'the block is not finalized: the others have done that without this node');
  hand.pass(4 * deltaMs);
  hand.forgetSent();
  hand.pass(4 * deltaMs);
  const statuses = hand.sent.filter(({ message }) => message.type === 'status');
  assert.equal(statuses.length, 1);
  const said = { type: 'status', epoch: 1, view: 2, lastFinalized: 0, height: 0, asks: false, finalization: null };
  assert.deepEqual(statuses[0]!.message, { ...said, recall: null });
});

test('R7: certificates asked for are sent, whatever is held for each view', () => {
  const hand = new Hand();
  for (const view of [1, 2, 3]) hand.hearCertificate(nullification(view, [1, 2, 3]));
  hand.pass(deltaMs);
  hand.forgetSent();
  hand.hear(3, { type: 'request-certificates', epoch: hand.set.epoch, from: 1 as never, to: 2 as never });
  assert.deepEqual(
    hand.sentOf('certificate').map(({ certificate }) => viewOfVote(certificate.vote)),
    [1, 2],
  );
});

test('R8: votes far ahead, of finalized views or of another epoch are not taken', () => {
  const hand = new Hand();
  hand.agreeOn(1, 0, first);
  const { replica } = hand;
  const far = proposalOf(50, 1, first);
  assert.equal(replica.wants({ type: 'vote', vote: notarize(1, far), entry: null }), false);
  assert.equal(replica.wants({ type: 'vote', vote: notarize(1, proposalOf(1, 0, first)), entry: null }), false);
  const strange = { ...proposalOf(2, 1, other), epoch: 2 as never };
  assert.equal(replica.wants({ type: 'vote', vote: notarize(1, strange), entry: null }), false);
  for (const signer of [1, 2, 3]) hand.hearVote(notarize(signer, far));
  hand.hear(1, { type: 'block', block: first });
  assert.equal(hand.view, 2);
});

test('R8: a vote that is known is not wanted again; one that contradicts it is', () => {
  const hand = new Hand();
  hand.hearVote(notarize(1, proposalOf(1, 0, first)));
  const wants = (vote: ReturnType<typeof notarize>) => hand.replica.wants({ type: 'vote', vote, entry: null });
  assert.equal(wants(notarize(1, proposalOf(1, 0, first))), false);
  assert.equal(wants(notarize(1, proposalOf(1, 0, other))), true);
});

test('R8: certificates of a fork name everybody who signed both', () => {
  const hand = new Hand({ validatorsCount: 7 });
  hand.hearCertificate(notarization(proposalOf(1, 0, first), [1, 2, 3, 4, 5]));
  hand.hearCertificate(notarization(proposalOf(1, 0, other), [3, 4, 5, 6, 0]));
  assert.deepEqual([...hand.replica.proofs()].map(({ accused }) => accused).sort(), [3, 4, 5]);
});

// --- Fenced -----------------------------------------------------------------------------------------------------------

test('a fenced replica signs nothing more', () => {
  const hand = new Hand();
  const blocks = grow(hand, 1);
  const wrong = { ...outcomeOf(blocks[0]!).statement, stateRoot: other.digest };
  const signatures = [1, 2, 3].map((signer) => ({
    statement: wrong,
    signer: signer as never,
    issuedSeconds: 1,
    signature: new Uint8Array(64),
  }));
  hand.hear(1, { type: 'checkpoint-signatures', signatures });
  assert.ok(hand.isFenced);
  const count = hand.votes.length;
  const second = blockOn(tipOf(blocks[0]!));
  hand.hearProposal(proposalOf(2, 1, second), second);
  hand.pass(2 * heartbeatMs);
  assert.equal(hand.votes.length, count);
});
