/** protocol.md section 6, "Proof of fault": both parts are the accused's own, of one place, and contradict each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  finalize,
  genesisOutcome,
  genesisTip,
  notarize,
  proposalOf,
} from '../testing/hand.ts';
import { provesFault } from './evidence.ts';

const accused = toValidatorIndex(1);
const [a, b] = [0, 1].map((i) => proposalOf(5, 4, blockOn(genesisTip, { timeMs: 1_000_000 + i }))) as [
  ReturnType<typeof proposalOf>,
  ReturnType<typeof proposalOf>,
];

test('votes prove a fault of who signed both', () => {
  const first = notarize(1, a);
  assert.equal(provesFault({ type: 'votes', accused, first, second: finalize(1, b) }), true);
  assert.equal(provesFault({ type: 'votes', accused, first: notarize(2, a), second: notarize(2, b) }), false);
  assert.equal(provesFault({ type: 'votes', accused, first, second: notarize(2, b) }), false);
  assert.equal(provesFault({ type: 'votes', accused, first, second: notarize(1, a) }), false);
});

test('batches prove a fault of their author, where they have one number of one epoch', () => {
  const first = batchOf(1, 4);
  const proves = (second: ReturnType<typeof batchOf>, by = first): boolean =>
    provesFault({ type: 'batches', accused, first: by, second });
  assert.equal(proves(batchOf(1, 4, { text: 'other' })), true);
  assert.equal(proves(batchOf(1, 4)), false, 'the same one');
  assert.equal(proves(batchOf(1, 5, { text: 'other' })), false, 'another number');
  assert.equal(proves(batchOf(1, 4, { text: 'other', epoch: 2 })), false, 'another epoch');
  assert.equal(proves(batchOf(2, 4, { text: 'other' })), false, 'another author');
  assert.equal(proves(batchOf(1, 4), batchOf(2, 4)), false);
  assert.equal(proves(batchOf(2, 4, { text: 'other' }), batchOf(2, 4)), false, 'both of another author');
});

test('checkpoints prove a fault of who signed both, for one height and round of one ledger', () => {
  const statement = { ...genesisOutcome().statement, height: toHeight(3) };
  const lie = { ...statement, historySize: 99 };
  const proves = (second: typeof statement, signers: readonly [number, number] = [1, 1]): boolean =>
    provesFault({
      type: 'checkpoints',
      accused,
      first: checkpointOf(signers[0], statement),
      second: checkpointOf(signers[1], second),
    });
  assert.equal(proves(lie), true);
  assert.equal(proves(statement), false, 'the same one');
  assert.equal(proves({ ...lie, height: toHeight(4) }), false, 'another height');
  assert.equal(proves({ ...lie, round: 1 }), false, 'another round');
  assert.equal(proves({ ...lie, ledgerHash: lie.stateRoot }), false, 'another ledger');
  assert.equal(proves({ ...statement, epoch: toEpoch(2) }), true, 'another epoch of one height is another statement');
  for (const signers of [
    [2, 1],
    [1, 2],
    [2, 2],
  ] as const)
    assert.equal(proves(lie, signers), false, signers.join());
});
