import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { uint64Max } from '../../model/genesis.ts';
import { readAsset, readBalance } from '../query.ts';
import { createWorld, people, type World } from '../testing/world.ts';
import { issue } from './issue.ts';
import type { EncodedOperation } from './operation.ts';
import { retire } from './retire.ts';
import { transfer } from './transfer.ts';

type Person = keyof typeof people;

function verdictOf(world: World, person: Person, ...operations: EncodedOperation[]): string {
  return world.execute([world.sign(people[person], { operations })]).results[0]!.code;
}

const pay = (to: string, amount: bigint, from?: string, asset = 'coin') =>
  transfer.toCbor({ to, asset, amount, ...(from !== undefined && { from }) });

test('a transfer moves exactly its amount', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmeDevice', pay('boreal/pump', 30n)), 'ok');
  assert.equal(readBalance(world.store, 'acme/meter', 'coin'), 70n);
  assert.equal(readBalance(world.store, 'boreal/pump', 'coin'), 30n);
});

test('who may spend from which account', () => {
  const cases: [Person, string | undefined, string][] = [
    ['acmePerson', undefined, 'ok'],
    ['acmePerson', 'acme', 'ok'],
    ['acmePerson', 'acme/meter', 'ok'],
    ['acmePerson', 'boreal', 'account.not-owned'],
    ['acmeNode', 'acme/meter', 'ok'],
    ['acmeNode', undefined, 'ok'],
    ['acmeDevice', undefined, 'ok'],
    ['acmeDevice', 'acme/meter', 'ok'],
    ['acmeDevice', 'acme', 'account.not-owned'],
    ['acmeDevice', 'acme/edge', 'account.not-owned'],
    ['acmeDevice', 'acme/meter-2', 'account.not-owned'],
    ['acmeGateway', undefined, 'account.not-owned'],
    ['acmeGateway', 'acme/meter', 'account.not-owned'],
    ['acmeEdge', 'acme/edge', 'asset.insufficient'],
    ['acmeEdge', 'acme/meter', 'account.not-owned'],
    ['borealPerson', 'acme', 'account.not-owned'],
    ['borealDevice', 'boreal/pump', 'asset.insufficient'],
    ['borealDevice', 'Boreal', 'account.malformed'],
  ];
  for (const [person, from, code] of cases) {
    assert.equal(verdictOf(createWorld(), person, pay('boreal', 1n, from)), code, `${person} from ${from}`);
  }
});

test('a transfer needs an account that exists, an asset that exists, and an amount above zero', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', pay('nobody', 1n)), 'account.unknown');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal/unknown', 1n)), 'account.unknown');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal/pump/x', 1n)), 'account.malformed');
  assert.equal(verdictOf(world, 'acmePerson', pay('', 1n)), 'account.malformed');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal', 1n, 'acme', 'gold')), 'asset.unknown');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal', 0n)), 'asset.zero-amount');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal', 1_001n)), 'asset.insufficient');
  assert.equal(verdictOf(world, 'acmePerson', pay('boreal', uint64Max)), 'asset.insufficient');
});

test('a transfer to the same account changes nothing, and still needs the amount', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmeDevice', pay('acme/meter', 100n)), 'ok');
  assert.equal(verdictOf(world, 'acmeDevice', pay('acme/meter', 101n)), 'asset.insufficient');
  assert.equal(readBalance(world.store, 'acme/meter', 'coin'), 100n);
});

test('negative, fractional, huge and textual amounts are no amounts', () => {
  const world = createWorld();
  for (const amount of [-1, '5', null, -(2n ** 63n)]) {
    assert.equal(verdictOf(world, 'acmePerson', [0, 'boreal', 'coin', amount]), 'tx.bad-operation');
  }
});

test('arguments too many, too few or null are refused', () => {
  const world = createWorld();
  for (const operation of [
    [0, 'boreal', 'coin'],
    [0, 'boreal', 'coin', 1, null],
    [0, 'boreal', 'coin', 1, 'acme', 'acme'],
    [1, 'coin'],
    [1, 'COIN', 1],
    [2, 'coin', 1, 2],
  ] as EncodedOperation[]) {
    assert.equal(verdictOf(world, 'acmePerson', operation), 'tx.bad-operation', JSON.stringify(operation));
  }
});

test('the issuer issues to any account, and what is issued is counted', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', issue.toCbor({ asset: 'kwh', amount: 500n })), 'ok');
  assert.equal(verdictOf(world, 'acmeNode', issue.toCbor({ asset: 'kwh', amount: 7n, to: 'boreal/pump' })), 'ok');
  assert.equal(readBalance(world.store, 'acme', 'kwh'), 500n);
  assert.equal(readBalance(world.store, 'boreal/pump', 'kwh'), 7n);
  assert.equal(readAsset(world.store, 'kwh')!.issued, 507n);
});

test('nobody but persons and nodes of the issuer issues or retires', () => {
  const cases: [Person, string][] = [
    ['borealPerson', 'asset.not-issuer'],
    ['borealDevice', 'asset.not-issuer'],
    ['acmeDevice', 'tx.not-permitted'],
    ['acmeGateway', 'tx.not-permitted'],
    ['acmeEdge', 'tx.not-permitted'],
  ];
  for (const [person, code] of cases) {
    assert.equal(verdictOf(createWorld(), person, issue.toCbor({ asset: 'coin', amount: 1n })), code, person);
    assert.equal(verdictOf(createWorld(), person, retire.toCbor({ asset: 'coin', amount: 1n })), code, person);
  }
});

test('retiring takes units from an account of the issuer, for good', () => {
  const world = createWorld();
  assert.equal(verdictOf(world, 'acmePerson', retire.toCbor({ asset: 'coin', amount: 400n })), 'ok');
  assert.equal(
    verdictOf(world, 'acmePerson', retire.toCbor({ asset: 'coin', amount: 100n, from: 'acme/meter' })),
    'ok',
  );
  assert.equal(
    verdictOf(world, 'acmePerson', retire.toCbor({ asset: 'coin', amount: 1n, from: 'boreal' })),
    'account.not-owned',
  );
  assert.equal(verdictOf(world, 'acmePerson', retire.toCbor({ asset: 'coin', amount: 601n })), 'asset.insufficient');
  assert.equal(readBalance(world.store, 'acme', 'coin'), 600n);
  assert.equal(readBalance(world.store, 'acme/meter', 'coin'), 0n);
  const { issued, retired } = readAsset(world.store, 'coin')!;
  assert.deepEqual([issued, retired], [1_150n, 500n]);
});

test('no more than 2^64 - 1 units of an asset are ever issued, retired ones included', () => {
  const world = createWorld();
  const rest = uint64Max - 1_150n;
  assert.equal(verdictOf(world, 'acmePerson', issue.toCbor({ asset: 'coin', amount: rest + 1n })), 'asset.overflow');
  assert.equal(verdictOf(world, 'acmePerson', issue.toCbor({ asset: 'coin', amount: rest })), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', retire.toCbor({ asset: 'coin', amount: rest })), 'ok');
  assert.equal(verdictOf(world, 'acmePerson', issue.toCbor({ asset: 'coin', amount: 1n })), 'asset.overflow');
});

test('an account can hold all there is', () => {
  const world = createWorld();
  const all = issue.toCbor({ asset: 'kwh', amount: uint64Max });
  assert.equal(verdictOf(world, 'acmePerson', all, pay('boreal/pump', uint64Max, 'acme', 'kwh')), 'ok');
  assert.equal(readBalance(world.store, 'boreal/pump', 'kwh'), uint64Max);
});
