/** protocol.md section 2: one author's batches, acknowledgements along their chain of digests, and floors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHeight, toValidatorIndex } from '../../model/brands.ts';
import { batchOf } from '../testing/hand.ts';
import {
  type AuthorChain,
  acknowledge,
  acknowledgeOwn,
  addToChain,
  advanceFloor,
  countAcknowledged,
  createAuthorChain,
  dropExpired,
  dropSealedAgain,
  heldInOrder,
  reachDigest,
  whoLacks,
} from './author-chain.ts';

const [v0, v1, v2] = [0, 1, 2].map(toValidatorIndex) as [never, never, never];

function chainOf(...seqs: readonly number[]): AuthorChain {
  const chain = createAuthorChain(v1, 4, 0, null);
  for (const seq of seqs) addToChain(chain, batchOf(1, seq), seq);
  return chain;
}

test('the reach goes as far as numbers follow without gaps, whatever the order of arrival', () => {
  assert.equal(chainOf(1, 2, 4).reach, 2);
  assert.equal(chainOf(3, 2, 1).reach, 3);
  assert.equal(chainOf(2, 3).reach, 0);
});

test('a batch that does not link to the one before it does not extend the reach', () => {
  const chain = chainOf(1);
  addToChain(chain, batchOf(1, 2, { previous: batchOf(2, 1).digest }), 0);
  assert.equal(chain.reach, 1);
});

test('a batch with base = its number extends the reach over what is missing', () => {
  const chain = chainOf(1);
  addToChain(chain, batchOf(1, 6, { base: 5, previous: new Uint8Array(32) }), 0);
  assert.equal(chain.reach, 1, 'its base does not pass over 5');
  addToChain(chain, batchOf(1, 5, { base: 5, previous: new Uint8Array(32) }), 0);
  assert.equal(chain.reach, 5);
});

test('held batches come by ascending number', () => {
  assert.deepEqual(
    heldInOrder(chainOf(3, 1, 2)).map(({ batch }) => batch.header.seq),
    [1, 2, 3],
  );
});

test('an acknowledgement counts for all numbers up to its own, if its digest is on this chain', () => {
  const chain = chainOf(1, 2, 3);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  acknowledge(chain, v2, 2, batchOf(1, 2, { text: 'another branch' }).digest);
  assert.deepEqual(
    [1, 2, 3].map((seq) => countAcknowledged(chain, seq)),
    [1, 1, 0],
  );
});

test('an acknowledgement that can not be judged yet waits, and the earlier one stands meanwhile', () => {
  const chain = chainOf(1);
  acknowledge(chain, v0, 1, batchOf(1, 1).digest);
  acknowledge(chain, v0, 3, batchOf(1, 3).digest);
  assert.equal(countAcknowledged(chain, 1), 1);
  addToChain(chain, batchOf(1, 2), 0);
  assert.equal(countAcknowledged(chain, 2), 0);
  addToChain(chain, batchOf(1, 3), 0);
  assert.equal(countAcknowledged(chain, 3), 1);
});

test('an acknowledgement at or below the floor, or of another digest, says nothing', () => {
  const chain = chainOf(1, 2, 3);
  advanceFloor(chain, 2, batchOf(1, 2).digest);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  acknowledge(chain, v2, 3, batchOf(2, 3).digest);
  assert.deepEqual([chain.acknowledged[0], chain.acknowledged[2], chain.unjudged.size], [0, 0, 0]);
});

test('one that waits is forgotten once a later one is judged, and stands while only an earlier one is', () => {
  const chain = chainOf(1, 2);
  acknowledge(chain, v0, 5, batchOf(1, 5).digest);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  assert.deepEqual([chain.acknowledged[0], chain.unjudged.size], [2, 1]);
  for (const seq of [3, 4, 5]) addToChain(chain, batchOf(1, seq), 0);
  assert.deepEqual([chain.acknowledged[0], chain.unjudged.size], [5, 0]);
});

test('who lacks a batch are all whose acknowledgements end below it', () => {
  const chain = chainOf(1, 2);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  acknowledge(chain, v2, 1, batchOf(1, 1).digest);
  assert.deepEqual([whoLacks(chain, 1), whoLacks(chain, 2), countAcknowledged(chain, 1)], [[1, 3], [1, 2, 3], 2]);
});

test('of several batches that pass over what is missing, the lowest continues the reach', () => {
  const chain = createAuthorChain(v1, 4, 0, null);
  const far = (seq: number) => batchOf(1, seq, { base: seq, previous: new Uint8Array(32) });
  chain.held.set(9, { batch: far(9), sinceMs: 0, isCovered: false, relayedAtMs: null });
  chain.held.set(5, { batch: far(5), sinceMs: 0, isCovered: false, relayedAtMs: null });
  addToChain(chain, batchOf(1, 6, { previous: far(5).digest }), 0);
  assert.equal(chain.reach, 9);
  const stopped = createAuthorChain(v1, 4, 0, null);
  stopped.held.set(5, { batch: far(5), sinceMs: 0, isCovered: false, relayedAtMs: null });
  addToChain(stopped, batchOf(1, 7), 0);
  assert.equal(stopped.reach, 5);
});

test('batches below a new base are forgotten; what no later one holds of them is left over', () => {
  const chain = createAuthorChain(v1, 4, 0, null);
  for (const batch of [
    batchOf(1, 1, { text: 'a' }),
    batchOf(1, 2, { text: 'b' }),
    batchOf(1, 3, { base: 3, text: 'b' }),
  ])
    addToChain(chain, batch, 0);
  assert.deepEqual(dropSealedAgain(chain, 1), { dropped: [], left: [] });
  const { dropped, left } = dropSealedAgain(chain, 3);
  assert.deepEqual(
    dropped.map(({ header }) => header.seq),
    [1, 2],
  );
  assert.deepEqual(left, [new TextEncoder().encode('a')]);
  assert.deepEqual([...chain.held.keys()], [3]);
  assert.equal(chain.heldBytes, chain.held.get(3)!.batch.sizeBytes);
});

test('a floor that does not rise changes nothing', () => {
  const chain = chainOf(1, 2);
  advanceFloor(chain, 1, batchOf(1, 1).digest);
  assert.deepEqual(advanceFloor(chain, 1, batchOf(2, 1).digest), []);
  assert.deepEqual([chain.floor, chain.floorDigest, chain.reach], [1, batchOf(1, 1).digest, 2]);
});

test('an acknowledgement never goes back', () => {
  const chain = chainOf(1, 2);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  acknowledge(chain, v0, 1, batchOf(1, 1).digest);
  assert.equal(countAcknowledged(chain, 2), 1);
});

test('a batch is pending from the first own acknowledgement that covers it, and that moment is never reset', () => {
  const chain = chainOf(2);
  assert.equal(acknowledgeOwn(chain, v0, 50), false);
  addToChain(chain, batchOf(1, 1), 60);
  assert.equal(acknowledgeOwn(chain, v0, 70), true);
  assert.deepEqual(
    heldInOrder(chain).map(({ sinceMs }) => sinceMs),
    [70, 70],
  );
  addToChain(chain, batchOf(1, 3), 80);
  acknowledgeOwn(chain, v0, 90);
  assert.deepEqual(
    heldInOrder(chain).map(({ sinceMs }) => sinceMs),
    [70, 70, 90],
  );
});

test('a floor drops what it passes, counts no bytes of it, and lets the rest follow', () => {
  const chain = chainOf(2, 3);
  const dropped = advanceFloor(chain, 1, batchOf(1, 1).digest);
  assert.deepEqual([dropped.length, chain.reach], [0, 3], 'the finalized one was missing here');
  assert.deepEqual(
    advanceFloor(chain, 2, batchOf(1, 2).digest).map(({ header }) => header.seq),
    [2],
  );
  assert.equal(chain.heldBytes, batchOf(1, 3).sizeBytes);
  assert.deepEqual(advanceFloor(chain, 1, batchOf(1, 1).digest), [], 'it never moves back');
  assert.equal(chain.floor, 2);
});

test('a floor on the other branch of an equivocating author forgets the own branch and its acknowledgements', () => {
  const chain = chainOf(1, 2);
  acknowledge(chain, v0, 2, batchOf(1, 2).digest);
  const other = batchOf(1, 1, { text: 'other' });
  advanceFloor(chain, 1, other.digest);
  assert.deepEqual([chain.reach, countAcknowledged(chain, 2), chain.held.size], [1, 0, 0]);
  addToChain(chain, batchOf(1, 2, { previous: other.digest }), 0);
  assert.equal(chain.reach, 2);
});

test('what expired is dropped, and a batch with a new base goes on from there', () => {
  const chain = createAuthorChain(v1, 4, 0, null);
  addToChain(chain, batchOf(1, 1, { expiryHeight: 5 }), 0);
  assert.equal(dropExpired(chain, toHeight(4)).length, 0);
  assert.equal(dropExpired(chain, toHeight(5)).length, 1);
  assert.equal(reachDigest(chain), null, 'nothing to acknowledge');
  addToChain(chain, batchOf(1, 2, { base: 2 }), 0);
  assert.equal(chain.reach, 2);
});
