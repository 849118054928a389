import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { readDevice, readKey, readMember } from '../query.ts';
import { createWorld, packOf, people, signerOf, type World } from '../testing/world.ts';
import type { EncodedOperation } from './operation.ts';
import { registerKey } from './register-key.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';

type Person = keyof typeof people;

function verdictOf(world: World, person: Person, ...operations: EncodedOperation[]): string {
  return world.execute([world.sign(people[person], { operations })]).results[0]!.code;
}

const fresh = signerOf(20);
const other = signerOf(21, 'p256');
const { publicKey } = fresh;

const register = (device: string | null = 'valve', fromHeight?: number) =>
  registerKey.toCbor({
    role: device === null ? 'person' : 'device',
    algorithm: 'ed25519',
    publicKey,
    device,
    ...(fromHeight !== undefined && { fromHeight }),
  });

const readingBy = (world: World, signer = fresh) => world.sign(signer, { senml: packOf() });

const codesOf = (world: World, ...transactions: Parameters<World['execute']>[0]): string[] =>
  world.execute(transactions).results.map(({ code }) => code);

test('a registered device key counts from the next block on', () => {
  const world = createWorld();
  const registration = world.sign(people.acmePerson, { operations: [register()] });
  const { results, newKeys } = world.execute([registration, readingBy(world)]);
  assert.deepEqual(
    results.map(({ code }) => code),
    ['ok', 'tx.key-not-effective'],
  );
  assert.equal(newKeys.length, 1);
  assert.deepEqual(newKeys[0]!.kid, fresh.kid);
  const first = readingBy(world);
  assert.deepEqual(codesOf(world, first), ['ok']);
  assert.deepEqual(readDevice(world.store, 'acme/valve')!.kids, [fresh.kid]);
});

test('a registration may name a later height, never an earlier one', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', register('valve', 4)), 'ok');
  assert.deepEqual(codesOf(world, readingBy(world)), ['tx.key-not-effective']);
  assert.deepEqual(codesOf(world, readingBy(world)), ['tx.key-not-effective']);
  assert.deepEqual(codesOf(world, readingBy(world)), ['ok']);
  const past = createWorld();
  assert.equal(verdictOf(past, 'acmePerson', register('valve', 0)), 'ok');
  assert.equal(readKey(past.store, fresh.kid)!.fromHeight, 2);
});

test('only persons register keys, and only for their own member', () => {
  for (const person of ['acmeNode', 'acmeDevice', 'acmeGateway', 'acmeEdge'] as const) {
    assert.equal(verdictOf(createWorld(), person, register()), 'tx.not-permitted', person);
  }
  const world = createWorld();
  assert.equal(verdictOf(world, 'borealPerson', register()), 'ok');
  assert.equal(readKey(world.store, fresh.kid)!.member, 'boreal');
});

test('a kid is never registered again, by nobody, not even once it is revoked', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', register()), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', register()), 'key.exists');
  assert.equal(verdictOf(world, 'borealPerson', register()), 'key.exists');
  assert.equal(verdictOf(world, 'acmePerson', revokeKey.toCbor({ kid: fresh.kid })), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', register()), 'key.exists');
  assert.equal(
    verdictOf(
      world,
      'acmePerson',
      rotateKey.toCbor({ oldKid: people.acmeDevice.kid, algorithm: 'ed25519', publicKey }),
    ),
    'key.exists',
  );
});

test('a key that is no proper point is refused', () => {
  const smallOrder = new Uint8Array(32);
  smallOrder[0] = 1;
  const invalid = [
    [3, 0, -19, smallOrder, 'valve'],
    [3, 0, -9, new Uint8Array(65).fill(4), 'valve'],
  ] as const;
  for (const operation of invalid) assert.equal(verdictOf(createWorld(), 'acmePerson', operation), 'key.invalid');
});

test('role, algorithm, size and owner of a key must fit', () => {
  const world = createWorld();
  const cases: [EncodedOperation, string][] = [
    [[3, 4, -19, publicKey, 'valve'], 'tx.bad-operation'],
    [[3, 0, -8, publicKey, 'valve'], 'tx.bad-operation'],
    [[3, 0, -9, publicKey, 'valve'], 'tx.bad-operation'],
    [[3, 0, -19, publicKey, 'Valve'], 'tx.bad-operation'],
    [[3, 0, -19, publicKey, null], 'key.bad-owner'],
    [[3, 2, -19, publicKey, 'valve'], 'key.bad-owner'],
    [[3, 3, -19, publicKey, 'valve'], 'key.bad-owner'],
    [[3, 1, -19, publicKey, null], 'ok'],
    [[3, 1, -9, other.publicKey, 'gate'], 'ok'],
  ];
  for (const [operation, code] of cases) assert.equal(verdictOf(world, 'acmePerson', operation), code);
});

test('a key rotates itself: the old one counts up to the height, the new one from it', () => {
  const world = createWorld();
  const rotation = rotateKey.toCbor({ oldKid: people.acmeDevice.kid, algorithm: 'ed25519', publicKey, fromHeight: 3 });
  assert.equal(verdictOf(world, 'acmeDevice', rotation), 'ok');
  assert.deepEqual(codesOf(world, readingBy(world, people.acmeDevice), readingBy(world)), [
    'ok',
    'tx.key-not-effective',
  ]);
  assert.deepEqual(codesOf(world, readingBy(world, people.acmeDevice), readingBy(world)), ['tx.revoked-key', 'ok']);
  const key = readKey(world.store, fresh.kid)!;
  assert.deepEqual([key.role, key.member, key.device], ['device', 'acme', 'meter']);
  assert.deepEqual(readDevice(world.store, 'acme/meter')!.kids, [fresh.kid]);
});

