/**
 * Random networks of operations: whatever members and devices send, in whatever order and into whatever blocks, assets
 * are conserved, counters are used once, and two nodes that execute the same blocks have the same state.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../bytes/hex.ts';
import { fuzzSettings } from '../bytes/testing/fuzz.ts';
import { sha256 } from '../crypto/hash.ts';
import { accountOf } from '../model/names.ts';
import type { Transaction } from '../model/transaction.ts';
import { errorCatalogue } from './errors.ts';
import { anchor } from './operations/anchor.ts';
import { issue } from './operations/issue.ts';
import type { EncodedOperation } from './operations/operation.ts';
import { registerKey } from './operations/register-key.ts';
import { retire } from './operations/retire.ts';
import { revokeKey } from './operations/revoke-key.ts';
import { rotateKey } from './operations/rotate-key.ts';
import { transfer } from './operations/transfer.ts';
import { readAccounts, readAssets, readDevices, readKey, readMembers } from './query.ts';
import { createStateTree } from './state-tree.ts';
import { createWorld, packOf, people, signerOf, type World } from './testing/world.ts';

const freshSigners = Array.from({ length: 6 }, (_, i) => signerOf(60 + i));
const signers = [...Object.values(people), ...freshSigners];
const accounts = ['acme', 'boreal', 'acme/meter', 'acme/edge', 'boreal/pump', 'acme/new', 'nobody', 'acme/'];

const account = fc.constantFrom(...accounts);
const asset = fc.constantFrom('coin', 'coin', 'kwh', 'gold');
const amount = fc.oneof(fc.bigInt(0n, 120n), fc.constantFrom(2n ** 64n - 1n, 2n ** 63n));
const kid = fc.constantFrom(...signers.map((signer) => signer.kid));
const publicKey = fc.constantFrom(...freshSigners.map((signer) => signer.publicKey));
const height = fc.integer({ min: 0, max: 12 });

const operation: fc.Arbitrary<EncodedOperation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ to: account, asset, amount, from: account }).map(transfer.toCbor) },
  { weight: 3, arbitrary: fc.record({ to: account, asset, amount }).map(transfer.toCbor) },
  { weight: 2, arbitrary: fc.record({ asset, amount, to: account }).map(issue.toCbor) },
  { weight: 2, arbitrary: fc.record({ asset, amount, from: account }).map(retire.toCbor) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        role: fc.constantFrom('device', 'gateway', 'person', 'node'),
        algorithm: fc.constant('ed25519'),
        publicKey,
        device: fc.constantFrom(null, 'meter', 'new'),
        fromHeight: height,
      } as const)
      .map(registerKey.toCbor),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ oldKid: kid, algorithm: fc.constant('ed25519'), publicKey, fromHeight: height } as const)
      .map(rotateKey.toCbor),
  },
  { weight: 1, arbitrary: fc.record({ kid, untilHeight: height }).map(revokeKey.toCbor) },
  { weight: 1, arbitrary: fc.constant(anchor.toCbor({ hash: new Uint8Array(32), documentType: 'text/plain' })) },
  { weight: 1, arbitrary: fc.constant([99] as const) },
);

const content = fc.record({
  signer: fc.constantFrom(...signers),
  senml: fc.constantFrom(undefined, undefined, packOf(), packOf('temperature', 'boreal/pump/')),
  sub: fc.constantFrom(undefined, 'acme/meter', 'acme/attested', 'boreal/pump'),
  counter: fc.bigInt(0n, 12n),
  operations: fc.array(operation, { maxLength: 4 }),
});

type Content = typeof content extends fc.Arbitrary<infer T> ? T : never;
const blocks = fc.array(fc.array(content, { maxLength: 8 }), { maxLength: 8 });

function signAll(world: World, contents: readonly Content[]): Transaction[] {
  return contents.map(({ signer, ...rest }) => {
    const isEmpty = rest.senml === undefined && rest.operations.length === 0;
    return world.sign(signer, isEmpty ? { ...rest, senml: packOf() } : rest);
  });
}

function assertConserved(world: World): void {
  const held = new Map<string, bigint>();
  for (const { id } of readMembers(world.store)) {
    for (const { balances } of readAccounts(world.store, id)) {
      for (const balance of balances) {
        assert.ok(balance.amount > 0n && balance.amount < 2n ** 64n);
        held.set(balance.asset, (held.get(balance.asset) ?? 0n) + balance.amount);
      }
    }
  }
  for (const { id, issued, retired } of readAssets(world.store)) assert.equal(held.get(id) ?? 0n, issued - retired, id);
}

test('the sum of every asset over all accounts equals what was issued less what was retired', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      for (const contents of history) {
        world.execute(signAll(world, contents));
        assertConserved(world);
      }
    }),
    fuzzSettings(150),
  );
});

test('no counter of a key is ever used twice, and a leaf uses one up', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      const used = new Set<string>();
      for (const contents of history) {
        const transactions = signAll(world, contents);
        world.execute(transactions).results.forEach((result, i) => {
          const { kid: signedBy, counter } = transactions[i]!.header;
          const name = `${toHex(signedBy)} ${counter}`;
          assert.ok(!result.leafEntry || result.isCounterUsed);
          if (!result.isCounterUsed) return;
          assert.ok(!used.has(name), name);
          used.add(name);
        });
      }
    }),
    fuzzSettings(150),
  );
});

test('two nodes that execute the same blocks agree on results, writes and state root', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      const other = createWorld();
      const tree = createStateTree(sourceOf(world));
      for (const contents of history) {
        const execution = world.execute(signAll(world, contents));
        const again = other.execute(signAll(other, contents));
        assert.deepEqual(again, execution);
        tree.update(execution.writes);
      }
      assert.deepEqual(other.store.entries(), world.store.entries());
      assert.deepEqual(createStateTree(sourceOf(other)).root(), tree.root());
    }),
    fuzzSettings(25),
  );
});

test('how transactions are spread over blocks of one height and time does not change the accounts', () => {
  const operations = fc.array(fc.record({ to: account, asset, amount, from: account }).map(transfer.toCbor), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.array(operations, { maxLength: 12 }), (all) => {
      const [together, apart] = [createWorld(), createWorld()];
      const sign = (world: World) => all.map((item) => world.sign(people.acmePerson, { operations: item }));
      const block = { height: 1, timeMs: together.timeMs() };
      together.execute(sign(together), block);
      for (const transaction of sign(apart)) apart.execute([transaction], block);
      assert.deepEqual(apart.store.entries(), together.store.entries());
    }),
    fuzzSettings(80),
  );
});

test('verdicts come from the catalogue, rejected transactions change nothing but counter and quota', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      for (const contents of history) {
        for (const transaction of signAll(world, contents)) {
          const { results, writes, events, entries } = world.execute([transaction]);
          const [result] = results;
          if (result!.code === 'ok') continue;
          assert.ok(result!.code in errorCatalogue);
          assert.deepEqual([events, entries], [[], []]);
          for (const { key } of writes) assert.match(String.fromCharCode(...key), /^(window|quota)\//);
        }
      }
    }),
    fuzzSettings(80),
  );
});

test('keys in force are listed with their owner, and every owner can be read', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      for (const contents of history) world.execute(signAll(world, contents));
      const owners = [
        ...readMembers(world.store).map(({ id, kids }) => ({ id, kids })),
        ...readDevices(world.store).map(({ id, kids }) => ({ id, kids })),
      ];
      for (const { id, kids } of owners) {
        for (const listed of kids) {
          const key = readKey(world.store, listed)!;
          assert.equal(accountOf(key.member, key.device), id);
          assert.equal(key.untilHeight, null);
        }
      }
      for (const { deviceCount, id } of readMembers(world.store)) {
        assert.equal(readDevices(world.store, id).length, deviceCount);
      }
    }),
    fuzzSettings(80),
  );
});

test('check refuses nothing that execution of the same block would accept', () => {
  fc.assert(
    fc.property(blocks, (history) => {
      const world = createWorld();
      for (const contents of history) {
        const [first] = signAll(world, contents);
        if (first === undefined) continue;
        const checked = world.ledger.check(world.store, first, world.next());
        const { code } = world.execute([first]).results[0]!;
        if (code === 'ok') assert.ok(checked.ok);
        else if (!checked.ok) assert.equal(checked.error.code, code);
      }
    }),
    fuzzSettings(80),
  );
});

function sourceOf(world: World) {
  const entries = world.store
    .entries()
    .map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value!) }))
    .sort((a, b) => (toHex(a.keyHash) < toHex(b.keyHash) ? -1 : 1));
  return {
    entriesBetween: (first: Uint8Array, last: Uint8Array) =>
      entries.filter(({ keyHash }) => toHex(keyHash) >= toHex(first) && toHex(keyHash) <= toHex(last)),
  };
}
