/** protocol.md section 2: floors, and which batches a block may list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockBatchBytesMax, blockBatchesMax } from '../../model/block.ts';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import { batchOf, blockOn, genesisTip } from '../testing/hand.ts';
import { acknowledge, addToChain, createAuthorChain } from './author-chain.ts';
import { floorsAfter, isValidListing, listBatches, mayList } from './listing.ts';

const epoch = toEpoch(1);
const height = toHeight(1);
const floors = [0, 0, 0, 0];

function isValid(batches: readonly ReturnType<typeof batchOf>[], from: readonly number[] = floors): boolean {
  const block = blockOn(genesisTip, { batches });
  return isValidListing(block, from, epoch, ({ digest }) => batches.find((batch) => batch.digest === digest)!);
}

test('the floor of an author is the highest number its chain of blocks lists', () => {
  const block = blockOn(genesisTip, { batches: [batchOf(1, 1), batchOf(1, 2), batchOf(3, 1)] });
  assert.deepEqual(floorsAfter(floors, block), [0, 2, 0, 1]);
  assert.equal(floorsAfter(floors, blockOn(genesisTip)), floors, 'an empty block changes nothing');
});

test('numbers are listed without gaps, across blocks and within one', () => {
  assert.equal(isValid([batchOf(1, 1), batchOf(1, 2), batchOf(2, 1)]), true);
  assert.equal(isValid([batchOf(1, 2)]), false);
  assert.equal(isValid([batchOf(1, 2), batchOf(1, 1)]), false);
  assert.equal(isValid([batchOf(1, 1), batchOf(1, 1)]), false);
  assert.equal(isValid([batchOf(1, 3)], [0, 2, 0, 0]), true);
  assert.equal(isValid([batchOf(1, 2)], [0, 2, 0, 0]), false);
});

test("only the author's own `base` passes over numbers, and only up to itself", () => {
  assert.equal(isValid([batchOf(1, 5, { base: 5 })]), true);
  assert.equal(isValid([batchOf(1, 6, { base: 5 })]), false, 'number 5 lies between and is not below the base');
  assert.equal(isValid([batchOf(1, 5, { base: 5 }), batchOf(1, 6, { base: 5 })]), true);
});

test('a batch of another epoch, of no member of the set, or expired is not listed', () => {
  assert.equal(isValid([batchOf(1, 1, { epoch: 2 })]), false);
  assert.equal(isValid([batchOf(4, 1)]), false);
  assert.equal(mayList(batchOf(1, 1, { expiryHeight: 7 }).header, floors, epoch, toHeight(7)), true);
  assert.equal(mayList(batchOf(1, 1, { expiryHeight: 7 }).header, floors, epoch, toHeight(8)), false);
});

test('a reference that names another author or number than its batch is invalid', () => {
  const batch = batchOf(1, 1);
  const block = blockOn(genesisTip, { batches: [batchOf(2, 1)] });
  assert.equal(
    isValidListing(block, floors, epoch, () => batch),
    false,
  );
});

test('a block lists at most 4 MiB of batches', () => {
  const large = [1, 2, 3, 4, 5].map((seq) =>
    batchOf(1, seq, { sizeBytes: 900_000, previous: new Uint8Array(seq === 1 ? 0 : 32) }),
  );
  assert.equal(isValid(large.slice(0, 4)), true);
  assert.equal(isValid(large), false);
  const rest = blockBatchBytesMax - large.slice(0, 4).reduce((sum, batch) => sum + batch.sizeBytes, 0);
  const overhead = large[0]!.sizeBytes - 900_000;
  for (const [extra, verdict] of [
    [0, true],
    [1, false],
  ] as const) {
    const last = batchOf(2, 1, { sizeBytes: rest - overhead + extra });
    assert.equal(last.sizeBytes, rest + extra);
    assert.equal(isValid([...large.slice(0, 4), last]), verdict, `${extra} bytes over`);
  }
});

test('a leader lists no more bytes than a block may list', () => {
  const chain = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  let previous: Uint8Array = new Uint8Array(0);
  for (let seq = 1; seq <= 6; seq++) {
    const batch = batchOf(1, seq, { sizeBytes: 900_000, previous });
    addToChain(chain, batch, 0);
    previous = batch.digest;
  }
  assert.deepEqual(
    listBatches([chain], floors, epoch, height, 0).map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
});

function chainsWith(
  counts: readonly number[],
  acknowledgedBy: readonly number[],
  sinceMs = (author: number) => author,
) {
  return counts.map((count, author) => {
    const chain = createAuthorChain(toValidatorIndex(author), 4, 0, null);
    for (let seq = 1; seq <= count; seq++) {
      const batch = batchOf(author, seq);
      addToChain(chain, batch, sinceMs(author));
      for (const validator of acknowledgedBy) acknowledge(chain, toValidatorIndex(validator), seq, batch.digest);
    }
    return chain;
  });
}

test('a leader lists what a quorum acknowledged, taking turns over the authors, oldest first', () => {
  const chains = chainsWith([1, 3, 0, 2], [0, 1, 2], (author) => 10 - author);
  const listed = listBatches(chains, floors, epoch, height, 3).map(({ author, seq }) => `${author}/${seq}`);
  assert.deepEqual(listed, ['3/1', '1/1', '0/1', '3/2', '1/2', '1/3']);
  assert.deepEqual(listBatches(chainsWith([1, 1, 1, 1], [0, 1]), floors, epoch, height, 3), []);
});

test('a leader starts at the floors of the chain it builds on, and lists nothing beyond a gap', () => {
  const chains = chainsWith([0, 3, 0, 0], [0, 1, 2]);
  assert.deepEqual(
    listBatches(chains, [0, 2, 0, 0], epoch, height, 3).map(({ seq }) => seq),
    [3],
  );
  const gap = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  addToChain(gap, batchOf(1, 2), 0);
  assert.deepEqual(listBatches([gap], floors, epoch, height, 0), []);
});

test('a leader lists at most 64 batches', () => {
  const chains = chainsWith([30, 30, 30, 30], [0, 1, 2]);
  assert.equal(listBatches(chains, floors, epoch, height, 3).length, blockBatchesMax);
});

test('a leader passes over what has expired, and stops at what may not follow', () => {
  const chain = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  addToChain(chain, batchOf(1, 1, { expiryHeight: 5 }), 0);
  addToChain(chain, batchOf(1, 2, { base: 2 }), 0);
  const listedAt = (blockHeight: number) =>
    listBatches([chain], floors, epoch, toHeight(blockHeight), 0).map(({ seq }) => seq);
  assert.deepEqual(listedAt(5), [1, 2]);
  assert.deepEqual(listedAt(6), [2]);
  const blocked = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  addToChain(blocked, batchOf(1, 1, { expiryHeight: 5 }), 0);
  addToChain(blocked, batchOf(1, 2), 0);
  assert.deepEqual(listBatches([blocked], floors, epoch, toHeight(6), 0), []);
});

test('of batches equally old the lower author is listed first; floors of unknown authors stay unknown', () => {
  const chains = chainsWith([1, 1, 1, 1], [0, 1, 2], () => 7).toReversed();
  assert.deepEqual(
    listBatches(chains, floors, epoch, height, 3).map(({ author }) => author),
    [0, 1, 2, 3],
  );
  assert.deepEqual(floorsAfter([0, 5], blockOn(genesisTip, { batches: [batchOf(1, 3), batchOf(2, 1)] })), [0, 5]);
});

test('a number chosen far away costs no time', () => {
  const chain = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  const far = Number.MAX_SAFE_INTEGER - 1;
  addToChain(chain, batchOf(1, far, { base: far, previous: new Uint8Array(32) }), 0);
  assert.equal(chain.reach, far);
  assert.deepEqual(
    listBatches([chain], floors, epoch, height, 0).map(({ seq }) => seq),
    [far],
  );
});

test('a batch of an author that was caught is listed like any other once a quorum holds exactly it', () => {
  const chain = createAuthorChain(toValidatorIndex(1), 4, 0, null);
  const batch = batchOf(1, 1);
  addToChain(chain, batch, 0);
  chain.isEquivocating = true;
  for (const peer of [0, 2]) acknowledge(chain, toValidatorIndex(peer), 1, batch.digest);
  acknowledge(chain, toValidatorIndex(3), 1, batchOf(1, 1, { text: 'other' }).digest);
  assert.equal(listBatches([chain], floors, epoch, height, 3).length, 0);
  acknowledge(chain, toValidatorIndex(3), 1, batch.digest);
  assert.equal(listBatches([chain], floors, epoch, height, 3).length, 1);
});
