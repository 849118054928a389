/** Proofs of fault in blocks, and what follows from them (protocol.md section 6). Four validators; this one is 0. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toValidatorIndex } from '../../model/brands.ts';
import { encodeFaultProof, type FaultProof } from '../../model/fault-proof.ts';
import { viewOfVote } from '../../model/vote.ts';
import {
  blockOn,
  constants,
  finalize,
  genesisTip,
  Hand,
  nullification,
  nullify,
  proposalOf,
  signed,
  tipOf,
} from '../testing/hand.ts';

const retryMs = 4 * constants.deltaMs;

/** A validator that has signed both: finalize and nullify, in a view nobody else cares for. */
function proofAgainst(accused: number, view = 900): FaultProof {
  const first = finalize(accused, proposalOf(view, 0, blockOn(genesisTip)));
  return { type: 'votes', accused: toValidatorIndex(accused), first, second: nullify(accused, view) };
}

const evidence = (...accused: number[]) => accused.map((validator) => encodeFaultProof(proofAgainst(validator)));

function proposalsOf(hand: Hand) {
  return hand.sentOf('proposal').map(({ block }) => block);
}

/** `notarize 4`, and so on. */
function votesOf(hand: Hand): string[] {
  return hand.votes.map((vote) => `${vote.type} ${viewOfVote(vote)}`);
}

/** In view 3, which this node leads. */
function leading(origin: ConstructorParameters<typeof Hand>[0] = {}): Hand {
  const hand = new Hand(origin);
  for (const view of [1, 2]) hand.hearCertificate(nullification(view, [1, 2, 3]));
  assert.equal(hand.view, 3);
  return hand;
}

test('a leader puts the proofs it holds into its next block, ascending, and does not wait for anything else', () => {
  const hand = leading();
  for (const accused of [3, 1]) hand.hear(2, { type: 'evidence', proof: proofAgainst(accused) });
  hand.pass(50);
  assert.deepEqual(
    proposalsOf(hand).map((block) => block.evidence),
    [evidence(3)],
    'at once, with the first one it hears of',
  );
});

test('of several proofs against one validator a block carries one', () => {
  const hand = new Hand();
  const second = blockOn(genesisTip, { timeMs: 5 });
  const checkpoints = proofAgainst(1, 901);
  hand.hear(2, { type: 'evidence', proof: checkpoints });
  hand.hear(2, {
    type: 'evidence',
    proof: {
      type: 'votes',
      accused: toValidatorIndex(3),
      first: signed(3, { type: 'notarize', proposal: proposalOf(7, 0, second) }),
      second: signed(3, { type: 'notarize', proposal: proposalOf(7, 0, blockOn(genesisTip)) }),
    },
  });
  for (const view of [1, 2]) hand.hearCertificate(nullification(view, [1, 2, 3]));
  hand.pass(50);
  assert.deepEqual(
    proposalsOf(hand).map((block) => block.evidence.length),
    [2],
  );
});

test('a proven fault on the chain is handed to the ledger once, and not listed again, also after a restart', () => {
  const hand = new Hand();
  const block = blockOn(genesisTip, { evidence: evidence(1, 3) });
  hand.agreeOn(1, 0, block);
  assert.deepEqual(hand.misbehaviour, [
    { accused: 1, kind: 'votes' },
    { accused: 3, kind: 'votes' },
  ]);
  hand.hear(2, { type: 'evidence', proof: proofAgainst(1) });
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.pass(constants.heartbeatMs + 100);
  assert.deepEqual(
    proposalsOf(hand).map(({ evidence }) => evidence.length),
    [0],
    'only the empty block of an idle chain',
  );

  const later = leading({ origin: { accused: [toValidatorIndex(1)] } });
  later.hear(2, { type: 'evidence', proof: proofAgainst(1) });
  later.pass(50);
  assert.deepEqual(proposalsOf(later), []);
});

test('a validator notarizes a block whose proofs hold', () => {
  const hand = new Hand();
  const block = blockOn(genesisTip, { evidence: evidence(1, 2) });
  hand.hearProposal(proposalOf(1, 0, block), block);
  assert.deepEqual(votesOf(hand), ['notarize 1']);
});

