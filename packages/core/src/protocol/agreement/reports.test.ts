/** What agreement reports and writes to its journal, for each of its causes (effects.ts). Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toValidatorIndex } from '../../model/brands.ts';
import { certificatesPageMax } from '../../model/message.ts';
import {
  batchOf,
  blockOn,
  constants,
  finalization,
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

const { deltaMs, heartbeatMs } = constants;
const first = blockOn(genesisTip);
const proposal = proposalOf(1, 0, first);

const reasonsOf = (hand: Hand): string[] =>
  hand.facts.flatMap((fact) => (fact.type === 'nullified' ? [`${fact.view} ${fact.reason}`] : []));
const entriesOf = (hand: Hand): string[] =>
  hand.facts.flatMap((fact) => (fact.type === 'entered-view' ? [`${fact.view} ${fact.by}`] : []));
const certifiedOf = (hand: Hand): string[] =>
  hand.journal.flatMap((record) => (record.type === 'certified' ? [`${record.view} ${record.isOk}`] : []));

test('the start is an entry into a view, in the one where the journal ends after a restart', () => {
  const hand = new Hand();
  assert.deepEqual(entriesOf(hand), ['1 start']);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.deepEqual(entriesOf(new Hand({ records: hand.journal })), ['2 start']);
});

test('every entry names the certificate that let the replica enter', () => {
  const hand = new Hand();
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  const block = blockOn(genesisTip, { timeMs: wallStartMs + 1 });
  const second = proposalOf(2, 0, block);
  hand.hearProposal(second, block);
  hand.hearCertificate(notarization(second, [1, 2, 3]));
  hand.hearCertificate(finalization(proposalOf(5, 2, blockOn(tipOf(block))), [1, 2, 3]));
  assert.deepEqual(entriesOf(hand), ['1 start', '2 nullification', '3 notarization', '6 finalization']);
});

test('a leader that says nothing is late; a proposal that nobody certifies is late too', () => {
  const silent = new Hand();
  silent.pass(heartbeatMs + 2 * deltaMs);
  assert.deepEqual(reasonsOf(silent), ['1 leader-late']);
  const slow = new Hand();
  slow.hearProposal(proposal, first);
  slow.pass(3 * deltaMs);
  assert.deepEqual(reasonsOf(slow), ['1 certification-late']);
});

test('a leader that nullifies its own view is followed', () => {
  const hand = new Hand();
  hand.hearVote(nullify(2, 1));
  assert.deepEqual(reasonsOf(hand), ['1 leader-nullified']);
});

test('an invalid proposal, and a notarization that is rejected, are nullified for what they are', () => {
  const invalid = new Hand();
  const loose = blockOn({ ...genesisTip, digest: first.digest });
  invalid.hearProposal(proposalOf(1, 0, loose), loose);
  assert.deepEqual(reasonsOf(invalid), ['1 invalid-proposal']);
  const rejected = new Hand();
  rejected.hearCertificate(notarization(proposalOf(1, 0, loose), [1, 2, 3]));
  rejected.hear(2, { type: 'block', block: loose });
  assert.deepEqual([reasonsOf(rejected), certifiedOf(rejected)], [['1 rejected-notarization'], ['1 false']]);
});

test('the view of a suspended leader is skipped when it is entered, and no longer once the hint is taken back', () => {
  const hint = (isSuspended: boolean) => ({
    type: 'leader-hint' as const,
    validator: toValidatorIndex(3),
    isSuspended,
  });
  const hand = new Hand();
  hand.input(hint(true));
  assert.deepEqual(hand.replica.status().suspended, [3]);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.deepEqual(reasonsOf(hand), ['2 leader-suspended']);
  const forgiven = new Hand();
  forgiven.input(hint(true));
  forgiven.input(hint(false));
  assert.deepEqual(forgiven.replica.status().suspended, []);
  forgiven.hearCertificate(nullification(1, [1, 2, 3]));
  assert.deepEqual(reasonsOf(forgiven), []);
});

test('a view is certified once, durably, and finalized once', () => {
  const hand = new Hand();
  hand.hearProposal(proposal, first);
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.hearCertificate(notarization(proposal, [1, 2, 3]));
  hand.pass(deltaMs);
  assert.deepEqual(certifiedOf(hand), ['1 true']);
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  hand.hearCertificate(finalization(proposal, [1, 2, 3]));
  const finalized = hand.facts.flatMap((fact) => (fact.type === 'finalized' ? [[fact.view, fact.digest]] : []));
  assert.deepEqual(finalized, [[1, first.digest]]);
  const certificates = hand.journal.flatMap((record) =>
    record.type === 'certificate' ? [record.certificate.vote.type] : [],
  );
  assert.deepEqual(certificates, ['notarize', 'finalize']);
});

test('in a calm view nothing is nullified, nothing is asked for and no certificate is sent to who voted for it', () => {
  const hand = new Hand();
  hand.connectAll();
  const batch = batchOf(1, 1);
  hand.hearBatch(batch);
  hand.forgetSent();
  const block = blockOn(genesisTip, { batches: [batch] });
  const calm = proposalOf(1, 0, block);
  hand.hearProposal(calm, block);
  hand.pass(2);
  for (const signer of [1, 3]) hand.hearVote(notarize(signer, calm));
  assert.equal(hand.view, 2);
  assert.deepEqual(reasonsOf(hand), []);
  assert.ok(hand.sent.every(({ message }) => !message.type.startsWith('request-')));
  assert.deepEqual(
    hand.sentOf('certificate').map(({ peers }) => peers),
    [[3]],
    'whose vote came last',
  );
  assert.deepEqual(
    hand.votes.map(({ type }) => type),
    ['notarize', 'finalize'],
  );
});

test('nullifications that a proposal needs are asked of its leader: a page of them, and again after Delta only', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.hearCertificate(nullification(600, [1, 2, 3]));
  hand.forgetSent();
  // The leader of view 601 is 2.
  hand.hearProposal(proposalOf(601, 0, first), first);
  const asked = () => hand.sentOf('request-certificates').map(({ peers, from, to }) => [peers, from, to]);
  assert.deepEqual(asked(), [[[2], 1, certificatesPageMax]]);
  hand.pass(deltaMs - 1);
  assert.equal(asked().length, 1);
  hand.pass(1);
  assert.equal(asked().length, 2);
});
