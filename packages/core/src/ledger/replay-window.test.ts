import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { readShape } from '../bytes/shape.ts';
import {
  consumeCounter,
  counterJumpMax,
  emptyWindow,
  type ReplayWindow,
  readWindow,
  refusalOf,
  windowSize,
  windowToCbor,
} from './replay-window.ts';

const consumeAll = (counters: readonly bigint[], from: ReplayWindow = emptyWindow): ReplayWindow =>
  counters.reduce((window, counter) => consumeCounter(window, counter), from);

const reopened = (window: ReplayWindow): ReplayWindow => {
  const bytes = encodeCbor(windowToCbor(window));
  const decoded = decodeCbor(bytes);
  assert.ok(decoded.ok);
  const read = readShape('window', decoded.value, readWindow);
  assert.ok(read.ok);
  return read.value;
};

test('a counter is accepted once', () => {
  const window = consumeAll([0n]);
  assert.equal(refusalOf(window, 0n), 'replayed');
  assert.equal(refusalOf(window, 1n), null);
});

test('a first counter may be anything up to 2^32 - 1', () => {
  assert.equal(refusalOf(emptyWindow, 0n), null);
  assert.equal(refusalOf(emptyWindow, counterJumpMax - 1n), null);
  assert.equal(refusalOf(emptyWindow, counterJumpMax), 'jump');
});

test('skipped counters within the window stay acceptable, in any order', () => {
  let window = consumeAll([10n]);
  for (const counter of [3n, 9n, 0n, 5n, 4n]) {
    assert.equal(refusalOf(window, counter), null);
    window = consumeCounter(window, counter);
    assert.equal(refusalOf(window, counter), 'replayed');
  }
  assert.equal(refusalOf(window, 1n), null);
});

test('the 4,096th counter below the highest is still acceptable, the next is too old', () => {
  const window = consumeAll([100_000n]);
  assert.equal(refusalOf(window, 100_000n - BigInt(windowSize)), null);
  assert.equal(refusalOf(window, 100_000n - BigInt(windowSize) - 1n), 'too-old');
});

test('a jump of exactly 2^32 is accepted, one more is refused', () => {
  const window = consumeAll([7n]);
  assert.equal(refusalOf(window, 7n + counterJumpMax), null);
  assert.equal(refusalOf(window, 8n + counterJumpMax), 'jump');
});

test('the highest counter of 64 bits can be reached and closes the key', () => {
  const top = (1n << 64n) - 1n;
  const window = consumeCounter({ highest: top - 1n, unseen: [] }, top);
  assert.equal(refusalOf(window, top), 'replayed');
  assert.deepEqual(reopened(window), window);
});

test('a well-behaved key costs a window of at most 10 bytes', () => {
  const window = consumeAll(Array.from({ length: 5_000 }, (_, i) => BigInt(i)));
  assert.deepEqual(window, { highest: 4_999n, unseen: [] });
  assert.ok(encodeCbor(windowToCbor(window)).length <= 10);
  assert.ok(encodeCbor(windowToCbor({ highest: (1n << 64n) - 1n, unseen: [] })).length <= 10);
});

test('the worst key costs a window of little over 4 KiB', () => {
  const window = consumeAll(Array.from({ length: 4_096 }, (_, i) => BigInt(2 * i)));
  assert.equal(window.unseen.length, 2 * 2_048);
  assert.ok(encodeCbor(windowToCbor(window)).length <= 4_096 + 16);
  assert.deepEqual(reopened(window), window);
});

test('what is not a window is refused when read', () => {
  const malformed = [[], [1, 2], ['1'], [1, 4_096, 1], [1, 0, 0], [1, -1, 2], [1, 0, 4_097], 5];
  for (const value of malformed) assert.ok(!readShape('window', value as never, readWindow).ok, JSON.stringify(value));
});

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.bigInt(-6n, 3n) },
    { weight: 2, arbitrary: fc.bigInt(-4_200n, 4_200n) },
    { weight: 1, arbitrary: fc.bigInt(0n, counterJumpMax + 5n) },
  ),
  { maxLength: 120 },
);

test('a window agrees with a plain set of counters, and accepts none twice', () => {
  fc.assert(
    fc.property(steps, (moves) => {
      let window = emptyWindow;
      const seen = new Set<bigint>();
      let highest = -1n;
      for (const move of moves) {
        const counter = highest + move;
        if (counter < 0n) continue;
        const expected =
          counter > highest + counterJumpMax
            ? 'jump'
            : counter < highest - BigInt(windowSize)
              ? 'too-old'
              : seen.has(counter)
                ? 'replayed'
                : null;
        assert.equal(refusalOf(window, counter), expected);
        if (expected !== null) continue;
        window = reopened(consumeCounter(window, counter));
        seen.add(counter);
        if (counter > highest) highest = counter;
      }
    }),
    { numRuns: 300 },
  );
});

test('equal histories give equal windows, whatever the order within the window', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(
        Array.from({ length: 64 }, (_, i) => BigInt(i)),
        { minLength: 1 },
      ),
      (counters) => {
        const sorted = [...counters].sort((a, b) => (a < b ? -1 : 1));
        assert.deepEqual(consumeAll(counters), consumeAll(sorted));
      },
    ),
  );
});
