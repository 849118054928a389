/** protocol.md section 6, "Accountability". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toView } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { viewOfVote } from '../../model/vote.ts';
import { PastViews } from '../agreement/past-views.ts';
import { pastViewsMax } from '../constants.ts';
import type { JournalRecord } from '../effects.ts';
import {
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
  proposalOf,
  tipOf,
  wallStartMs,
} from '../testing/hand.ts';

const block1 = blockOn(genesisTip);
const block2 = blockOn(tipOf(block1));
const other1 = blockOn(genesisTip, { timeMs: wallStartMs + 1 });
const other2 = blockOn(tipOf(other1));
const proposal1 = proposalOf(1, 0, block1);
const otherProposal1 = proposalOf(1, 0, other1);

/** A hand that has finalized a block in view 1, with the votes of 0, 2 and 3, and another one in view 2. */
function handWithChain(): Hand {
  const hand = new Hand({ self: 0 });
  hand.connectAll();
  hand.hearProposal(proposal1, block1);
  hand.hearCertificate(notarization(proposal1, [1, 2, 3]));
  hand.hearCertificate(finalization(proposal1, [0, 2, 3]));
  hand.agreeOn(2, 1, block2);
  assert.equal(hand.replica.agreement.lastFinalized, 2);
  hand.forgetSent();
  return hand;
}

const accusedBy = (hand: Hand): number[] =>
  [...hand.replica.proofs()].map(({ accused }) => accused).sort((a, b) => a - b);
const forksOf = (hand: Hand) => hand.facts.filter((fact) => fact.type === 'fork');
const isAdmitted = (hand: Hand, certificate: Certificate) => hand.replica.wants({ type: 'certificate', certificate });

for (const [name, certificate] of [
  ['another finalization', finalization(otherProposal1, [1, 2, 3])],
  ['a notarization of something else', notarization(otherProposal1, [1, 2, 3])],
  ['a nullification', nullification(1, [1, 2, 3])],
] as const) {
  test(`${name} of a past view that was finalized here names whoever signed both, and nobody else`, () => {
    const hand = handWithChain();
    assert.equal(isAdmitted(hand, certificate), true);
    hand.hearCertificate(certificate);
    assert.deepEqual(accusedBy(hand), [2, 3]);
    assert.deepEqual(forksOf(hand), [{ type: 'fork', view: 1 }]);
    assert.equal(hand.replica.status().isForked, true);
    assert.equal(hand.sentOf('evidence').length, 2);
  });
}

test('a finalization of a view that was nullified here long ago names whoever signed both', () => {
  const hand = new Hand({ self: 0 });
  hand.connectAll();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.agreeOn(2, 0, block1);
  assert.deepEqual(forksOf(hand), []);
  hand.hearCertificate(finalization(otherProposal1, [0, 2, 3]));
  assert.deepEqual(accusedBy(hand), [2, 3]);
  assert.equal(forksOf(hand).length, 1);
});

test('certificates and votes of past views that contradict nothing are dropped before a signature is checked', () => {
  const hand = handWithChain();
  for (const certificate of [
    finalization(proposal1, [1, 2, 3]),
    notarization(proposal1, [1, 2, 3]),
    nullification(3, [1, 2, 3]),
  ])
    assert.equal(isAdmitted(hand, certificate), viewOfVote(certificate.vote) > 2);
  for (const vote of [notarize(1, proposal1), finalize(1, proposal1), nullify(1, 1)])
    assert.equal(hand.replica.wants({ type: 'vote', vote, entry: null }), vote.vote.type === 'nullify');
});

test('a late vote proves a fault only against a row that its own signer gave to a kept certificate', () => {
  const hand = handWithChain();
  const ofStranger = finalize(1, otherProposal1);
  const ofSigner = finalize(3, otherProposal1);
  assert.equal(hand.replica.wants({ type: 'vote', vote: ofStranger, entry: null }), false);
  assert.equal(hand.replica.wants({ type: 'vote', vote: ofSigner, entry: null }), true);
  hand.hearVote(ofSigner);
  assert.deepEqual(accusedBy(hand), [3]);
  assert.equal(hand.replica.wants({ type: 'vote', vote: notarize(3, otherProposal1), entry: null }), false);
});

test('a certificate whose culprits are all named is not checked again', () => {
  const hand = handWithChain();
  const certificate = finalization(otherProposal1, [1, 2, 3]);
  hand.hearCertificate(certificate);
  assert.equal(isAdmitted(hand, certificate), false);
});

test('after a restart, past certificates still name culprits', () => {
  const before = handWithChain();
  const records: JournalRecord[] = [...before.replica.liveRecords()];
  const hand = new Hand({ self: 0, records });
  hand.connectAll();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.deepEqual(accusedBy(hand), [2, 3]);
});

test('a finalization of a block beside the finalized chain is a fork: it is told, and the own chain stays', () => {
  const hand = handWithChain();
  const executed = hand.delivered.length;
  hand.hearCertificate(finalization(proposalOf(7, 1, other2), [1, 2, 3]));
  assert.deepEqual(forksOf(hand), []);
  hand.hear(1, { type: 'block', block: other2 });
  assert.deepEqual(forksOf(hand), [{ type: 'fork', view: 7 }]);
  const told = hand.sentOf('certificate').filter(({ certificate }) => certificate.vote.type === 'finalize');
  for (const peer of [1, 2, 3]) {
    const views = told
      .filter(({ peers }) => peers.includes(peer as never))
      .map(({ certificate }) => viewOfVote(certificate.vote));
    assert.ok(views.includes(toView(1)) && views.includes(toView(2)), `peer ${peer} is told of views 1 and 2`);
  }
  assert.equal(hand.delivered.length, executed);
});

