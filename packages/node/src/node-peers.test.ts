import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Validator } from '@cairn-ledger/core';
import { guestIdOf, peersOf } from './membership/roster.ts';
import { peersToLink } from './node-peers.ts';

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const validator = (id: string, fill: number): Validator => ({
  id,
  member: 'alder',
  linkKey: key(fill),
  votingKey: key(fill),
  checkpointKey: key(fill),
  addresses: [`${id}:1`],
  life: null,
});

test('each key is one peer; a validator that changes its keys is known by the present ones, and by the others as a guest', () => {
  const peers = peersOf(
    [validator('a', 1), validator('b', 2), validator('b', 3)],
    [
      { kid: new Uint8Array(8).fill(7), publicKey: key(7), member: 'birch' },
      { kid: new Uint8Array(8).fill(2), publicKey: key(2), member: 'alder' },
    ],
  );
  assert.deepEqual(
    peers.map(({ id, linkKey }) => [id.startsWith('key:') ? 'guest' : id, linkKey[0]]),
    [
      ['a', 1],
      ['b', 2],
      ['guest', 3],
      ['guest', 7],
    ],
  );
  assert.equal(peers[3]!.id, guestIdOf(new Uint8Array(8).fill(7)));
});

test('a node does not link with itself, uses the addresses it was told, and asks first whom it was told to, under the keys it was told', () => {
  const known = peersOf([validator('a', 1), validator('b', 2)], []);
  const bootstrap = [
    { id: 'b', linkKey: key(9), addresses: ['elsewhere:1'] },
    { id: 'c', linkKey: key(3), addresses: ['c:1'] },
  ];
  const peers = peersToLink({ selfId: 'x', selfKey: key(1), known, bootstrap, overrides: { b: ['here:2'] } });
  assert.deepEqual(
    peers.map(({ id, linkKey, addresses }) => [id.split(':')[0], linkKey[0], ...addresses]),
    [
      ['b', 9, 'here:2'],
      ['c', 3, 'c:1'],
      ['key', 2, 'b:1'],
    ],
  );
});
