import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cbor, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { decodeShape } from '../bytes/shape.ts';
import {
  quorum,
  readValidatorSet,
  sortValidators,
  type Validator,
  validatorSetDigest,
  validatorToCbor,
} from './validator-set.ts';

const validators: readonly Validator[] = ['c', 'a', 'b', 'b-1'].map((id, i) => ({
  id,
  member: `member-${id}`,
  linkKey: new Uint8Array(32).fill(10 + i),
  votingKey: new Uint8Array(32).fill(20 + i),
  checkpointKey: new Uint8Array(32).fill(30 + i),
  addresses: ['127.0.0.1:7000'],
  life: i === 1 ? new Uint8Array(16).fill(7) : null,
  ...(i === 0 && { host: 'rack 4', operator: 'somebody' }),
}));

test('the quorum is n - f', () => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 10, 13, 20, 31];
  assert.deepEqual(sizes.map(quorum), [1, 2, 3, 3, 4, 5, 5, 7, 9, 14, 21]);
});

test('any two quorums share more validators than may be Byzantine', () => {
  for (let count = 1; count <= 100; count++) {
    const faultsMax = count - quorum(count);
    assert.ok(2 * quorum(count) - count > faultsMax, `n = ${count}`);
    assert.ok(count < 4 || 3 * faultsMax < count);
  }
});

test('the digest of a set does not depend on the order given, but on everything in it', () => {
  const digest = validatorSetDigest(validators);
  assert.deepEqual(validatorSetDigest([...validators].reverse()), digest);
  const [first, ...rest] = validators as [Validator, ...Validator[]];
  const changes: Partial<Validator>[] = [
    { id: 'd' },
    { member: 'other' },
    { linkKey: new Uint8Array(32) },
    { votingKey: new Uint8Array(32) },
    { checkpointKey: new Uint8Array(32) },
    { addresses: [] },
    { host: 'rack 5' },
    { operator: 'else' },
    { life: new Uint8Array(16) },
  ];
  for (const change of changes) assert.notDeepEqual(validatorSetDigest([{ ...first, ...change }, ...rest]), digest);
});

test('an encoded set reads back, sorted by id', () => {
  const read = readSet(sortValidators(validators).map(validatorToCbor));
  assert.deepEqual(read, sortValidators(validators));
  assert.deepEqual(
    sortValidators(validators).map(({ id }) => id),
    ['a', 'b', 'b-1', 'c'],
  );
});

test('a set that is empty, out of order, or has an id or key twice does not read', () => {
  const sorted = sortValidators(validators);
  const [a, b] = sorted as [Validator, Validator];
  const sets: [string, readonly Validator[]][] = [
    ['no members', []],
    ['out of order', [b, a]],
    ['an id twice', [a, { ...b, id: 'a' }]],
    ['a link key twice', [a, { ...b, linkKey: a.linkKey }]],
    ['a voting key twice', [a, { ...b, votingKey: a.votingKey }]],
    ['a checkpoint key twice', [a, { ...b, checkpointKey: a.checkpointKey }]],
    ['a name in capitals', [{ ...a, id: 'A' }]],
    ['a short key', [{ ...a, votingKey: new Uint8Array(31) }]],
    ['a short life number', [{ ...a, life: new Uint8Array(15) }]],
    ['too many addresses', [{ ...a, addresses: Array.from({ length: 9 }, () => 'h:1') }]],
  ];
  for (const [why, set] of sets) assert.equal(readSet(set.map(validatorToCbor)), null, why);
});

function readSet(value: Cbor): readonly Validator[] | null {
  assert.ok(decodeCbor(encodeCbor(value)).ok);
  const read = decodeShape('set.malformed', encodeCbor(value), readValidatorSet);
  return read.ok ? read.value : null;
}
