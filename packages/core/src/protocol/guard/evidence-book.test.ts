/** protocol.md section 6: proofs of fault are persisted, told to everybody, and listed until a chain carries them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockEvidenceMax } from '../../model/block.ts';
import { toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';
import { decodeFaultProof, encodeFaultProof, type FaultProof } from '../../model/fault-proof.ts';
import { retryMs } from '../constants.ts';
import { batchOf, blockOn, constants, createBench, genesisTip, notarize, proposalOf } from '../testing/hand.ts';
import { EvidenceBook } from './evidence-book.ts';

const pauseMs = retryMs(constants);
const nobody: ReadonlySet<ValidatorIndex> = new Set();
const [a, b] = [0, 1].map((i) => proposalOf(5, 4, blockOn(genesisTip, { timeMs: 1_000_000 + i }))) as [
  ReturnType<typeof proposalOf>,
  ReturnType<typeof proposalOf>,
];

function votesOf(accused: number): FaultProof {
  return {
    type: 'votes',
    accused: toValidatorIndex(accused),
    first: notarize(accused, a),
    second: notarize(accused, b),
  };
}

function batchesOf(accused: number): FaultProof {
  return {
    type: 'batches',
    accused: toValidatorIndex(accused),
    first: batchOf(accused, 1),
    second: batchOf(accused, 1, { text: 'other' }),
  };
}

function create(validatorsCount = 30) {
  const bench = createBench(validatorsCount);
  const book = new EvidenceBook(bench.context);
  const told = () =>
    bench.effects
      .splice(0)
      .flatMap((effect) =>
        effect.type === 'send' && effect.message.type === 'evidence'
          ? [`${effect.message.proof.type} ${effect.message.proof.accused} to ${effect.to}`]
          : [],
      );
  return { ...bench, book, told };
}

test('a proof is persisted, told to everybody and reported, once for each validator and kind', () => {
  const { book, effects } = create();
  assert.equal(book.add(votesOf(3), votesOf(3).accused), true);
  assert.deepEqual(
    effects.map((effect) => (effect.type === 'report' ? effect.fact : effect.type)),
    ['persist', 'send', { type: 'fault-proven', accused: 3, kind: 'votes' }],
  );
  effects.length = 0;
  assert.equal(book.add(votesOf(3), votesOf(3).accused), false);
  assert.deepEqual(effects, []);
  assert.equal(book.add(batchesOf(3), batchesOf(3).accused), true, 'of another kind');
  assert.equal(book.add(votesOf(4), votesOf(4).accused), true, 'of another validator');
  assert.equal(book.count, 3);
  assert.deepEqual([book.has(toValidatorIndex(3), 'votes'), book.has(toValidatorIndex(4), 'batches')], [true, false]);
});

test('what is held of a proof does not keep batches and frames alive that it was found in', () => {
  const { book } = create();
  book.add(batchesOf(3), batchesOf(3).accused);
  book.restore(votesOf(4), votesOf(4).accused);
  const [batches, votes] = [...book.proofs()];
  assert.ok(batches?.type === 'batches' && !('transactions' in batches.first) && !('transactions' in batches.second));
  assert.ok(votes?.type === 'votes');
  for (const { signature } of [batches.first, batches.second, votes.first, votes.second])
    assert.ok(signature.buffer.byteLength < 2048);
});

test('a proof from the journal is held, and not told at once', () => {
  const { book, effects } = create();
  book.restore(votesOf(3), votesOf(3).accused);
  assert.deepEqual([effects.length, [...book.proofs()]], [0, [votesOf(3)]]);
});

test('who connects is told all of them', () => {
  const { book, told } = create();
  book.add(votesOf(3), votesOf(3).accused);
  book.add(batchesOf(2), batchesOf(2).accused);
  assert.deepEqual(told(), ['votes 3 to all', 'batches 2 to all']);
  book.onConnected(toValidatorIndex(1));
  assert.deepEqual(told(), ['votes 3 to 1', 'batches 2 to 1']);
});

test('a leader lists one for each accused whom the chain does not carry yet, ascending, as many as a block takes', () => {
  const { book } = create();
  assert.deepEqual(book.list(nobody), []);
  for (const accused of [5, 2, 9]) book.add(votesOf(accused), votesOf(accused).accused);
  book.add(batchesOf(5), batchesOf(5).accused);
  const accusedOf = (listed: readonly Uint8Array[]): number[] =>
    listed.map((bytes) => {
      const decoded = decodeFaultProof(bytes);
      assert.ok(decoded.ok);
      return decoded.value.accused;
    });
  assert.deepEqual(accusedOf(book.list(nobody)), [2, 5, 9]);
  assert.deepEqual(accusedOf(book.list(new Set([toValidatorIndex(5)]))), [2, 9]);
  assert.deepEqual(book.list(nobody)[0], encodeFaultProof(votesOf(2)));
  for (let accused = 10; accused < 10 + blockEvidenceMax; accused++)
    book.add(votesOf(accused), votesOf(accused).accused);
  assert.equal(book.list(nobody).length, blockEvidenceMax);
});

test('a proof is pending from when it was found until a chain carries it', () => {
  const { book, at } = create();
  assert.equal(book.pendingSinceMs(nobody), null);
  at(70);
  book.add(votesOf(3), votesOf(3).accused);
  at(50);
  book.add(votesOf(4), votesOf(4).accused);
  assert.equal(book.pendingSinceMs(nobody), 50);
  assert.equal(book.pendingSinceMs(new Set([toValidatorIndex(4)])), 70);
  assert.equal(book.pendingSinceMs(new Set([3, 4].map(toValidatorIndex))), null);
});

test('what the chain does not carry is told again every tRetry, and no longer', () => {
  const { book, at, told } = create();
  book.add(votesOf(3), votesOf(3).accused);
  told();
  assert.equal(book.deadline(nobody), pauseMs);
  at(pauseMs - 1);
  book.tellDue(nobody);
  assert.deepEqual(told(), []);
  at(pauseMs);
  book.tellDue(nobody);
  assert.deepEqual(told(), ['votes 3 to all']);
  assert.equal(book.deadline(nobody), 2 * pauseMs);
  const carried = new Set([toValidatorIndex(3)]);
  at(5 * pauseMs);
  book.tellDue(carried);
  assert.deepEqual([told(), book.deadline(carried)], [[], Number.POSITIVE_INFINITY]);
});
