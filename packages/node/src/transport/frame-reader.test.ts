import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader, type FrameSink, HEADER_BYTES, LINK_MESSAGE_BYTES_MAX, writeHeader } from './frame-reader.ts';

function readerOf(frameBytesMax: number, sink: Partial<FrameSink> = {}) {
  const frames: Uint8Array[] = [];
  const messages: Uint8Array[] = [];
  const reader = new FrameReader({
    frameBytesMax: () => frameBytesMax,
    onFrame: (frame) => frames.push(frame) > 0,
    onLinkMessage: (message) => messages.push(message) > 0,
    ...sink,
  });
  return { reader, frames, messages };
}

function headerOf(length: number, isLinkMessage = false): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  writeHeader(header, 0, length, isLinkMessage);
  return header;
}

const frameOf = (bytes: Uint8Array, isLinkMessage = false) =>
  Buffer.concat([headerOf(bytes.length, isLinkMessage), bytes]);

test('frames within one chunk are views of it, not copies', () => {
  const { reader, frames, messages } = readerOf(100);
  const chunk = Buffer.concat([
    frameOf(Uint8Array.of(1, 2)),
    frameOf(Uint8Array.of(9), true),
    frameOf(Uint8Array.of(3)),
  ]);
  assert.equal(reader.push(chunk), null);
  assert.deepEqual(frames, [Uint8Array.of(1, 2), Uint8Array.of(3)]);
  assert.deepEqual(messages, [Uint8Array.of(9)]);
  assert.ok(frames.every((frame) => frame.buffer === chunk.buffer));
  assert.ok(reader.isBetweenFrames);
});

test('a frame that comes byte by byte is assembled', () => {
  const { reader, frames } = readerOf(100);
  for (const byte of frameOf(Uint8Array.of(1, 2, 3, 4, 5))) assert.equal(reader.push(Uint8Array.of(byte)), null);
  assert.deepEqual(frames, [Uint8Array.of(1, 2, 3, 4, 5)]);
});

test('a frame of exactly the limit passes, one byte more does not', () => {
  const { reader, frames } = readerOf(10);
  assert.equal(reader.push(frameOf(new Uint8Array(10))), null);
  assert.equal(frames.length, 1);
  assert.equal(reader.push(headerOf(11)), 'link.frame-too-large');
});

test('a link message of exactly the limit passes, one byte more does not', () => {
  const { reader, messages } = readerOf(10);
  assert.equal(reader.push(frameOf(new Uint8Array(LINK_MESSAGE_BYTES_MAX), true)), null);
  assert.equal(messages.length, 1);
  assert.equal(reader.push(headerOf(LINK_MESSAGE_BYTES_MAX + 1, true)), 'link.message-malformed');
});

test('an empty frame is a fault', () => {
  assert.equal(readerOf(10).reader.push(headerOf(0)), 'link.frame-empty');
  assert.equal(readerOf(10).reader.push(headerOf(0, true)), 'link.frame-empty');
});

test('the longest length a header can carry is too large, not negative', () => {
  assert.equal(readerOf(8 << 20).reader.push(headerOf(0x7fffffff)), 'link.frame-too-large');
});

test('what is set aside for a frame follows what has arrived, not what was announced', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 50 }, () => readerOf(8 << 20).reader);
  for (const reader of readers) reader.push(Buffer.concat([headerOf(8 << 20), new Uint8Array(10)]));
  assert.ok(readers.every(({ pendingBytes }) => pendingBytes === 8 << 20));
  const costBytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(costBytes < 50 * (128 << 10), `${costBytes} bytes for 50 frames of which 10 bytes each had come`);
});

test('a sink that says stop gets nothing more of the chunk', () => {
  let count = 0;
  const stopping = { onFrame: () => ++count < 2 };
  const { reader } = readerOf(10, stopping);
  reader.push(Buffer.concat([1, 2, 3, 4].map((byte) => frameOf(Uint8Array.of(byte)))));
  assert.equal(count, 2);
});
