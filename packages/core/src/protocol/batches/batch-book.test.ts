/** protocol.md section 2: sealing, receiving, acknowledging, relaying and forgetting batches. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Batch, signBatch } from '../../model/batch.ts';
import { toHash, toHeight, toValidatorIndex } from '../../model/brands.ts';
import { acknowledgeAfterMs, sealAfterMs, sealBytes, sealTransactions, unorderedBatchesMax } from '../constants.ts';
import { batchOf, blockOn, constants, createBench, genesisTip } from '../testing/hand.ts';
import { BatchBook } from './batch-book.ts';

const noFloors = [0, 1, 2, 3].map(() => ({ seq: 0, digest: null }));
const floors = [0, 0, 0, 0];
const retryMs = 4 * constants.deltaMs;

function createBook() {
  const bench = createBench(4);
  const book = new BatchBook(bench.context, noFloors);
  const emitted = <T extends string>(type: T) => bench.effects.filter((effect) => effect.type === type);
  return {
    ...bench,
    bench,
    book,
    sealed: () => bench.effects.flatMap((effect) => (effect.type === 'seal' ? [effect.batch] : [])),
    sentBatches: () =>
      bench.effects.flatMap((effect) =>
        effect.type === 'send' && effect.message.type === 'batch'
          ? [{ to: effect.to, seq: effect.message.batch.header.seq }]
          : [],
      ),
    vectors: () =>
      bench.effects.flatMap((effect) =>
        effect.type === 'send' && effect.message.type === 'acknowledgement' ? [effect.message.rows] : [],
      ),
    persisted: () => emitted('persist').length,
    /** Performs the last seal. */
    keepSealed: (): Batch => {
      const last = bench.effects.findLast((effect) => effect.type === 'seal');
      const batch = signBatch(last!.type === 'seal' ? last!.batch : (null as never), new Uint8Array(64));
      book.onOwnBatch(batch);
      return batch;
    },
  };
}

const transactions = (count: number, sizeBytes = 10): Uint8Array[] =>
  Array.from({ length: count }, () => new Uint8Array(sizeBytes));

// --- Sealing ----------------------------------------------------------------------------------------------------------

test('a batch is sealed 10 ms after its first transaction', () => {
  const { book, at, sealed } = createBook();
  book.own.addTransactions(transactions(1));
  at(sealAfterMs - 1);
  book.own.sealDue();
  assert.equal(sealed().length, 0);
  assert.equal(book.deadline(), sealAfterMs);
  at(sealAfterMs);
  book.own.sealDue();
  assert.equal(sealed().length, 1);
});

test('a batch is sealed at once when it is full by count or by size, and holds no more than that', () => {
  const byCount = createBook();
  byCount.book.own.addTransactions(transactions(sealTransactions + 1));
  byCount.book.own.sealDue();
  assert.equal(byCount.sealed()[0]!.transactions.length, sealTransactions);
  const bySize = createBook();
  bySize.book.own.addTransactions(transactions(9, sealBytes / 8));
  bySize.book.own.sealDue();
  assert.equal(bySize.sealed()[0]!.transactions.length, 8);
});

test('what waits for a batch is counted in bytes, and waits from when the first of it came', () => {
  const { book, at, sealed } = createBook();
  book.own.addTransactions(transactions(2, 100));
  at(5);
  book.own.addTransactions(transactions(1, 50));
  assert.equal(book.own.waitingBytes, 250);
  assert.equal(book.deadline(), sealAfterMs);
  at(sealAfterMs);
  book.own.sealDue();
  assert.deepEqual([sealed().length, book.own.waitingBytes], [1, 0]);
  book.own.addTransactions(transactions(1, 30));
  assert.equal(book.own.waitingBytes, 30);
  assert.equal(book.deadline(), Number.POSITIVE_INFINITY, 'a seal is under way');
});

test('a transaction larger than a batch is sealed alone', () => {
  const { book, sealed } = createBook();
  book.own.addTransactions([new Uint8Array(sealBytes + 1), ...transactions(1)]);
  book.own.sealDue();
  assert.equal(sealed()[0]!.transactions.length, 1);
  assert.equal(book.own.waitingBytes, 10);
});

test('a batch is sealed later, up to 100 ms, the more own batches wait to be ordered', () => {
  const { book, at, sealed, keepSealed } = createBook();
  let ms = 0;
  const delays: number[] = [];
  for (let i = 0; i < 12; i++) {
    book.own.addTransactions(transactions(1));
    const started = ms;
    while (sealed().length === i) {
      at(++ms);
      book.own.sealDue();
    }
    delays.push(ms - started);
    keepSealed();
  }
  assert.deepEqual(delays, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100, 100]);
});

