import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { readAnchors } from '../query.ts';
import { createWorld, people } from '../testing/world.ts';
import { anchor } from './anchor.ts';

const hash = new Uint8Array(32).fill(0xab);
const operations = [anchor.toCbor({ hash, documentType: 'application/pdf' })];

test('any registered key anchors; the first anchor of each member stands', () => {
  const world = createWorld();
  const first = world.sign(people.acmeGateway, { operations });
  world.execute([first]);
  const again = world.execute([world.sign(people.acmePerson, { operations })]);
  const other = world.sign(people.borealDevice, { operations });
  world.execute([other]);
  assert.equal(again.results[0]!.code, 'ok');
  assert.deepEqual(again.events, []);
  assert.deepEqual(readAnchors(world.store, hash), [
    { member: 'acme', type: 'application/pdf', height: 1, transaction: first.id },
    { member: 'boreal', type: 'application/pdf', height: 3, transaction: other.id },
  ]);
});

test('what is not a hash of 32 bytes with a type of at most 100 characters is refused', () => {
  const world = createWorld();
  for (const operation of [
    [6, hash.subarray(1), 'text/plain'],
    [6, hash],
    [6, hash, 'x'.repeat(101)],
    [6, 'ab', 'text/plain'],
  ] as const) {
    const { results } = world.execute([world.sign(people.acmePerson, { operations: [operation] })]);
    assert.equal(results[0]!.code, 'tx.bad-operation');
  }
});
