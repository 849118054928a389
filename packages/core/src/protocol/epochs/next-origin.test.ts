/** What one epoch hands on to the next one: protocol.md section 5. Self is 0 of four; height 2 ends the epoch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toValidatorIndex } from '../../model/brands.ts';
import { createEpochTarget } from '../../model/epoch-target.ts';
import type { Validator } from '../../model/validator-set.ts';
import {
  batchOf,
  blockOn,
  constants,
  genesisTip,
  Hand,
  type HandOptions,
  outcomeOf,
  tipOf,
  validatorsOf,
} from '../testing/hand.ts';

const lag = { ...constants, checkpointLag: 1 };
const same = createEpochTarget(validatorsOf(4), 1);
const [v0, , v2, v3, v4] = validatorsOf(5) as [Validator, Validator, Validator, Validator, Validator];
/** v001 leaves, v004 joins, and v002 has another voting key. */
const wanted = createEpochTarget([v0, { ...v2, votingKey: new Uint8Array(32).fill(9) }, v3, v4], 1);
const batch = batchOf(0, 1, { text: 'listed' });
const first = blockOn(genesisTip, { batches: [] });
const boundary = blockOn(tipOf(first), { checkpoint: outcomeOf(first).statement, nextSet: wanted.digest });

function begin(options: HandOptions = {}): Hand {
  const hand = new Hand({
    targetAfter: (height) => (height >= 1 ? wanted : same),
    ...options,
    origin: { constants: lag, ...options.origin },
  });
  hand.connectAll();
  return hand;
}

function ended(hand = begin()): Hand {
  hand.agreeOn(1, 0, first);
  hand.certify(first);
  hand.agreeOn(2, 1, boundary);
  return hand;
}

test('there is none before the boundary is executed', () => {
  const hand = begin({ holdExecution: true });
  hand.agreeOn(1, 0, first);
  assert.equal(hand.replica.nextOrigin(), null);
  hand.execute();
  hand.certify(first);
  hand.agreeOn(2, 1, boundary);
  assert.equal(hand.replica.nextOrigin(), null, 'final, and not executed yet');
  hand.execute();
  assert.equal(hand.replica.nextOrigin()?.set.epoch, 2);
});

test('the boundary is the genesis of the set that the ledger wanted; views, floors and finalizations begin anew', () => {
  const origin = ended().replica.nextOrigin()!;
  const { digest, header } = boundary;
  assert.deepEqual(origin.set.validators, wanted.validators);
  assert.deepEqual(origin.set.genesis, { digest, height: header.height, timeMs: header.timeMs });
  assert.deepEqual(origin.executed, { ...origin.set.genesis, isBoundary: false });
  assert.deepEqual([origin.set.epoch, origin.set.quorum, origin.set.rules], [2, 3, 1]);
  assert.deepEqual(origin.floors, new Array(4).fill({ seq: 0, digest: null }));
  assert.equal(origin.finalization, null);
  assert.deepEqual([origin.certifiedHeight, origin.outcomes.length], [1, 3]);
});

test('it knows the set before, and whether a quorum of it has signed the boundary', () => {
  const hand = ended();
  const { previous } = hand.replica.nextOrigin()!;
  assert.deepEqual([previous?.set.epoch, previous?.isCertified], [1, false]);
  hand.certify(boundary);
  assert.equal(hand.replica.nextOrigin()!.previous?.isCertified, true);
});

test('a replica that starts from it is in view 1 of the next epoch, and follows the block before', () => {
  const origin = ended().replica.nextOrigin()!;
  const next = new Hand({ origin });
  const { epoch, view, executedHeight, maySign } = next.replica.status();
  assert.deepEqual([epoch, view, executedHeight, maySign], [2, 1, 2, true]);
});

test('who has not heard from a quorum goes on waiting for one in the next epoch', () => {
  assert.equal(ended().replica.nextOrigin()!.awaitsQuorum, false);
  assert.equal(ended(begin({ origin: { awaitsQuorum: true } })).replica.nextOrigin()!.awaitsQuorum, true);
});

test('who is accused or suspended stays so where it has the same id and voting key, at the place it has there', () => {
  const places = [1, 2, 3].map(toValidatorIndex);
  const { replica } = ended(begin({ origin: { accused: places, suspended: places } }));
  const origin = replica.nextOrigin()!;
  // Of v001, which leaves, v002, which has another key, and v003, which was at 3 and is at 2.
  assert.deepEqual([origin.accused, origin.suspended], [[2], [2]]);
});

// --- What is in no block ---------------------------------------------------------------------------------------------

const textOf = (transaction: Uint8Array) => new TextDecoder().decode(transaction);
const transaction = (text: string) => new TextEncoder().encode(text);

test('own batches that no block lists are left over, and what was handed in and not sealed', () => {
  const hand = begin({
    records: [batch, batchOf(0, 2, { previous: batch.digest, text: 'unlisted' })].map((each) => ({
      type: 'batch',
      batch: each,
    })),
  });
  hand.hearBatch(batchOf(1, 1, { text: "another one's" }));
  const listing = blockOn(genesisTip, { batches: [batch] });
  const last = blockOn(tipOf(listing), { checkpoint: outcomeOf(listing).statement, nextSet: wanted.digest });
  hand.agreeOn(1, 0, listing);
  hand.certify(listing);
  hand.agreeOn(2, 1, last);
  hand.replica.stopSigning();
  hand.input({ type: 'transactions', transactions: [transaction('waiting')] });
  assert.deepEqual(hand.replica.leftovers().map(textOf), ['unlisted', 'waiting']);
  assert.deepEqual(
    hand.replica.unlisted().map(({ header }) => header.seq),
    [2],
  );
  assert.equal(hand.replica.nextOrigin()!.previous?.ownFloor, 1);
});

test('who is no validator seals nothing, and what it was handed in is left over', () => {
  const hand = begin({ self: 4 });
  hand.input({ type: 'transactions', transactions: [transaction('waiting')] });
  hand.pass(10_000);
  assert.deepEqual(hand.sentOf('batch'), []);
  assert.deepEqual(hand.replica.leftovers().map(textOf), ['waiting']);
  const { previous } = ended(hand).replica.nextOrigin()!;
  assert.equal(previous?.ownFloor, 0);
});

test('a batch that is signed when its epoch is over waits to be sealed again', () => {
  const origin = ended().replica.nextOrigin()!;
  const next = new Hand({ origin });
  next.replica.stopSigning();
  next.input({ type: 'own-batch', batch: batchOf(0, 3, { text: 'late', previous: batch.digest }) });
  assert.deepEqual(next.replica.leftovers().map(textOf), ['late']);
});