test('own numbers go on from what is executed', () => {
  const bench = createBench(4);
  const digest = batchOf(0, 7).digest;
  const book = new BatchBook(bench.context, [{ seq: 7, digest }, ...noFloors.slice(1)]);
  book.own.addTransactions(transactions(sealTransactions));
  book.own.sealDue();
  const [effect] = bench.effects;
  assert.ok(effect?.type === 'seal');
  assert.deepEqual([effect.batch.header.seq, effect.batch.header.previous], [8, digest]);
});

test('own numbers run from 1 without gaps, each linked to the one before; one seal is under way at a time', () => {
  const { book, at, sealed, keepSealed } = createBook();
  book.own.addTransactions(transactions(2 * sealTransactions));
  book.own.sealDue();
  book.own.sealDue();
  assert.equal(sealed().length, 1);
  const first = keepSealed();
  at(20);
  book.own.sealDue();
  const second = sealed()[1]!;
  assert.deepEqual([first.header.seq, first.header.previous.length], [1, 0]);
  assert.deepEqual([second.header.seq, second.header.previous], [2, first.digest]);
});

test('nothing is sealed while 64 own batches are not ordered, and sealing goes on when there is room', () => {
  const { book, sealed, keepSealed } = createBook();
  const batches: Batch[] = [];
  for (let seq = 1; seq <= unorderedBatchesMax; seq++) {
    book.own.addTransactions(transactions(sealTransactions));
    book.own.sealDue();
    batches.push(keepSealed());
  }
  book.own.addTransactions(transactions(sealTransactions));
  book.own.sealDue();
  assert.equal(sealed().length, unorderedBatchesMax);
  assert.equal(book.deadline() > 1e9 || book.deadline() <= acknowledgeAfterMs, true, 'no tick is asked for to seal');
  book.onFinalized(blockOn(genesisTip, { batches: [batches[0]!] }));
  book.own.sealDue();
  assert.equal(sealed().length, unorderedBatchesMax + 1);
});

test('own expired batches are sealed again, above a new base', () => {
  const { bench, book, at, sealed, keepSealed } = createBook();
  book.own.addTransactions(transactions(1));
  at(10);
  book.own.sealDue();
  const first = keepSealed();
  bench.finalizedHeight = first.header.expiryHeight;
  book.onFinalized(blockOn({ ...genesisTip, height: toHeight(first.header.expiryHeight - 1) }));
  at(30);
  book.own.sealDue();
  const again = sealed()[1]!;
  assert.deepEqual([again.header.seq, again.header.base], [2, 2]);
  assert.deepEqual(again.transactions, first.transactions);
  assert.equal(book.has(first.digest), false);
});

/** A book whose first own batch has expired and is sealed again, as number 2. */
function sealAgain() {
  const parts = createBook();
  const { bench, book, at, keepSealed } = parts;
  book.own.addTransactions(transactions(1));
  at(10);
  book.own.sealDue();
  const first = keepSealed();
  bench.finalizedHeight = first.header.expiryHeight;
  book.onFinalized(blockOn({ ...genesisTip, height: toHeight(first.header.expiryHeight - 1) }));
  at(30);
  book.own.sealDue();
  return { ...parts, first, second: keepSealed() };
}

test('an own batch that was sealed again is not taken back from a peer', () => {
  const { book, first, second } = sealAgain();
  assert.equal(book.wants(first, false), false);
  assert.equal(book.receive(first, false), 'dropped');
  assert.deepEqual([...book.held()], [second]);
});

test('an own batch that was sealed again is not held again after a restart; what it alone held is sealed then', () => {
  const { first, second } = sealAgain();
  const sealedAfterRestart = (below: Batch): number => {
    const { book, at, sealed } = createBook();
    for (const batch of [below, second]) book.restore(batch);
    book.start();
    assert.deepEqual([...book.held()], [second]);
    at(200);
    book.own.sealDue();
    return sealed().length;
  };
  assert.equal(sealedAfterRestart(first), 0);
  assert.equal(sealedAfterRestart(batchOf(0, 1)), 1);
});

test('own batches of the journal are not numbered again', () => {
  const { book, at, sealed } = createBook();
  for (const seq of [1, 2]) book.restore(batchOf(0, seq));
  book.own.addTransactions(transactions(1));
  at(200);
  book.own.sealDue();
  assert.deepEqual([sealed()[0]!.header.seq, sealed()[0]!.header.previous], [3, batchOf(0, 2).digest]);
});

