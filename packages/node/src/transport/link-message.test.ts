import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '@cairn-ledger/core';
import fc from 'fast-check';
import { LINK_MESSAGE_BYTES_MAX } from './frame-reader.ts';
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from './link-message.ts';
import { helloOf } from './testing/hostile-peer.ts';

test('every message of a link is read as it was written', () => {
  const messages: LinkMessage[] = [
    helloOf({ id: 'a', channel: 'bulk', sequence: 2 ** 40 }),
    helloOf({ id: 'x'.repeat(64) }),
    { type: 'ping', number: 0 },
    { type: 'pong', number: Number.MAX_SAFE_INTEGER },
    { type: 'bye', text: 'link.stopped' },
  ];
  for (const message of messages) {
    const bytes = encodeLinkMessage(message);
    assert.ok(bytes.length <= LINK_MESSAGE_BYTES_MAX);
    assert.deepEqual(decodeLinkMessage(bytes), { ok: true, value: message });
  }
});

test('a message of another shape is malformed', () => {
  const hash = new Uint8Array(32);
  const instance = new Uint8Array(8);
  const shapes = [
    [],
    [4],
    ['0'],
    [1],
    [1, -1],
    [1, 2n ** 60n],
    [1, 1, 1],
    [3, 5],
    [0, 1, hash, 'id', 0, instance],
    [0, 1, hash, 'id', 2, instance, 1],
    [0, 1, hash, 'id', '0', instance, 1],
    [0, 1, hash, '', 0, instance, 1],
    [0, 1, hash, 'x'.repeat(65), 0, instance, 1],
    [0, 1, hash.subarray(1), 'id', 0, instance, 1],
    [0, 1, hash, 'id', 0, hash, 1],
    [0, -1, hash, 'id', 0, instance, 1],
  ];
  for (const shape of [...shapes, 1, 'hello', new Map()]) {
    const decoded = decodeLinkMessage(encodeCbor(shape));
    assert.equal(decoded.ok ? 'read' : decoded.error.code, 'link.message-malformed', JSON.stringify(String(shape)));
  }
});

test('random bytes give a message or an error, never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const decoded = decodeLinkMessage(bytes);
      assert.ok(decoded.ok || decoded.error.code === 'link.message-malformed');
    }),
    { numRuns: 2000 },
  );
});
