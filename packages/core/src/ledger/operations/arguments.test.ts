import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { Encodable } from '../../bytes/cbor.ts';
import { createWorld, people, signerOf } from '../testing/world.ts';

const { publicKey } = signerOf(30);
const hash = new Uint8Array(32);

/** Every operation with all of its arguments, and how many of them may be left out. */
const operations: readonly (readonly [name: string, optional: number, operation: readonly [number, ...Encodable[]]])[] =
  [
    ['transfer', 1, [0, 'boreal', 'coin', 1, 'acme']],
    ['issue', 1, [1, 'coin', 1, 'acme']],
    ['retire', 1, [2, 'coin', 1, 'acme']],
    ['register key', 1, [3, 0, -19, publicKey, 'valve', 9]],
    ['rotate key', 1, [4, people.acmeDevice.kid, -19, publicKey, 9]],
    ['revoke key', 1, [5, people.acmeDevice.kid, 9]],
    ['anchor', 0, [6, hash, 'text/plain']],
  ];

test('every operation takes its arguments, and none less or more', () => {
  for (const [name, optional, operation] of operations) {
    const verdictOf = (items: readonly [number, ...Encodable[]]) => {
      const world = createWorld();
      return world.execute([world.sign(people.acmePerson, { operations: [items] })]).results[0]!;
    };
    const first = (count: number) => operation.slice(0, 1 + count) as unknown as readonly [number, ...Encodable[]];
    const count = operation.length - 1;
    for (let given = 0; given <= count; given++) {
      const { code, message } = verdictOf(first(given));
      assert.equal(code, given >= count - optional ? 'ok' : 'tx.bad-operation', `${name} with ${given}: ${message}`);
    }
    const more = verdictOf([...operation, null] as unknown as readonly [number, ...Encodable[]]);
    assert.equal(more.code, 'tx.bad-operation', `${name} with one more`);
  }
});
