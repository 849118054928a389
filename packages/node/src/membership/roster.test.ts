import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createLedger, keyId, type ListingStore, nobleSigner, type Validator, type Write } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { guestsMax } from '../driver/epoch-view.ts';
import { genesis as founded } from '../threads/testing/ledger-bench.ts';
import { createRosterKeeper, guestIdOf, peersOf } from './roster.ts';

const observer = nobleSigner('ed25519', new Uint8Array(32).fill(77));
const genesis = {
  ...founded,
  keys: [
    ...founded.keys,
    {
      role: 'node' as const,
      algorithm: 'ed25519' as const,
      publicKey: observer.publicKey,
      member: 'acme',
      device: null,
    },
  ],
};
const [self] = genesis.validators as [Validator];

/** The state right after the genesis; later writes are put in by hand. */
function keeperOver(id: string, linkKey: Uint8Array) {
  const rows = new Map<string, Write & { readonly value: Uint8Array }>();
  const nameOf = (key: Uint8Array): string => Buffer.from(key).toString();
  const put = (writes: readonly Write[]): void => {
    for (const { key, value } of writes) {
      if (value === null) rows.delete(nameOf(key));
      else rows.set(nameOf(key), { key, value });
    }
  };
  const store: ListingStore = {
    get: (key) => rows.get(nameOf(key))?.value ?? null,
    list: (prefix) => [...rows.values()].filter(({ key }) => nameOf(key).startsWith(nameOf(prefix))),
  };
  const ledger = createLedger({ genesis, verify: () => true, checkPublicKey: sodiumVerifier.checkPublicKey });
  const { writes } = ledger.genesis();
  put(writes);
  const epochs = { latest: () => ({ epoch: 1, validators: genesis.validators }), of: () => null };
  return { keeper: createRosterKeeper(store, epochs, { id, linkKey }), writes };
}

test('let in are the validators, and whoever has an active key of role node, named by that key', () => {
  const { keeper } = keeperOver(self.id, self.linkKey);
  const { peers, own, parameters, isSomebodyWaiting } = keeper.roster();
  assert.deepEqual(
    peers.map(({ id }) => id),
    [self.id, guestIdOf(observer.kid)],
  );
  assert.equal(own.member, 'acme');
  assert.equal(own.isAdmitted, false);
  assert.deepEqual(parameters, genesis.parameters);
  assert.equal(isSomebodyWaiting, false);
});

test('a member with many keys keeps nobody out', () => {
  const key = (member: string, i: number) => {
    const publicKey = new Uint8Array(32);
    publicKey.set([member.length, i >> 8, i & 255]);
    return { kid: keyId('ed25519', publicKey), publicKey, member };
  };
  const many = Array.from({ length: 600 }, (_, i) => key('many', i));
  const few = [key('a', 0), key('bb', 0), key('bb', 1)];
  const ids = peersOf([], [...many, ...few]).map(({ id }) => id);
  assert.equal(ids.length, guestsMax);
  for (const { kid } of [...few, ...many.slice(0, guestsMax - 3)]) assert.ok(ids.includes(guestIdOf(kid)));
});

test('a node is known by its own key alone: who calls itself a validator with another key is none', () => {
  const { keeper } = keeperOver(self.id, observer.publicKey);
  assert.equal(keeper.roster().own.member, 'acme', 'the key is one of a member');
  const stranger = nobleSigner('ed25519', new Uint8Array(32).fill(78));
  assert.equal(keeperOver(self.id, stranger.publicKey).keeper.roster().own.member, null);
});

test('a block that changes nothing of it makes no new roster; one that changes who is let in does', () => {
  const { keeper, writes } = keeperOver(self.id, self.linkKey);
  const ofAccounts = writes.filter(({ key }) => /^(member|device|window)\//.test(Buffer.from(key).toString()));
  assert.equal(keeper.onWrites(ofAccounts, false), null);
  assert.notEqual(keeper.onWrites([], true), null, 'an epoch has begun');
  const parametersAlone = writes.filter(({ key }) => Buffer.from(key).toString() === 'parameters');
  assert.notEqual(keeper.onWrites(parametersAlone, false), null);
  const deviceKeys = writes.filter(({ key }) => Buffer.from(key).toString().startsWith('key/'));
  assert.notEqual(keeper.onWrites(deviceKeys, false), null, 'among them is one of role node');
});
