import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, type Message, toEpoch, toHeight } from '@cairn-ledger/core';
import { createLinkPort } from './link-port.ts';

const epochsFrom: Message = { type: 'request-epochs', from: toEpoch(1) };
const noEpochs: Message = { type: 'epochs', proofs: [] };
const outcomeOf = (height: number): Message => ({ type: 'request-outcome', height: toHeight(height) });
const noOutcome = (height: number): Message => ({ type: 'outcome', height: toHeight(height), outcome: null });
const never = new AbortController().signal;

function linked() {
  const sent: [string, Message][] = [];
  const port = createLinkPort((peer, _channel, frame) => {
    const decoded = decodeMessage(frame);
    assert.ok(decoded.ok);
    sent.push([peer, decoded.value]);
    return true;
  });
  port.onConnected('node-1');
  port.onConnected('node-2');
  return { port, sent };
}

test('an answer goes to whoever asked that peer for it', async () => {
  const { port, sent } = linked();
  const first = port.ask('node-1', epochsFrom, never);
  const second = port.ask('node-2', epochsFrom, never);
  assert.deepEqual(
    sent.map(([peer, { type }]) => [peer, type]),
    [
      ['node-1', 'request-epochs'],
      ['node-2', 'request-epochs'],
    ],
  );
  port.onFrame('node-2', encodeMessage(noEpochs));
  assert.deepEqual((await second)?.message, noEpochs);
  port.onFrame('node-1', encodeMessage(noEpochs));
  assert.equal((await first)?.bytes, encodeMessage(noEpochs).length);
});

test('what nobody asked for, comes too late, is about something else or no message is dropped', async () => {
  const { port } = linked();
  const late = new AbortController();
  const given = port.ask('node-1', outcomeOf(7), late.signal);
  late.abort();
  assert.equal(await given, null);
  const asked = port.ask('node-1', outcomeOf(8), never);
  port.onFrame('node-1', encodeMessage(noOutcome(7)));
  port.onFrame('node-1', encodeMessage(noEpochs));
  port.onFrame('node-1', Uint8Array.of(0xff));
  port.onFrame('node-2', encodeMessage(noOutcome(8)));
  port.onFrame('node-1', encodeMessage(noOutcome(8)));
  assert.deepEqual((await asked)?.message, noOutcome(8));
});

test('nobody waits for a peer that is not linked any more', async () => {
  const { port } = linked();
  const asked = port.ask('node-1', epochsFrom, never);
  port.onDisconnected('node-1');
  assert.equal(await asked, null);
  assert.equal(await port.ask('node-1', epochsFrom, never), null);
  assert.deepEqual(port.peers(), ['node-2']);
});