test('a finalization of a block below the finalized ones is no fork: a node that lost its journal has forgotten that one', () => {
  const block3 = blockOn(tipOf(block2));
  const hand = new Hand({ origin: { executed: tipOf(block3), finalization: null } });
  hand.hearCertificate(finalization(proposal1, [1, 2, 3]));
  hand.hear(1, { type: 'block', block: block1 });
  hand.pass(10);
  assert.deepEqual(forksOf(hand), []);
  assert.equal(hand.replica.status().isSyncing, false);
});

test('a page of a chain that contradicts the own one is a fork, if it was asked for', () => {
  const hand = handWithChain();
  const other3 = blockOn(tipOf(other2));
  const proposal = proposalOf(7, 6, other3);
  const chain = {
    type: 'chain',
    blocks: [other1, other2, other3],
    finalization: finalization(proposal, [1, 2, 3]),
  } as const;
  assert.equal(hand.replica.wants(chain), false);
  hand.hearCertificate(finalization(proposalOf(8, 7, blockOn(tipOf(other3))), [1, 2, 3]));
  assert.equal(hand.replica.wants(chain), true);
  hand.hear(1, chain);
  assert.equal(forksOf(hand).length, 1);
  assert.equal(hand.replica.wants(chain), false);
});

test('what is told of a fork is paced for each peer, told once, and again to a peer that connects', () => {
  const hand = new Hand({ self: 0 });
  hand.connectAll();
  let tip = genesisTip;
  for (let view = 1; view <= 40; view++) {
    const block = blockOn(tip, { timeMs: wallStartMs + view });
    hand.agreeOn(view, view - 1, block);
    tip = tipOf(block);
  }
  hand.pass(2_000);
  hand.forgetSent();
  const toldTo = (peer: number) =>
    hand.sentOf('certificate').filter(({ peers, certificate }) => {
      return certificate.vote.type === 'finalize' && peers.includes(peer as never) && viewOfVote(certificate.vote) < 40;
    }).length;
  hand.hearCertificate(nullification(5, [1, 2, 3]));
  assert.ok(toldTo(1) < 39, 'a page at once');
  hand.pass(2 * constants.deltaMs + 1);
  assert.equal(toldTo(1), 39);
  hand.pass(10 * constants.deltaMs);
  assert.equal(toldTo(1), 39);
  hand.input({ type: 'disconnected', peer: 1 as never });
  hand.input({ type: 'connected', peer: 1 as never });
  hand.pass(2 * constants.deltaMs + 1);
  assert.equal(toldTo(1), 2 * 39);
  assert.equal(toldTo(2), 39);
});

test('certificates of a bounded number of past views are kept, the newest ones', () => {
  const past = new PastViews();
  for (let view = 1; view <= pastViewsMax + 500; view++) past.keep(nullification(view, [1, 2, 3]));
  assert.ok(past.size <= pastViewsMax + 64);
  const views = [...past.certificatesBelow(Number.POSITIVE_INFINITY)].map(({ vote }) => viewOfVote(vote));
  assert.equal(views.at(-1), pastViewsMax + 500);
  assert.ok(views[0]! > 400);
});

test('what is kept of a certificate does not keep the frames alive that it came in', () => {
  const page = new Uint8Array(1 << 20);
  const certificate = finalization(proposal1, [1, 2, 3]);
  const held = { ...certificate, signatures: certificate.signatures.map((_, i) => page.subarray(64 * i, 64 * i + 64)) };
  const past = new PastViews();
  past.keep(held);
  const [kept] = past.certificatesBelow(Number.POSITIVE_INFINITY);
  assert.deepEqual(kept, held);
  for (const bytes of [...kept!.signatures, kept!.vote.type === 'finalize' ? kept!.vote.proposal.digest : page])
    assert.ok(bytes.buffer.byteLength < 1024);
});

test('of a finalized view the finalization alone is kept, of another one its notarization and its nullification', () => {
  const past = new PastViews();
  past.keep(notarization(proposal1, [1, 2, 3]));
  past.keep(nullification(1, [1, 2, 3]));
  assert.deepEqual(
    [...past.certificatesBelow(Number.POSITIVE_INFINITY)].map(({ vote }) => vote.type),
    ['notarize', 'nullify'],
  );
  past.keep(finalization(proposal1, [1, 2, 3]));
  past.keep(nullification(1, [1, 2, 3]));
  assert.deepEqual(
    [...past.certificatesBelow(Number.POSITIVE_INFINITY)].map(({ vote }) => vote.type),
    ['finalize'],
  );
});

test('nodes that have finalized the same view in different ways find out when they connect', () => {
  const hand = handWithChain();
  hand.input({ type: 'disconnected', peer: 1 as never });
  hand.input({ type: 'connected', peer: 1 as never });
  const told = hand.sentOf('certificate').filter(({ peers }) => peers.includes(1 as never));
  assert.equal(viewOfVote(told[0]!.certificate.vote), 2);
  assert.equal(told[0]!.certificate.vote.type, 'finalize');
  hand.hearCertificate(finalization(proposalOf(2, 1, other2), [1, 2, 3]));
  assert.deepEqual(forksOf(hand), [{ type: 'fork', view: 2 }]);
  assert.deepEqual(accusedBy(hand), [1, 2, 3]);
});