test('a person rotates any key of its member; others rotate none but their own', () => {
  const rotation = (oldKid: Uint8Array) => rotateKey.toCbor({ oldKid, algorithm: 'p256', publicKey: other.publicKey });
  assert.equal(verdictOf(createWorld(), 'acmePerson', rotation(people.acmeDevice.kid)), 'ok');
  assert.equal(verdictOf(createWorld(), 'acmePerson', rotation(people.borealDevice.kid)), 'key.foreign');
  assert.equal(verdictOf(createWorld(), 'acmePerson', rotation(people.stranger.kid)), 'key.unknown');
  assert.equal(verdictOf(createWorld(), 'acmeGateway', rotation(people.acmeDevice.kid)), 'tx.not-permitted');
  assert.equal(verdictOf(createWorld(), 'acmeGateway', rotation(people.acmeGateway.kid)), 'ok');
});

test('the only person of a member may rotate its key, but not revoke it', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', revokeKey.toCbor({ kid: people.acmePerson.kid })), 'key.last-person');
  assert.equal(verdictOf(world, 'acmePerson', register(null), revokeKey.toCbor({ kid: people.acmePerson.kid })), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', revokeKey.toCbor({ kid: fresh.kid })), 'tx.revoked-key');
  const rotating = createWorld();
  const rotation = rotateKey.toCbor({ oldKid: people.acmePerson.kid, algorithm: 'ed25519', publicKey });
  assert.equal(verdictOf(rotating, 'acmePerson', rotation), 'ok');
  assert.ok(readMember(rotating.store, 'acme')!.kids.some((kid) => kid.join() === fresh.kid.join()));
});

test('a revoked key signs nothing from its height on, and up to it everything', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', revokeKey.toCbor({ kid: people.acmeDevice.kid, untilHeight: 3 })), 'ok');
  assert.deepEqual(codesOf(world, readingBy(world, people.acmeDevice)), ['ok']);
  assert.deepEqual(codesOf(world, readingBy(world, people.acmeDevice)), ['tx.revoked-key']);
  assert.deepEqual(readDevice(world.store, 'acme/meter')!.kids, []);
});

test('a revocation can be moved to an earlier height, not to a later one', () => {
  const world = createWorld();
  const revoke = (untilHeight: number) => revokeKey.toCbor({ kid: people.acmeDevice.kid, untilHeight });
  assert.equal(verdictOf(world, 'acmePerson', revoke(10)), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', revoke(10)), 'key.revoked');
  assert.equal(verdictOf(world, 'acmePerson', revoke(11)), 'key.revoked');
  assert.equal(verdictOf(world, 'acmePerson', revoke(5)), 'ok');
  assert.equal(readKey(world.store, people.acmeDevice.kid)!.untilHeight, 5);
});

test('who may revoke', () => {
  const revoke = revokeKey.toCbor({ kid: people.acmeDevice.kid });
  assert.equal(verdictOf(createWorld(), 'acmeDevice', revoke), 'tx.not-permitted');
  assert.equal(verdictOf(createWorld(), 'acmeNode', revoke), 'tx.not-permitted');
  assert.equal(verdictOf(createWorld(), 'borealPerson', revoke), 'key.foreign');
  assert.equal(verdictOf(createWorld(), 'acmePerson', revokeKey.toCbor({ kid: people.stranger.kid })), 'key.unknown');
});

test('a device has at most 16 keys in force, and a full one can still rotate', () => {
  const world = createWorld();
  const keyOf = (i: number) =>
    registerKey.toCbor({
      role: 'device',
      algorithm: 'ed25519',
      publicKey: signerOf(30 + i).publicKey,
      device: 'valve',
    });
  const sixteen = Array.from({ length: 16 }, (_, i) => keyOf(i));
  assert.equal(verdictOf(world, 'acmePerson', ...sixteen), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', keyOf(16)), 'key.too-many-active');
  const rotation = rotateKey.toCbor({ oldKid: signerOf(30).kid, algorithm: 'ed25519', publicKey });
  assert.equal(verdictOf(world, 'acmePerson', rotation), 'ok');
  assert.equal(readDevice(world.store, 'acme/valve')!.kids.length, 16);
});

test('the number of keys a member ever registers is limited, revoked ones included', () => {
  const world = createWorld({ keysMax: 8 });
  assert.equal(readMember(world.store, 'acme')!.keyCount, 7, 'two of them are link keys of its nodes');
  assert.equal(verdictOf(world, 'acmePerson', register()), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', revokeKey.toCbor({ kid: fresh.kid })), 'ok');
  const rotation = rotateKey.toCbor({ oldKid: people.acmeDevice.kid, algorithm: 'p256', publicKey: other.publicKey });
  assert.equal(verdictOf(world, 'acmePerson', rotation), 'quota.keys');
  assert.equal(readKey(world.store, people.acmeDevice.kid)!.untilHeight, null);
});

test('a refused registration leaves neither key nor device behind', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', register(), [99]), 'tx.unknown-operation');
  assert.equal(readKey(world.store, fresh.kid), null);
  assert.equal(readDevice(world.store, 'acme/valve'), null);
  assert.equal(verdictOf(world, 'borealPerson', register()), 'ok');
});
