/** protocol.md section 6, "Proof of fault". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '../../bytes/cbor.ts';
import { decodeShape } from '../../bytes/shape.ts';
import { evidenceBytesMax } from '../../model/block.ts';
import { toEpoch, toValidatorIndex } from '../../model/brands.ts';
import { type FaultProof, faultProofToCbor, readFaultProof } from '../../model/fault-proof.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  finalize,
  genesisOutcome,
  genesisTip,
  Hand,
  notarize,
  nullify,
  proposalOf,
  wallStartMs,
} from '../testing/hand.ts';
import { areConflictingVotes, provesFault } from './evidence.ts';

const first = proposalOf(5, 4, blockOn(genesisTip));
const second = proposalOf(5, 4, blockOn(genesisTip, { timeMs: wallStartMs + 1 }));
const otherParent = { ...first, parentView: 3 as never };

for (const [name, a, b] of [
  ["Notarize(P), Notarize(P')", notarize(1, first), notarize(1, second)],
  ["Finalize(P), Finalize(P')", finalize(1, first), finalize(1, second)],
  ['Nullify, Finalize', nullify(1, 5), finalize(1, first)],
  ["Notarize(P), Finalize(P')", notarize(1, first), finalize(1, second)],
  ['one block on two parents', notarize(1, first), notarize(1, otherParent)],
] as const) {
  test(`${name} of one validator in one view prove a fault, in either order`, () => {
    assert.equal(areConflictingVotes(a, b), true);
    assert.equal(areConflictingVotes(b, a), true);
  });
}

for (const [name, a, b] of [
  ['Notarize with Nullify', notarize(1, first), nullify(1, 5)],
  ['Notarize and Finalize of one proposal', notarize(1, first), finalize(1, first)],
  ['the same vote twice', finalize(1, first), finalize(1, first)],
  ['two nullifies', nullify(1, 5), nullify(1, 5)],
  ['votes of different views', nullify(1, 4), finalize(1, first)],
  ['votes of different validators', notarize(1, first), notarize(2, second)],
  ['votes of different epochs', notarize(1, first), notarize(1, { ...second, epoch: toEpoch(2) })],
] as const) {
  test(`${name} prove nothing`, () => {
    assert.equal(areConflictingVotes(a, b), false);
    assert.equal(areConflictingVotes(b, a), false);
  });
}

test('every kind of proof survives its encoding', () => {
  const accused = toValidatorIndex(1);
  const proofs: FaultProof[] = [
    { type: 'votes', accused, first: notarize(1, first), second: finalize(1, second) },
    { type: 'batches', accused, first: batchOf(1, 1), second: batchOf(1, 1, { text: 'other' }) },
    {
      type: 'checkpoints',
      accused,
      first: checkpointOf(1, genesisOutcome().statement),
      second: checkpointOf(1, { ...genesisOutcome().statement, historySize: 3 }),
    },
  ];
  for (const proof of proofs) {
    const bytes = encodeCbor(faultProofToCbor(proof));
    const decoded = decodeShape('test', bytes, readFaultProof);
    assert.ok(decoded.ok);
    assert.deepEqual(encodeCbor(faultProofToCbor(decoded.value)), bytes);
    assert.ok(provesFault(decoded.value));
    assert.ok(bytes.length <= evidenceBytesMax);
  }
});

test('a proof is found whichever vote comes first, kept once for each accused and kind, and survives a restart', () => {
  const hand = new Hand();
  const one = proposalOf(1, 0, blockOn(genesisTip));
  hand.hearVote(finalize(3, one));
  hand.hearVote(nullify(3, 1));
  hand.hearVote(notarize(3, proposalOf(1, 0, blockOn(genesisTip, { timeMs: wallStartMs + 9 }))));
  assert.deepEqual(
    [...hand.replica.proofs()].map(({ type, accused }) => [type, accused]),
    [['votes', 3]],
  );
  const again = new Hand({ records: hand.journal });
  assert.equal(again.replica.status().proofsOfFault, 1);
});

for (const [name, proof] of [
  [
    'two votes of another validator',
    { type: 'votes', accused: 2, first: notarize(1, first), second: notarize(1, second) },
  ],
  ['one vote twice', { type: 'votes', accused: 1, first: notarize(1, first), second: notarize(1, first) }],
  ['batches with two numbers', { type: 'batches', accused: 1, first: batchOf(1, 1), second: batchOf(1, 2) }],
  ['one batch twice', { type: 'batches', accused: 1, first: batchOf(1, 1), second: batchOf(1, 1) }],
  ['checkpoints of two rounds', checkpointsOf({ round: 1, historySize: 3 })],
  ['one checkpoint twice', checkpointsOf({})],
] as const) {
  test(`${name} are no proof`, () => {
    assert.equal(provesFault(proof as FaultProof), false);
  });
}

function checkpointsOf(changes: { readonly round?: number; readonly historySize?: number }) {
  const { statement } = genesisOutcome();
  return {
    type: 'checkpoints',
    accused: 1,
    first: checkpointOf(1, statement),
    second: checkpointOf(1, { ...statement, ...changes }),
  };
}

test('a proof is told to everybody once, and to whoever connects', () => {
  const hand = new Hand();
  hand.hearBatch(batchOf(1, 1));
  for (const text of ['other', 'third']) hand.hearBatch(batchOf(1, 1, { text }));
  assert.deepEqual(
    hand.sentOf('evidence').map(({ peers }) => peers),
    ['all'],
  );
  hand.forgetSent();
  hand.connectAll();
  assert.equal(hand.sentOf('evidence').length, 3);
});

test("a node that is told of an author's fault no longer waits for that author's batches, and tells others", () => {
  const hand = new Hand();
  hand.hearBatch(batchOf(1, 1));
  hand.pass(50);
  assert.equal(hand.replica.status().isIdle, false);
  const proof: FaultProof = {
    type: 'batches',
    accused: toValidatorIndex(1),
    first: batchOf(1, 1),
    second: batchOf(1, 1, { text: 'other' }),
  };
  hand.hear(2, { type: 'evidence', proof });
  assert.equal(hand.replica.agreement.pending().sinceMs, null);
  assert.equal(hand.sentOf('evidence').length, 1);
  assert.equal(hand.replica.wants({ type: 'evidence', proof }), false, 'one proof of a kind is enough');
});