// --- Receiving --------------------------------------------------------------------------------------------------------

test('a received batch is durable before it is acknowledged', () => {
  const { book, effects, vectors } = createBook();
  assert.equal(book.receive(batchOf(1, 1), false), 'stored');
  book.acknowledgeDue(false);
  assert.deepEqual(
    effects.map(({ type }) => type),
    ['persist', 'send'],
  );
  assert.deepEqual(vectors()[0], [{ author: 1, seq: 1, digest: batchOf(1, 1).digest }]);
  assert.equal(book.receive(batchOf(1, 1), false), 'known');
});

test('the first batch of a number stands; a second one is evidence, and kept only when a block lists it', () => {
  const { book, proofs } = createBook();
  const other = batchOf(1, 1, { text: 'other' });
  book.receive(batchOf(1, 1), false);
  assert.equal(book.receive(other, false), 'dropped');
  assert.equal(book.receive(batchOf(1, 1, { text: 'third' }), false), 'dropped');
  assert.deepEqual(
    proofs.map(({ type, accused }) => [type, accused]),
    [['batches', 1]],
  );
  assert.equal(book.receive(other, true), 'stored');
  assert.ok(book.has(other.digest) && book.has(batchOf(1, 1).digest));
});

test('batches of an equivocating author are not pending', () => {
  const { book } = createBook();
  book.receive(batchOf(1, 1), false);
  book.acknowledgeDue(false);
  assert.equal(book.pending(floors, toHeight(1)).batches.length, 1);
  book.receive(batchOf(1, 1, { text: 'other' }), false);
  assert.equal(book.pending(floors, toHeight(1)).batches.length, 0);
});

test('another epoch, an unknown author, a passed floor or an absurd expiry is dropped', () => {
  const { bench, book } = createBook();
  assert.equal(book.receive(batchOf(1, 1, { epoch: 2 }), false), 'dropped');
  assert.equal(book.receive(batchOf(4, 1), false), 'dropped');
  assert.equal(book.receive(batchOf(1, 1, { expiryHeight: 1_000_000 }), false), 'dropped');
  book.onFinalized(blockOn(genesisTip, { batches: [batchOf(2, 1)] }));
  assert.equal(book.receive(batchOf(2, 1), false), 'dropped');
  bench.finalizedHeight = 11;
  assert.equal(book.receive(batchOf(3, 1, { expiryHeight: 10 }), false), 'dropped');
  assert.equal(book.receive(batchOf(2, 1), true), 'stored', 'unless a block that is followed lists it');
});

test('of one author at most 64 batches are kept beyond what follows next', () => {
  const { book } = createBook();
  for (let seq = 2; seq <= 200; seq++) book.receive(batchOf(1, seq, { previous: new Uint8Array(32) }), false);
  assert.equal(book.chains[1]!.held.size, unorderedBatchesMax);
  assert.equal(book.receive(batchOf(1, 1), false), 'stored', 'what the chain needs next still finds room');
});

test('a batch far above the floor is dropped, unless its base says that it follows', () => {
  const { book } = createBook();
  const far = 4 * unorderedBatchesMax;
  const receive = (seq: number, base = 1) =>
    book.receive(batchOf(1, seq, { base, previous: new Uint8Array(32) }), false);
  assert.equal(receive(far + 1), 'dropped');
  assert.equal(receive(far), 'stored');
  assert.equal(receive(far + 2, far + 2), 'stored');
});

test('whether a batch is of use is known before its signature is checked', () => {
  const { book } = createBook();
  const held = batchOf(1, 1);
  assert.equal(book.wants(held, false), true);
  book.receive(held, false);
  assert.equal(book.wants(held, false), false, 'held');
  const other = batchOf(1, 1, { text: 'other' });
  assert.equal(book.wants(other, false), true, 'it proves a fault');
  book.receive(other, false);
  assert.equal(book.wants(batchOf(1, 1, { text: 'third' }), false), false, 'proven already');
  assert.equal(book.wants(batchOf(1, 1, { text: 'third' }), true), true, 'a block lists it');
  assert.equal(book.wants(batchOf(2, 1, { epoch: 2 }), true), false);
  assert.equal(book.wants(batchOf(4, 1), true), false);
});

