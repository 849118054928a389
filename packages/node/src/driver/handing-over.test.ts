/** What is owed to others: protocol.md section 5. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  type Batch,
  createBatch,
  createEpochSet,
  handedOverBytesMax,
  sha256,
  signBatch,
  toEpoch,
  toHeight,
  toValidatorIndex,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { EpochView } from './epoch-view.ts';
import { HandingOver, handOversMax, pagesOf, takersOf } from './handing-over.ts';

const pauseMs = 400;
const transaction = (byte: number, size = 4): Uint8Array => new Uint8Array(size).fill(byte);

function batchWith(...transactions: Uint8Array[]): Batch {
  const header = {
    epoch: toEpoch(2),
    author: toValidatorIndex(1),
    seq: 1,
    base: 1,
    previous: new Uint8Array(0),
    expiryHeight: toHeight(100),
  };
  return signBatch(createBatch(header, transactions), new Uint8Array(64));
}

function create() {
  let nowMs = 0;
  const handed: number[][] = [];
  const handingOver = new HandingOver(
    () => nowMs,
    () => pauseMs,
    (transactions) => handed.push(transactions.map(([first]) => first!)),
  );
  return {
    handingOver,
    /** What is handed over by that moment, since the last one. */
    at: (ms: number) => {
      nowMs = ms;
      handingOver.react();
      return handed.splice(0);
    },
  };
}

test('what is owed is handed over at once, and again every pause', () => {
  const { handingOver, at } = create();
  assert.deepEqual([handingOver.isOwing, handingOver.deadline()], [false, Number.POSITIVE_INFINITY]);
  handingOver.owe([transaction(1), transaction(2)]);
  assert.deepEqual([handingOver.isOwing, handingOver.deadline()], [true, pauseMs]);
  assert.deepEqual(at(pauseMs - 1), [[1, 2]]);
  assert.deepEqual(at(pauseMs), [[1, 2]]);
  assert.deepEqual(at(2 * pauseMs - 1), []);
  assert.deepEqual(at(2 * pauseMs), [[1, 2]]);
});

test('until it is executed, by whoever sealed it', () => {
  const { handingOver, at } = create();
  handingOver.owe([transaction(1), transaction(2)]);
  at(0);
  handingOver.onExecuted([batchWith(transaction(2), transaction(9))]);
  assert.deepEqual(at(pauseMs), [[1]]);
  handingOver.onExecuted([batchWith(transaction(1))]);
  assert.equal(handingOver.isOwing, false);
  assert.deepEqual(at(9 * pauseMs), []);
  assert.equal(handingOver.deadline(), Number.POSITIVE_INFINITY);
});

test('only what was not owed already is handed over at once: nobody is sent the same twice for one more', () => {
  const { handingOver, at } = create();
  handingOver.owe([transaction(1)]);
  at(100);
  handingOver.owe([transaction(1), transaction(2)]);
  handingOver.owe([transaction(2)]);
  assert.deepEqual(at(100), [[2]]);
  assert.deepEqual(at(pauseMs), [[1, 2]], 'and all of it when the first is due again');
  handingOver.owe([]);
  assert.deepEqual(at(pauseMs), []);
});

test('what is owed is handed over again after each pause, and in the end no more', () => {
  let nowMs = 0;
  const handed: string[] = [];
  const over = new HandingOver(
    () => nowMs,
    () => 100,
    (transactions) => handed.push(transactions.map(([byte]) => byte).join()),
  );
  over.owe([Uint8Array.of(1)]);
  over.react();
  assert.deepEqual(handed, ['1'], 'not before the pause is over');
  for (nowMs = 100; over.deadline() <= nowMs; nowMs += 100) over.react();
  assert.equal(handed.length, handOversMax);
  assert.deepEqual([over.isOwing, over.deadline()], [false, Number.POSITIVE_INFINITY]);
  over.owe([Uint8Array.of(2)]);
  assert.deepEqual([...over.owed()], [Uint8Array.of(2)]);
  assert.equal(handed.at(-1), '2');
});

test('who seals it itself owes nothing', () => {
  const { handingOver, at } = create();
  handingOver.owe([transaction(1)]);
  assert.deepEqual([...handingOver.owed()], [transaction(1)]);
  handingOver.clear();
  at(0);
  assert.deepEqual(at(9 * pauseMs), []);
});

test('messages hold as many transactions as their reader takes, in count and in bytes', () => {
  const countsOf = (transactions: readonly Uint8Array[]) => pagesOf(transactions).map((page) => page.length);
  assert.deepEqual(countsOf([]), []);
  assert.deepEqual(countsOf(Array.from({ length: 2_001 }, () => transaction(1, 1))), [1_000, 1_000, 1]);
  const half = handedOverBytesMax / 2;
  assert.deepEqual(countsOf([transaction(1, half), transaction(2, half), transaction(3, 1)]), [2, 1]);
  assert.deepEqual(countsOf([transaction(1, half), transaction(2, half + 1)]), [1, 1]);
});

test('f + 1 linked validators take it, and never the node itself', () => {
  const validators = Array.from({ length: 7 }, (_, i): Validator => {
    const key = (from: number) => new Uint8Array(32).fill(from + i);
    return {
      id: `v${i}`,
      member: 'm',
      linkKey: key(1),
      votingKey: key(50),
      checkpointKey: key(100),
      addresses: [],
      life: null,
    };
  });
  const genesis = { digest: sha256(Uint8Array.of(7)), height: toHeight(0), timeMs: 0 };
  const set = createEpochSet(toEpoch(1), validators, validatorSetDigest(validators), genesis, 1);
  const takers = (selfId: string, ...connected: string[]) =>
    takersOf(new EpochView(set, null, selfId), new Set(connected));
  assert.deepEqual(takers('v1', 'v0', 'v1', 'v3', 'v4', 'v5'), [0, 3, 4]);
  assert.deepEqual(takers('x', 'v6', 'guest', 'x'), [6]);
  assert.deepEqual(takers('x'), []);
});
