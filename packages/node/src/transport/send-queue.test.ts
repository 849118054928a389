import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_BYTES } from './frame-reader.ts';
import { FIRST_PIECE_BYTES, SendQueue } from './send-queue.ts';

test('a queue filled to its last byte refuses the next frame and keeps the others', () => {
  const queue = new SendQueue();
  const bytesMax = 3 * (100 + HEADER_BYTES);
  for (let count = 0; count < 3; count++) assert.equal(queue.push(new Uint8Array(100), bytesMax), true);
  assert.equal(queue.push(new Uint8Array(1), bytesMax), false);
  assert.equal(queue.frameCount, 3);
  assert.equal(queue.bytes, bytesMax);
});

test('a message of the link itself fits into a full queue', () => {
  const queue = new SendQueue();
  queue.push(new Uint8Array(100), 104);
  queue.pushLinkMessage(new Uint8Array(10));
  assert.equal(queue.take(FIRST_PIECE_BYTES).length, 104 + 14);
});

test('many small frames go out as one buffer', () => {
  const queue = new SendQueue();
  for (let count = 0; count < 100; count++) queue.push(new Uint8Array(50), 1 << 20);
  assert.equal(queue.take(FIRST_PIECE_BYTES).length, 100 * (50 + HEADER_BYTES));
  assert.equal(queue.claimTakenFrames(), 100);
  assert.ok(queue.isEmpty);
});

test('a long frame goes out in views of it, and is not whole until the last', () => {
  const queue = new SendQueue();
  const frame = new Uint8Array(100_000);
  queue.push(frame, 1 << 20);
  queue.take(FIRST_PIECE_BYTES);
  const piece = queue.take(50_000);
  assert.equal(piece.buffer, frame.buffer);
  assert.equal(queue.isBetweenFrames, false);
  assert.equal(queue.claimTakenFrames(), 0);
  queue.take(50_000);
  assert.equal(queue.isBetweenFrames, true);
  assert.equal(queue.claimTakenFrames(), 1);
});

test('an empty queue gives nothing', () => {
  assert.equal(new SendQueue().take(FIRST_PIECE_BYTES).length, 0);
});