const wrongEvidence: Readonly<Record<string, readonly Uint8Array[]>> = {
  'bytes that are no proof': [Uint8Array.of(0x80)],
  'a proof that proves nothing': [
    encodeFaultProof({ ...proofAgainst(1), second: proofAgainst(1).first } as FaultProof),
  ],
  'a proof whose signature does not hold': [
    encodeFaultProof({
      ...proofAgainst(1),
      second: { ...nullify(1, 900), signature: new Uint8Array(64).fill(1) },
    } as FaultProof),
  ],
  'a proof of what another validator signed': [
    encodeFaultProof({ ...proofAgainst(1), accused: toValidatorIndex(2) } as FaultProof),
  ],
  'a proof against nobody': evidence(4),
  'proofs out of order': evidence(3, 1),
  'one validator twice': evidence(1, 1),
};
for (const [what, wrong] of Object.entries(wrongEvidence)) {
  test(`a validator nullifies a view whose block carries ${what}`, () => {
    const hand = new Hand();
    const block = blockOn(genesisTip, { evidence: wrong });
    hand.hearProposal(proposalOf(1, 0, block), block);
    assert.deepEqual(votesOf(hand), ['nullify 1']);
  });
}

test('a validator nullifies a view whose block accuses somebody whom the chain accuses already', () => {
  const hand = new Hand();
  const before = blockOn(genesisTip, { evidence: evidence(1) });
  hand.agreeOn(1, 0, before);
  const again = blockOn(tipOf(before), { evidence: evidence(1) });
  hand.hearProposal(proposalOf(2, 1, again), again);
  assert.ok(votesOf(hand).includes('nullify 2'));
  assert.ok(!votesOf(hand).includes('notarize 2'));
});

test('what a certified block says though it proves nothing is not handed to the ledger', () => {
  // Only more than f Byzantine validators get such a block certified.
  const hand = new Hand();
  hand.agreeOn(1, 0, blockOn(genesisTip, { evidence: [Uint8Array.of(0x80), ...evidence(1)] }));
  assert.equal(hand.delivered.length, 1);
  assert.deepEqual(hand.misbehaviour, []);
});

test('R1: the views of a suspended leader are nullified on entering, and no longer once it is cleared', () => {
  const hand = new Hand({ origin: { suspended: [toValidatorIndex(1)] } });
  const skipped = (view: number) => votesOf(hand).includes(`nullify ${view}`);
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  assert.ok(skipped(4), 'validator 1 leads view 4');
  hand.input({ type: 'leader-hint', validator: toValidatorIndex(1), isSuspended: false });
  hand.input({ type: 'leader-hint', validator: toValidatorIndex(2), isSuspended: true });
  hand.hearCertificate(nullification(7, [1, 2, 3]));
  assert.ok(!skipped(8));
  hand.hearCertificate(nullification(8, [1, 2, 3]));
  assert.ok(skipped(9));
  assert.deepEqual(hand.replica.status().suspended, [2]);
});

test('R1: with a quorum suspended nobody is skipped, so that somebody leads', () => {
  const suspended = [1, 2].map(toValidatorIndex);
  const hand = new Hand({ origin: { suspended } });
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  assert.ok(votesOf(hand).includes('nullify 4'), 'two of four are fewer than a quorum');
  hand.input({ type: 'leader-hint', validator: toValidatorIndex(3), isSuspended: true });
  for (const view of [4, 5]) hand.hearCertificate(nullification(view, [1, 2, 3]));
  assert.equal(hand.view, 6);
  assert.ok(!votesOf(hand).includes('nullify 6'), 'validator 3 leads view 6');
  hand.hearCertificate(nullification(7, [1, 2, 3]));
  assert.ok(!votesOf(hand).includes('nullify 8'), 'validator 1 leads view 8');
});

test('a proof is told to everybody again every tRetry until the finalized chain carries it', () => {
  const hand = new Hand();
  hand.hear(2, { type: 'evidence', proof: proofAgainst(1) });
  hand.pass(3 * retryMs + 50);
  const told = hand.sentOf('evidence').length;
  assert.equal(told, 4);
  const block = blockOn(genesisTip, { evidence: evidence(1) });
  hand.agreeOn(hand.view, 0, block);
  hand.pass(3 * retryMs);
  assert.equal(hand.sentOf('evidence').length, told);
});