test('a batch held for a block alone goes with the block; what is ordered stays until it is executed', () => {
  const { book } = createBook();
  const own = batchOf(1, 1);
  const [listed, unlisted, ordered] = ['b', 'c', 'd'].map((text) => batchOf(1, 1, { text })) as [Batch, Batch, Batch];
  book.receive(own, false);
  for (const batch of [listed, unlisted, ordered]) book.receive(batch, true);
  const block = blockOn(genesisTip, { batches: [ordered] });
  book.onFinalized(block);
  book.retain([blockOn(genesisTip, { batches: [listed] })]);
  const isHeld = (): boolean[] => [own, listed, unlisted, ordered].map(({ digest }) => book.has(digest));
  assert.deepEqual(isHeld(), [false, true, false, true]);
  assert.equal(book.heldBytesOf(blockOn(genesisTip, { batches: [listed, unlisted] })), listed.sizeBytes);
  book.retire(block);
  book.retain([]);
  assert.deepEqual(isHeld(), [false, false, false, false]);
  assert.throws(() => book.require(own.digest), /listed batches are held/);
});

// --- Acknowledging ----------------------------------------------------------------------------------------------------

test('acknowledgements are cumulative without gaps, with digests, for all authors', () => {
  const { book, vectors } = createBook();
  for (const [author, seq] of [
    [1, 2],
    [1, 1],
    [2, 1],
    [3, 2],
  ] as const)
    book.receive(batchOf(author, seq), false);
  book.acknowledgeDue(false);
  assert.deepEqual(
    vectors()[0]!.map(({ author, seq }) => [author, seq]),
    [
      [1, 2],
      [2, 1],
    ],
  );
  assert.deepEqual(vectors()[0]![0]!.digest, batchOf(1, 2).digest);
});

test('an acknowledgement leaves at once when none was sent lately, else it is coalesced', () => {
  const { book, at, vectors } = createBook();
  at(100);
  book.receive(batchOf(1, 1), false);
  book.acknowledgeDue(true);
  assert.equal(vectors().length, 1);
  at(101);
  book.receive(batchOf(1, 2), false);
  book.receive(batchOf(2, 1), false);
  book.acknowledgeDue(true);
  assert.equal(vectors().length, 1);
  assert.equal(book.deadline(), 100 + acknowledgeAfterMs);
  at(100 + acknowledgeAfterMs);
  book.acknowledgeDue(true);
  assert.equal(vectors().length, 2);
  assert.equal(vectors()[1]!.length, 2);
});

test('the vector is sent again every tRetry while not idle', () => {
  const { book, at, vectors } = createBook();
  book.receive(batchOf(1, 1), false);
  book.acknowledgeDue(false);
  at(retryMs);
  book.acknowledgeDue(true);
  assert.equal(vectors().length, 1);
  book.acknowledgeDue(false);
  assert.equal(vectors().length, 2);
});

test("the own acknowledgement counts towards the leader's quorum like another's", () => {
  const { book } = createBook();
  const batch = batchOf(1, 1);
  book.receive(batch, false);
  const rows = [{ author: toValidatorIndex(1), seq: 1, digest: batch.digest }];
  for (const peer of [1, 2]) book.onAcknowledgement(toValidatorIndex(peer), rows);
  assert.equal(book.list(floors, toHeight(1)).length, 0);
  book.acknowledgeDue(false);
  assert.equal(book.list(floors, toHeight(1)).length, 1);
});

test('acknowledgements of an unknown author or digest are ignored', () => {
  const { book } = createBook();
  book.receive(batchOf(1, 1), false);
  book.onAcknowledgement(toValidatorIndex(2), [
    { author: toValidatorIndex(200), seq: 1, digest: toHash(new Uint8Array(32)) },
    { author: toValidatorIndex(1), seq: 1, digest: toHash(new Uint8Array(32)) },
  ]);
  assert.deepEqual(book.chains[1]!.acknowledged, [0, 0, 0, 0]);
});

test('what was restored is acknowledged, and so pending, again without waiting for news', () => {
  const { book, vectors } = createBook();
  book.restore(batchOf(1, 1));
  book.start();
  book.acknowledgeDue(true);
  assert.equal(vectors().length, 1);
  assert.equal(book.pending(floors, toHeight(1)).batches.length, 1);
});

// --- Pending and relaying ---------------------------------------------------------------------------------------------

