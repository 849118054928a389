import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  type CheckpointStatement,
  decodeMessage,
  encodeMessage,
  type Message,
  toEpoch,
  toHash,
  toHeight,
  toValidatorIndex,
} from '@cairn-ledger/core';
import { noAnswerTo } from '../threads/no-answer.ts';
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

test('that there is none is an answer, wherever a message can say it', async () => {
  const { port } = linked();
  const height = toHeight(3);
  const requests: Message[] = [
    epochsFrom,
    outcomeOf(3),
    { type: 'request-checkpoint', height },
    { type: 'request-state', height, paths: [''] },
    { type: 'request-tiles', size: 9, places: [] },
  ];
  for (const request of requests) {
    const asked = port.ask('node-1', request, never);
    const none = noAnswerTo(request);
    assert.ok(none !== null, request.type);
    port.onFrame('node-1', encodeMessage(none));
    assert.deepEqual((await asked)?.message, none);
  }
  const without = [
    'request-block',
    'request-batch',
    'request-chain',
    'request-boundary',
    'request-snapshot',
    'outcome',
  ];
  for (const type of without) assert.equal(noAnswerTo({ type } as Message), null, type);
});

const hash = toHash(new Uint8Array(32));

function signaturesOf(height: number, ...signers: number[]): Message {
  const statement: CheckpointStatement = {
    ledgerHash: hash,
    epoch: toEpoch(1),
    height: toHeight(height),
    round: 0,
    stateRoot: hash,
    historySize: 1,
    historyRoot: hash,
    validatorSet: hash,
  };
  const signatures = signers.map((signer) => ({
    statement,
    signer: toValidatorIndex(signer),
    issuedSeconds: 1_700_000_000,
    signature: new Uint8Array(64),
  }));
  return { type: 'checkpoint-signatures', signatures };
}

const checkpointOf = (height: number): Message => ({ type: 'request-checkpoint', height: toHeight(height) });

test('signatures go to whoever asked for those of their height, whatever a peer tells of other heights meanwhile', async () => {
  const { port } = linked();
  const fifth = port.ask('node-1', checkpointOf(5), never);
  const third = port.ask('node-1', checkpointOf(3), never);
  // What it has just signed, its newest for each of both that ask, and then what it keeps.
  for (const told of [signaturesOf(90, 2), signaturesOf(89, 0, 1, 2), signaturesOf(89, 0, 1, 2)])
    port.onFrame('node-1', encodeMessage(told));
  port.onFrame('node-1', encodeMessage(signaturesOf(3, 0, 1, 2)));
  port.onFrame('node-1', encodeMessage(signaturesOf(5, 0, 1, 3)));
  assert.deepEqual((await fifth)?.message, signaturesOf(5, 0, 1, 3));
  assert.deepEqual((await third)?.message, signaturesOf(3, 0, 1, 2));
});

test('the second signatures of another height, or those that nothing follows, are all that a peer has', async () => {
  const { port } = linked();
  const first = port.ask('node-1', checkpointOf(5), never);
  const newest = encodeMessage(signaturesOf(89, 0, 1, 2));
  port.onFrame('node-1', newest);
  port.onFrame('node-1', newest);
  assert.deepEqual((await first)?.message, signaturesOf(89, 0, 1, 2));
  const second = port.ask('node-2', checkpointOf(5), never);
  port.onFrame('node-2', newest);
  assert.deepEqual((await second)?.message, signaturesOf(89, 0, 1, 2));
});
