import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { transfer } from './operations/transfer.ts';
import {
  readAccount,
  readAccounts,
  readAsset,
  readAssets,
  readDevice,
  readDevices,
  readKey,
  readKeys,
  readMember,
  readMembers,
  readParameters,
  readReplayWindow,
  readValidators,
} from './query.ts';
import { pathToKey } from './store.ts';
import { createWorld, people, signerOf } from './testing/world.ts';

const world = createWorld();
const { store } = world;

test('members, devices, keys, assets, validators and parameters read as the genesis has them', () => {
  assert.deepEqual(
    readMembers(store).map(({ id, name }) => [id, name]),
    [
      ['acme', 'Acme Ltd'],
      ['boreal', 'Boreal AS'],
    ],
  );
  assert.deepEqual(readMember(store, 'boreal')!.kids, [people.borealPerson.kid, signerOf(101).kid, signerOf(103).kid]);
  assert.equal(readKey(store, signerOf(101).kid)!.role, 'node');
  assert.deepEqual(
    readDevices(store, 'acme').map(({ id }) => id),
    ['acme/edge', 'acme/meter'],
  );
  assert.deepEqual(
    readDevices(store).map(({ id }) => id),
    ['acme/edge', 'acme/meter', 'boreal/pump'],
  );
  assert.deepEqual(readDevice(store, 'boreal/pump')!.kids, [people.borealDevice.kid]);
  assert.equal(readKey(store, people.borealDevice.kid)!.algorithm, 'p256');
  assert.equal(readKeys(store).length, world.genesis.keys.length + world.genesis.validators.length);
  assert.deepEqual(
    readAssets(store).map(({ id, decimals }) => [id, decimals]),
    [
      ['coin', 2],
      ['kwh', 3],
    ],
  );
  assert.equal(readAsset(store, 'coin')!.issued, 1_150n);
  assert.deepEqual(
    readValidators(store).map(({ id }) => id),
    ['node-1', 'node-2', 'node-3', 'node-4'],
  );
  assert.deepEqual(readParameters(store), world.genesis.parameters);
});

test('what is not there, or is no name, reads as null', () => {
  assert.equal(readMember(store, 'nobody'), null);
  assert.equal(readDevice(store, 'acme/none'), null);
  assert.equal(readDevice(store, 'acme'), null);
  assert.equal(readKey(store, people.stranger.kid), null);
  assert.equal(readAsset(store, 'gold'), null);
  assert.equal(readAccount(store, 'nobody'), null);
  assert.equal(readAccount(store, 'acme//'), null);
  assert.equal(readReplayWindow(store, people.stranger.kid).highest, -1n);
});

test('an account shows its own balances only; a member has a list of accounts', () => {
  assert.deepEqual(readAccount(store, 'acme'), { id: 'acme', balances: [{ asset: 'coin', amount: 1_000n }] });
  assert.deepEqual(readAccount(store, 'acme/edge'), { id: 'acme/edge', balances: [] });
  assert.deepEqual(
    readAccounts(store, 'acme').map(({ id }) => id),
    ['acme', 'acme/meter'],
  );
});

test('a device named like an asset is not mixed up with a balance of its member', () => {
  const confusing = createWorld();
  const attested = confusing.sign(people.acmeGateway, { operations: [[6, new Uint8Array(32), 'x']] });
  confusing.execute([attested]);
  const registered = confusing.sign(people.acmePerson, {
    operations: [
      [3, 0, -19, people.stranger.publicKey, 'coin'],
      transfer.toCbor({ to: 'acme/coin', asset: 'coin', amount: 7n }),
    ],
  });
  assert.equal(confusing.execute([registered]).results[0]!.code, 'ok');
  assert.deepEqual(readAccount(confusing.store, 'acme')!.balances, [{ asset: 'coin', amount: 993n }]);
  assert.deepEqual(readAccount(confusing.store, 'acme/coin')!.balances, [{ asset: 'coin', amount: 7n }]);
});

test('a record that does not decode stops the reader instead of showing something wrong', () => {
  const damaged = createWorld();
  damaged.store.apply([{ key: pathToKey('member/acme'), value: Uint8Array.of(0x81, 1) }]);
  assert.throws(() => readMember(damaged.store, 'acme'), /shape of its kind/);
  damaged.store.apply([{ key: pathToKey('member/acme'), value: Uint8Array.of(0xff) }]);
  assert.throws(() => readMembers(damaged.store), /is CBOR/);
});
