/** protocol.md section 3, "Recovery", and what a peer is sent when it connects. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import type { JournalRecord } from '../effects.ts';
import {
  batchOf,
  blockOn,
  constants,
  finalization,
  genesisOutcome,
  genesisTip,
  Hand,
  notarization,
  notarize,
  nullification,
  outcomeOf,
  proposalOf,
  tipOf,
  wallStartMs,
} from '../testing/hand.ts';

const { deltaMs, heartbeatMs } = constants;
const first = blockOn(genesisTip);
const proposal = proposalOf(1, 0, first);
const other = blockOn(genesisTip, { timeMs: wallStartMs + 5 });

const toPeer = (hand: Hand, peer: number): string[] =>
  hand.sent.flatMap(({ to, message }) => {
    if (to === 'all' || !to.includes(peer)) return [];
    if (message.type === 'vote' || message.type === 'proposal') return [`${message.type} ${message.vote.vote.type}`];
    return message.type === 'certificate' ? [`certificate ${message.certificate.vote.type}`] : [];
  });

function connect(hand: Hand, peer: number): string[] {
  hand.forgetSent();
  hand.input({ type: 'connected', peer: toValidatorIndex(peer) });
  return toPeer(hand, peer);
}

test('who connects is sent the open certificates and the own votes of open views', () => {
  const hand = new Hand();
  hand.hearProposal(proposal, first);
  assert.deepEqual(connect(hand, 1), ['vote notarize']);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.deepEqual(connect(hand, 1), ['certificate notarize', 'vote notarize', 'vote finalize']);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  assert.deepEqual(connect(hand, 1).sort(), [
    'certificate notarize',
    'certificate nullify',
    'vote finalize',
    'vote notarize',
  ]);
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  assert.deepEqual(connect(hand, 1), ['certificate finalize', 'certificate nullify']);
});

test('a leader sends who connects its proposal, with the block', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(heartbeatMs);
  assert.equal(hand.votesOf('notarize', 3).length, 1);
  assert.ok(connect(hand, 2).includes('proposal notarize'));
});

test('a restart begins in the highest view that own votes know, whatever their order', () => {
  const nullifyRecord = (view: number): JournalRecord => ({
    type: 'own-vote',
    vote: { type: 'nullify', epoch: proposal.epoch, view: proposalOf(view, 0, first).view },
  });
  assert.equal(new Hand({ records: [nullifyRecord(3), nullifyRecord(1)] }).view, 3);
  assert.equal(new Hand({ records: [nullifyRecord(1), nullifyRecord(3)] }).view, 3);
});

test('a finalization that storage has counts after a restart: the next view is entered, votes below are forgotten', () => {
  const finalized = finalization(proposal, [1, 2, 3]);
  const origin = {
    executed: tipOf(first),
    finalization: finalized,
    outcomes: [genesisOutcome(), outcomeOf(first)],
  };
  const vote: JournalRecord = { type: 'own-vote', vote: { type: 'notarize', proposal } };
  const hand = new Hand({ origin, records: [vote] });
  assert.deepEqual([hand.view, hand.replica.status().lastFinalizedView], [2, 1]);
  assert.equal(hand.votesOf('notarize', 1).length, 0);
  assert.deepEqual(connect(hand, 1), ['certificate finalize']);
});

test('after a restart another proposal than the one voted for is an equivocation', () => {
  const before = new Hand();
  before.hearProposal(proposal, first);
  const hand = new Hand({ records: before.journal });
  hand.hearProposal(proposalOf(1, 0, other), other);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(hand.votesOf('finalize', 1).length, 0);
  const same = new Hand({ records: before.journal });
  same.hearProposal(proposal, first);
  same.hearCertificate(notarization(proposal, [1, 2, 3]));
  assert.equal(same.votesOf('finalize', 1).length, 1);
});

test('the live records hold every open mark, and none that is done with', () => {
  const hand = new Hand();
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  const kinds = (): string[] =>
    [...hand.replica.liveRecords()].map((record) => {
      if (record.type === 'own-vote') return `own-vote ${record.vote.type}`;
      if (record.type === 'certificate') return `certificate ${record.certificate.vote.type}`;
      return record.type === 'certified' ? `certified ${record.isOk}` : record.type;
    });
  assert.deepEqual(kinds(), [
    'block',
    'own-vote notarize',
    'own-vote finalize',
    'certificate notarize',
    'certified true',
  ]);
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  assert.ok(kinds().includes('own-checkpoint'), 'executed, not certified');
  hand.certify(first);
  assert.ok(!kinds().includes('own-checkpoint'), 'certified');
});

test('a rejected certification is remembered as such', () => {
  const hand = new Hand();
  const loose = blockOn({ ...genesisTip, digest: other.digest });
  hand.hearCertificate(notarization(proposalOf(1, 0, loose), [1, 2, 3]));
  hand.hear(2, { type: 'block', block: loose });
  const certified = [...hand.replica.liveRecords()].filter((record) => record.type === 'certified');
  assert.deepEqual(
    certified.map(({ isOk }) => isOk),
    [false],
  );
  const again = new Hand({ records: [...hand.replica.liveRecords()] });
  again.hear(2, { type: 'block', block: loose });
  assert.equal(again.view, 1);
});

test('what a finalization brings is delivered in order, named by it at its last block only', () => {
  const hand = new Hand({ holdExecution: true });
  const second = blockOn(tipOf(first));
  const third = blockOn(tipOf(second));
  const chain = [first, second, third];
  chain.forEach((block, i) => {
    hand.hearProposal(proposalOf(i + 1, i, block), block);
    hand.hearCertificate(notarization(proposalOf(i + 1, i, block), [1, 2, 3]));
  });
  const certificate = finalization(proposalOf(3, 2, third), [1, 2, 3]);
  const effects = hand.replica.step(
    { ms: hand.nowMs, wallMs: wallStartMs + hand.nowMs },
    {
      type: 'message',
      from: toValidatorIndex(1),
      message: { type: 'certificate', certificate } as never,
    },
  );
  const delivered = effects.flatMap((effect) => (effect.type === 'deliver' ? [effect] : []));
  assert.deepEqual(
    delivered.map(({ block }) => block.header.height),
    [1, 2, 3],
  );
  assert.deepEqual(
    delivered.map((effect) => effect.finalization),
    [null, null, certificate],
  );
});

const loose = blockOn({ ...genesisTip, digest: other.digest });
const child = blockOn(tipOf(loose));

test('what stands on a rejected block is rejected, and nullified, without being asked for', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.hearCertificate(notarization(proposalOf(1, 0, loose), [1, 2, 3]));
  hand.hear(2, { type: 'block', block: loose });
  hand.forgetSent();
  hand.hearCertificate(notarization(proposalOf(2, 1, child), [1, 2, 3]));
  const certified = hand.journal.flatMap((record) =>
    record.type === 'certified' ? [`${record.view} ${record.isOk}`] : [],
  );
  assert.deepEqual(certified, ['1 false', '2 false']);
  assert.deepEqual(hand.sentOf('request-block'), []);
});

test('a notarized view on a parent that is unknown here asks its signers for the parent, and waits', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.forgetSent();
  const second = blockOn(tipOf(first));
  hand.hearCertificate(notarization(proposalOf(2, 1, second), [0, 1, 3]));
  const asked = hand.sentOf('request-certificates');
  assert.deepEqual(asked.map(({ peers, from, to }) => [peers, from, to]).sort(), [
    [[1], 1, 1],
    [[3], 1, 1],
  ]);
  assert.equal(hand.view, 1);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hear(1, { type: 'block', block: first });
  hand.hear(1, { type: 'block', block: second });
  assert.equal(hand.view, 3);
});

test('a block proposed again in a later view is certified there without its payload being asked for', () => {
  const hand = new Hand();
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.forgetSent();
  hand.hearCertificate(notarization(proposalOf(2, 1, first), [1, 2, 3]));
  assert.equal(hand.view, 3);
  assert.equal(hand.votesOf('finalize', 2).length, 1);
  assert.deepEqual(hand.sentOf('request-block'), []);
});

test('records of another epoch restore no certification, and blocks at or below the root no block', () => {
  const before = new Hand();
  before.hearProposal(proposal, first);
  before.hearCertificate(notarization(proposal, [1, 2, 3]));
  const elsewhere = before.journal.map((record) =>
    record.type === 'certified' ? { ...record, epoch: toEpoch(2), isOk: false } : record,
  );
  const hand = new Hand({ records: elsewhere });
  hand.hear(1, { type: 'block', block: first });
  assert.equal(hand.votesOf('finalize', 1).length, 1);
  const origin = { executed: tipOf(first), outcomes: [genesisOutcome(), outcomeOf(first)] };
  const restored = new Hand({ origin, records: [{ type: 'block', block: first }] });
  assert.deepEqual(
    [...restored.replica.liveRecords()].filter(({ type }) => type === 'block'),
    [],
  );
});

test('a proof of two batches with one number counts after a restart: the author is waited for no more', () => {
  const accused = toValidatorIndex(1);
  const held = batchOf(1, 1);
  const proof = { type: 'batches' as const, accused, first: held, second: batchOf(1, 1, { text: 'other' }) };
  const records: JournalRecord[] = [{ type: 'batch', batch: held }];
  assert.equal(new Hand({ records }).replica.status().pendingBatches, 1);
  const hand = new Hand({ records: [...records, { type: 'evidence', proof }] });
  assert.equal(hand.replica.status().pendingBatches, 0);
  assert.equal(hand.replica.status().proofsOfFault, 1);
  const live = [...hand.replica.liveRecords()].flatMap((record) =>
    record.type === 'evidence' ? [[record.proof.type, record.proof.accused]] : [],
  );
  assert.deepEqual(live, [['batches', 1]]);
});

test('a result that storage has and the journal contradicts fences at the start; an equal one is forgotten', () => {
  const { statement } = outcomeOf(first);
  const origin = {
    executed: tipOf(first),
    outcomes: [genesisOutcome(), outcomeOf(first)],
    certifiedHeight: toHeight(1),
  };
  const record = (historySize: number): JournalRecord => ({
    type: 'own-checkpoint',
    statement: { ...statement, historySize },
  });
  const equal = new Hand({ origin, records: [record(statement.historySize)] });
  assert.equal(equal.isFenced, false);
  assert.deepEqual(
    [...equal.replica.liveRecords()].filter(({ type }) => type === 'own-checkpoint'),
    [],
  );
  const different = new Hand({ origin, records: [record(99)] });
  assert.equal(different.isFenced, true);
  for (const givenUp of [{ round: 1 }, { epoch: toEpoch(2) }]) {
    const record: JournalRecord = { type: 'own-checkpoint', statement: { ...statement, historySize: 99, ...givenUp } };
    assert.equal(new Hand({ origin, records: [record] }).isFenced, false, 'of a block that a restart has given up');
  }
  const ahead: JournalRecord = { type: 'own-checkpoint', statement: { ...statement, height: toHeight(2) } };
  const waiting = new Hand({ origin, records: [ahead] });
  assert.deepEqual(
    [...waiting.replica.liveRecords()].filter(({ type }) => type === 'own-checkpoint'),
    [ahead],
  );
});

test('what is executed and not known as certified is signed again at the start', () => {
  const origin = { executed: tipOf(first), outcomes: [genesisOutcome(), outcomeOf(first)] };
  const signed = (hand: Hand): number[] =>
    hand.sentOf('checkpoint-signatures').flatMap(({ signatures }) => signatures.map((row) => row.statement.height));
  assert.deepEqual(signed(new Hand({ origin })), [1]);
});

test('a replica that is told to sign no more follows, and says so', () => {
  const hand = new Hand();
  hand.replica.stopSigning();
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  assert.deepEqual(hand.votes, []);
  assert.deepEqual([hand.replica.status().maySign, hand.replica.status().finalizedHeight], [false, 1]);
});

test('a replica that may sign again signs what it executed meanwhile, and votes on', () => {
  const hand = new Hand();
  hand.replica.stopSigning();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const second = proposalOf(2, 0, first);
  hand.hearProposal(second, first);
  hand.hearCertificate(notarization(second, [1, 2, 3]));
  hand.hearCertificate(finalization(second, [1, 2, 3]));
  assert.deepEqual(hand.sentOf('checkpoint-signatures'), []);
  hand.forgetSent();
  hand.resume();
  assert.equal(hand.replica.status().maySign, true);
  assert.deepEqual(
    hand.sentOf('checkpoint-signatures').flatMap(({ signatures }) => signatures.map((row) => row.statement.height)),
    [1],
  );
  const third = blockOn(tipOf(first));
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  hand.hearProposal(proposalOf(4, 2, third), third);
  assert.equal(hand.votesOf('notarize', 4).length, 1);
});

test('a replica that stopped in the middle of a view sends its vote of it again', () => {
  const hand = new Hand();
  hand.hearProposal(proposal, first);
  hand.replica.stopSigning();
  hand.forgetSent();
  hand.resume();
  assert.equal(hand.sentOf('vote').filter(({ vote }) => vote.vote.type === 'notarize').length, 1);
});

test("a leader's block is of now, and above its parent's time where that lies ahead", () => {
  for (const [aheadMs, expected] of [
    [-50, 0],
    [3_000, 3_001],
  ] as const) {
    const parent = blockOn(genesisTip, { timeMs: wallStartMs + aheadMs });
    const hand = new Hand();
    hand.agreeOn(1, 0, parent);
    hand.hearCertificate(nullification(2, [1, 2, 3]));
    const enteredAtMs = hand.nowMs;
    hand.pass(heartbeatMs - 1);
    assert.equal(hand.votesOf('notarize', 3).length, 0);
    hand.pass(1);
    const [{ block } = { block: first }] = hand.sentOf('proposal');
    const nowMs = wallStartMs + enteredAtMs + heartbeatMs;
    assert.equal(block.header.timeMs, expected === 0 ? nowMs : Math.max(nowMs, parent.header.timeMs + 1));
  }
});

test('after a restart view and marks are restored, own votes are sent again and stand in the own tally', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const proposal = proposalOf(2, 0, first);
  hand.hearProposal(proposal, first);
  const again = new Hand({ records: hand.journal });
  assert.equal(again.view, 2);
  assert.deepEqual(again.votes, [{ type: 'notarize', proposal }]);
  again.hearVote(notarize(1, proposal));
  again.hearVote(notarize(3, proposal));
  assert.equal(again.view, 3, 'two votes of others and the own one');
});

test('after a restart a leader sends the same proposal again', () => {
  const hand = new Hand();
  // It leads view 3.
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(heartbeatMs);
  const [before] = hand.sentOf('proposal');
  const again = new Hand({ records: hand.journal, startMs: hand.nowMs + 5_000 });
  again.hearBatch(batchOf(1, 1));
  again.pass(deltaMs);
  assert.deepEqual(
    again.sentOf('proposal').map(({ block }) => block.digest),
    [before!.block.digest],
  );
});

test('what is restored can be restored again from the live records', () => {
  const hand = new Hand();
  hand.agreeOn(1, 0, first);
  const proposal = proposalOf(2, 1, blockOn(tipOf(first)));
  hand.hearProposal(proposal, blockOn(tipOf(first)));
  hand.hearBatch(batchOf(1, 1));
  const live = [...hand.replica.liveRecords()];
  const again = new Hand({ records: live });
  assert.deepEqual(
    [...again.replica.liveRecords()].map(({ type }) => type).sort(),
    live.map(({ type }) => type).sort(),
  );
  assert.equal(again.view, hand.view);
  assert.equal(again.replica.status().lastFinalizedView, 1);
});

test('after a restart a certification under way goes on', () => {
  const hand = new Hand();
  hand.hearCertificate(notarization(proposalOf(1, 0, first), [1, 2, 3]));
  const again = new Hand({ records: hand.journal });
  again.connectAll();
  again.pass(deltaMs);
  assert.ok(again.sentOf('request-block').length > 0);
  again.hear(1, { type: 'block', block: first });
  assert.equal(again.view, 2);
});
