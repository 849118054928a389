/** What a peer can't make a replica do: fill its memory, its journal or its time (protocol.md R8 and section 6, level 0). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlock, decodeBlock, encodeBlock, evidenceBytesMax } from '../../model/block.ts';
import { toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import { certificatesPageMax } from '../../model/message.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  constants,
  finalization,
  genesisTip,
  Hand,
  notarization,
  notarize,
  nullification,
  nullify,
  outcomeOf,
  proposalOf,
  tipOf,
} from '../testing/hand.ts';
import { RequestBudget, requestBudget } from './request-budget.ts';

const first = blockOn(genesisTip);
const blocksHeld = (hand: Hand) => [...hand.replica.liveRecords()].filter(({ type }) => type === 'block').length;
const batchesHeld = (hand: Hand) => [...hand.replica.liveRecords()].filter(({ type }) => type === 'batch').length;

test('a leader that signs many proposals of one view has one block kept', () => {
  const hand = new Hand();
  const recordsBefore = hand.journal.length;
  for (let i = 0; i < 50; i++) {
    const block = blockOn(genesisTip, { timeMs: 1_000_000 + i });
    hand.hearProposal(proposalOf(1, 0, block), block);
  }
  assert.equal(blocksHeld(hand), 1);
  assert.equal(hand.journal.slice(recordsBefore).filter(({ type }) => type === 'block').length, 1);
});

test('further contradictions of a proven signer cost no check; each view still learns of two proposals of its leader', () => {
  const hand = new Hand();
  const votes = [0, 1, 2].map((i) => notarize(2, proposalOf(1, 0, blockOn(genesisTip, { timeMs: 1_000_000 + i }))));
  for (const vote of votes.slice(0, 2)) hand.hearVote(vote);
  assert.equal(hand.replica.status().proofsOfFault, 1);
  assert.equal(hand.replica.wants({ type: 'vote', vote: votes[2]!, entry: null }), false);
  const inLaterView = [0, 1].map((i) => notarize(2, proposalOf(5, 0, blockOn(genesisTip, { timeMs: 1_000_000 + i }))));
  hand.hearVote(inLaterView[0]!);
  assert.equal(hand.replica.wants({ type: 'vote', vote: inLaterView[1]!, entry: null }), true, '2 leads view 5');
});

test('blocks that lost are forgotten after a finalization, whatever height they claim', () => {
  const hand = new Hand();
  const strange = blockOn(genesisTip, { height: 2 ** 50 });
  hand.hearProposal(proposalOf(1, 0, strange), strange);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.equal(blocksHeld(hand), 1);
  hand.agreeOn(2, 0, first);
  hand.certify(first);
  const second = blockOn(tipOf(first));
  hand.agreeOn(3, 2, second);
  assert.deepEqual(
    [...hand.replica.liveRecords()].flatMap((record) => (record.type === 'block' ? [record.block.header.height] : [])),
    [2],
  );
});

test('a batch held only for a block that lost is forgotten with it', () => {
  const hand = new Hand();
  hand.connectAll();
  const far = batchOf(1, 2 ** 40, { base: 1, expiryHeight: 2 ** 50, previous: new Uint8Array(32) });
  const block = blockOn(genesisTip, { batches: [far] });
  hand.hearProposal(proposalOf(1, 0, block), block);
  hand.hearBatch(far, 2);
  assert.equal(batchesHeld(hand), 1, 'the proposal lists it');
  assert.equal(hand.replica.status().pendingBatches, 0);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  let parent = first;
  for (let view = 2; view < 6; view++) {
    hand.agreeOn(view, view === 2 ? 0 : view - 1, parent);
    hand.certify(parent);
    parent = blockOn(tipOf(parent));
  }
  assert.equal(batchesHeld(hand), 0);
});

test('a batch that no rule wants any more is judged by the limits again', () => {
  const hand = new Hand();
  hand.connectAll();
  const far = batchOf(1, 2 ** 40, { base: 1, previous: new Uint8Array(32) });
  const block = blockOn(genesisTip, { batches: [far] });
  hand.hearProposal(proposalOf(1, 0, block), block);
  assert.equal(hand.replica.wants({ type: 'batch', batch: far }), true);
  hand.hearCertificate(nullification(1, [1, 2, 3]));
  assert.equal(hand.replica.wants({ type: 'batch', batch: far }), false);
  hand.hearBatch(far, 2);
  assert.equal(batchesHeld(hand), 0);
});

test('a leader that lists more bytes than a block may is refused before the rest is fetched', () => {
  const hand = new Hand();
  hand.connectAll();
  const batches = [1, 2, 3, 4, 5, 6].map((seq) =>
    batchOf(1, seq, { sizeBytes: 900_000, ...(seq > 1 && { previous: new Uint8Array(32).fill(seq) }) }),
  );
  for (const batch of batches.slice(0, 5)) hand.hearBatch(batch);
  const block = blockOn(genesisTip, { batches });
  hand.hearProposal(proposalOf(1, 0, block), block);
  assert.equal(hand.votesOf('nullify', 1).length, 1);
  assert.equal(hand.sentOf('request-batch').length, 0);
});

test('of a message only the part that says something new is checked', () => {
  const hand = new Hand();
  hand.connectAll();
  hand.hearVote(nullify(1, 2));
  const entry = nullification(1, [1, 2, 3]);
  const vote = { type: 'vote', vote: nullify(1, 2), entry } as const;
  assert.equal(hand.replica.wantedPart(vote), vote, 'a known vote with an entry certificate that is lacking here');
  hand.hearCertificate(entry);
  assert.equal(hand.replica.wantedPart(vote), null);
  const other = { type: 'vote', vote: nullify(3, 2), entry } as const;
  assert.deepEqual(hand.replica.wantedPart(other), { ...other, entry: null });

  const { statement } = outcomeOf(first);
  hand.hear(1, { type: 'checkpoint-signatures', signatures: [checkpointOf(1, statement)] });
  const rows = [1, 2, 3].map((signer) => checkpointOf(signer, statement));
  const part = hand.replica.wantedPart({ type: 'checkpoint-signatures', signatures: rows });
  assert.deepEqual(part, { type: 'checkpoint-signatures', signatures: rows.slice(1) });
});

test('R5: the entry certificate that comes with a repeated nullify lets a node follow', () => {
  const hand = new Hand();
  hand.hearVote(nullify(1, 2));
  hand.hearVote(nullify(1, 2), nullification(1, [1, 2, 3]));
  assert.equal(hand.view, 2);
});

test('a page that does not continue the chain here, or is more than can wait, costs no check', () => {
  const hand = new Hand({ holdExecution: true });
  const stray = blockOn({ ...genesisTip, digest: first.digest });
  const chainOf = (block: typeof first) =>
    ({ type: 'chain', blocks: [block], finalization: finalization(proposalOf(1, 0, block), [1, 2, 3]) }) as const;
  assert.equal(hand.replica.wants(chainOf(stray)), false);
  assert.equal(hand.replica.wants(chainOf(first)), true);
  let parent = first;
  hand.hear(1, chainOf(first));
  for (let i = 0; i < 1_000; i++) {
    const block = blockOn(tipOf(parent));
    hand.hear(1, chainOf(block));
    parent = block;
  }
  assert.ok(hand.replica.status().finalizedHeight < 300);
});

test('requests beyond the budget of a peer are not answered until a Delta has passed', () => {
  const hand = new Hand();
  for (let view = 1; view <= certificatesPageMax; view++) hand.hearCertificate(nullification(view, [1, 2, 3]));
  hand.pass(constants.deltaMs);
  hand.forgetSent();
  const ask = (from: number) =>
    hand.hear(from, {
      type: 'request-certificates',
      epoch: hand.set.epoch,
      from: toView(1),
      to: toView(certificatesPageMax),
    });
  for (let i = 0; i < 1_000; i++) ask(3);
  const answers = () => hand.sentOf('certificate').filter(({ peers }) => peers.includes(3 as never)).length;
  assert.equal(answers(), requestBudget);
  ask(2);
  assert.ok(
    hand.sentOf('certificate').some(({ peers }) => peers.includes(2 as never)),
    'another peer has its own',
  );
  hand.pass(constants.deltaMs);
  ask(3);
  assert.equal(answers(), requestBudget + certificatesPageMax);
});

test('a request budget counts by cost, and starts anew after its window', () => {
  const budget = new RequestBudget(100);
  const peer = toValidatorIndex(1);
  const page = { type: 'request-chain', from: toHeight(1) } as const;
  let admitted = 0;
  while (budget.admits(peer, page, 5)) admitted++;
  assert.equal(admitted, requestBudget / 16);
  assert.equal(budget.admits(peer, page, 104), false);
  assert.equal(budget.admits(peer, page, 105), true);
  assert.equal(
    budget.admits(peer, { type: 'certificate', certificate: notarization(proposalOf(1, 0, first), [1]) }, 6),
    true,
  );
});

test('a proof of fault in a block has a limit', () => {
  const withEvidence = (sizeBytes: number) =>
    decodeBlock(encodeBlock(createBlock(first.header, [], [new Uint8Array(sizeBytes)])));
  assert.equal(withEvidence(evidenceBytesMax).ok, true);
  assert.equal(withEvidence(evidenceBytesMax + 1).ok, false);
});

test('a restart brings no batch back that was held for a lost block alone', () => {
  const hand = new Hand();
  hand.connectAll();
  const far = batchOf(1, 2 ** 40, { base: 1, previous: new Uint8Array(32) });
  const block = blockOn(genesisTip, { batches: [far] });
  hand.hearProposal(proposalOf(1, 0, block), block);
  hand.hearBatch(far, 2);
  hand.hearBatch(batchOf(2, 1), 2);
  const again = new Hand({ records: hand.journal });
  assert.equal(batchesHeld(again), 1);
  assert.equal(again.replica.status().pendingBatches, 1);
});
