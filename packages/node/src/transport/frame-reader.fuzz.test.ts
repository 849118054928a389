import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, HEADER_BYTES, writeHeader } from './frame-reader.ts';
import { FIRST_PIECE_BYTES, SendQueue } from './send-queue.ts';

type Piece = { readonly bytes: Uint8Array; readonly isLinkMessage: boolean };

function readAll(chunks: readonly Uint8Array[], frameBytesMax: number): Piece[] {
  const pieces: Piece[] = [];
  const reader = new FrameReader({
    frameBytesMax: () => frameBytesMax,
    onFrame: (bytes) => pieces.push({ bytes, isLinkMessage: false }) > 0,
    onLinkMessage: (bytes) => pieces.push({ bytes, isLinkMessage: true }) > 0,
  });
  for (const chunk of chunks) if (reader.push(chunk) !== null) break;
  return pieces;
}

/** Cuts bytes at the given places, each into a chunk of its own. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...places.map((place) => place % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.slice(at[index], end));
}

const anyPieces = fc.array(
  fc.record(
    { bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }), isLinkMessage: fc.boolean() },
    { noNullPrototype: true },
  ),
  { maxLength: 30 },
);
const anyCuts = fc.array(fc.nat(10_000), { maxLength: 40 });

test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(anyPieces, anyCuts, (pieces, places) => {
      const stream = Buffer.concat(
        pieces.map(({ bytes, isLinkMessage }) => {
          const header = new Uint8Array(HEADER_BYTES);
          writeHeader(header, 0, bytes.length, isLinkMessage);
          return Buffer.concat([header, bytes]);
        }),
      );
      assert.deepEqual(readAll(cut(stream, places), 300), pieces);
    }),
    { numRuns: 500 },
  );
});

test('what a send queue gives out in pieces of any size is what a reader takes in', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 200_000 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(sizes, fc.integer({ min: FIRST_PIECE_BYTES, max: 100_000 }), (lengths, bytesMax) => {
      const queue = new SendQueue();
      const frames = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
      for (const frame of frames) assert.ok(queue.push(frame, 16 << 20));
      const chunks: Uint8Array[] = [];
      while (!queue.isEmpty) {
        const bytes = queue.take(bytesMax);
        assert.ok(bytes.length > 0 && bytes.length <= bytesMax);
        chunks.push(bytes);
      }
      assert.equal(queue.bytes, 0);
      assert.equal(queue.frameCount, 0);
      assert.equal(queue.claimTakenFrames(), frames.length);
      assert.deepEqual(
        readAll(chunks, 200_000).map(({ bytes }) => bytes),
        frames,
      );
    }),
    { numRuns: 200 },
  );
});

test('random bytes never make a reader throw, nor deliver a frame over the limit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), anyCuts, fc.nat(64), (bytes, places, frameBytesMax) => {
      for (const piece of readAll(cut(bytes, places), frameBytesMax)) {
        assert.ok(piece.bytes.length > 0 && piece.bytes.length <= (piece.isLinkMessage ? 512 : frameBytesMax));
      }
    }),
    { numRuns: 1000 },
  );
});
