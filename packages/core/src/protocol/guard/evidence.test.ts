/** protocol.md section 6, "Proof of fault". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '../../bytes/cbor.ts';
import { decodeShape } from '../../bytes/shape.ts';
import { toEpoch, toValidatorIndex } from '../../model/brands.ts';
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
import { areConflictingVotes, type FaultProof, faultProofToCbor, readFaultProof } from './evidence.ts';

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
