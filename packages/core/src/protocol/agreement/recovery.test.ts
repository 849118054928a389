/** protocol.md section 3, "Recovery", and what a peer is sent when it connects. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toValidatorIndex } from '../../model/brands.ts';
import type { JournalRecord } from '../effects.ts';
import {
  blockOn,
  constants,
  finalization,
  genesisOutcome,
  genesisTip,
  Hand,
  notarization,
  nullification,
  outcomeOf,
  proposalOf,
  tipOf,
  wallStartMs,
} from '../testing/hand.ts';

const { heartbeatMs } = constants;
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