test('pending: acknowledged here, above the floors of the chain, not expired on it', () => {
  const { book, at } = createBook();
  at(7);
  const first = batchOf(1, 1, { expiryHeight: 50 });
  for (const batch of [first, batchOf(1, 2, { expiryHeight: 50, previous: first.digest })]) book.receive(batch, false);
  assert.equal(book.pending(floors, toHeight(1)).batches.length, 0, 'not acknowledged yet');
  at(9);
  book.acknowledgeDue(false);
  assert.deepEqual(book.pending(floors, toHeight(1)).sinceMs, 9);
  assert.equal(book.pending([0, 1, 0, 0], toHeight(1)).batches.length, 1);
  assert.equal(book.pending(floors, toHeight(51)).batches.length, 0);
});

test('a batch pending for Delta is sent to whoever does not cover it, and again every tRetry', () => {
  const { book, at, sentBatches } = createBook();
  const batch = batchOf(1, 1);
  book.receive(batch, false);
  book.acknowledgeDue(false);
  const pending = () => book.pending(floors, toHeight(1));
  book.onAcknowledgement(toValidatorIndex(2), [{ author: toValidatorIndex(1), seq: 1, digest: batch.digest }]);
  at(constants.deltaMs - 1);
  book.relayDue(pending());
  assert.equal(sentBatches().length, 0);
  assert.equal(book.relayDeadline(pending()), constants.deltaMs);
  at(constants.deltaMs);
  book.relayDue(pending());
  assert.deepEqual(sentBatches(), [{ to: [1, 3], seq: 1 }]);
  at(constants.deltaMs + retryMs - 1);
  book.relayDue(pending());
  assert.equal(sentBatches().length, 1);
  at(constants.deltaMs + retryMs);
  book.relayDue(pending());
  assert.equal(sentBatches().length, 2);
});

test('on connecting, a peer is sent what it is not known to hold', () => {
  const { book, sentBatches } = createBook();
  for (const seq of [1, 2]) book.receive(batchOf(1, seq), false);
  book.acknowledgeDue(false);
  book.onAcknowledgement(toValidatorIndex(3), [{ author: toValidatorIndex(1), seq: 1, digest: batchOf(1, 1).digest }]);
  book.relayTo(toValidatorIndex(3), book.pending(floors, toHeight(1)));
  assert.deepEqual(sentBatches(), [{ to: [3], seq: 2 }]);
});

test('a fenced node seals, acknowledges and relays nothing', () => {
  const { context, book, at, effects } = createBook();
  book.receive(batchOf(1, 1), false);
  book.acknowledgeDue(false);
  book.own.addTransactions(transactions(1));
  context.maySign = false;
  effects.length = 0;
  at(10_000);
  book.own.sealDue();
  book.acknowledgeDue(false);
  book.relayDue(book.pending(floors, toHeight(1)));
  assert.equal(effects.length, 0);
});

// --- Forgetting -------------------------------------------------------------------------------------------------------

test('an ordered batch is held until it is executed; an unlisted one below the floor is dropped', () => {
  const { book } = createBook();
  for (const seq of [1, 2]) book.receive(batchOf(1, seq), false);
  const block = blockOn(genesisTip, { batches: [batchOf(1, 3, { base: 3 })] });
  book.receive(batchOf(1, 3, { base: 3 }), true);
  book.onFinalized(block);
  assert.equal(book.has(batchOf(1, 1).digest), false);
  assert.equal(book.has(block.batches[0]!.digest), true);
  book.retire(block);
  assert.deepEqual([...book.held()], []);
});

test('an unlisted batch is dropped once the finalized height reaches its expiry', () => {
  const { book } = createBook();
  book.receive(batchOf(1, 1, { expiryHeight: 32 }), false);
  book.onFinalized(blockOn({ ...genesisTip, height: toHeight(15) }));
  assert.equal(book.has(batchOf(1, 1, { expiryHeight: 32 }).digest), true);
  book.onFinalized(blockOn({ ...genesisTip, height: toHeight(31) }));
  assert.deepEqual([...book.held()], []);
});

test('a batch that was being signed while those before it expired is sealed again above the new base', () => {
  const { book, at, sealed, keepSealed } = createBook();
  book.own.addTransactions(transactions(1));
  at(sealAfterMs);
  book.own.sealDue();
  const expired = keepSealed();
  book.own.addTransactions(transactions(1));
  at(100);
  book.own.sealDue();
  book.onFinalized(blockOn({ ...genesisTip, height: toHeight(expired.header.expiryHeight) }));
  keepSealed();
  at(300);
  book.own.sealDue();
  const last = sealed().at(-1)!;
  assert.equal(last.header.base, 3);
  assert.equal(last.transactions.length, 2, 'those of both');
});
