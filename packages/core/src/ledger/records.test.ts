import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Cbor, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { readShape } from '../bytes/shape.ts';
import { uint64Max } from '../model/genesis.ts';
import {
  anchorKind,
  anchorTypeMax,
  assetKind,
  balanceKind,
  deviceKind,
  keyKind,
  memberKind,
  misbehaviourKind,
  paths,
  quotaKind,
  type RecordKind,
  readKid,
  uint64Of,
} from './records.ts';
import { keyToPath, pathToKey } from './store.ts';
import { people } from './testing/world.ts';

const kids = [people.acmePerson.kid, people.acmeNode.kid];
const { publicKey } = people.acmeDevice;

/** A record of each kind, and how it is stored. */
const samples: readonly (readonly [kind: RecordKind<never>, record: unknown, stored: Cbor])[] = [
  sample(memberKind, { name: 'Acme Ltd', kids, deviceCount: 7, keyCount: 9 }, ['Acme Ltd', kids, 7, 9]),
  sample(deviceKind, { sinceHeight: 5, kids }, [5, kids]),
  sample(
    keyKind,
    { role: 'device', algorithm: 'ed25519', publicKey, member: 'acme', device: 'm', fromHeight: 2, untilHeight: 8 },
    [0, -19, publicKey, 'acme', 'm', 2, 8],
  ),
  sample(
    keyKind,
    { role: 'node', algorithm: 'ed25519', publicKey, member: 'acme', device: null, fromHeight: 0, untilHeight: null },
    [3, -19, publicKey, 'acme', null, 0, null],
  ),
  sample(assetKind, { decimals: 2, issuer: 'acme', issued: 10n, retired: uint64Max }, [2, 'acme', 10, uint64Max]),
  sample(anchorKind, { type: 'text/plain', height: 3, transaction: new Uint8Array(32) }, [
    ...['text/plain', 3],
    new Uint8Array(32),
  ]),
  sample(quotaKind, { minute: 1, transactions: 2, bytes: 3 }, [1, 2, 3]),
  sample(balanceKind, 5n, 5),
  sample(misbehaviourKind, 6, 6),
];

function sample<T>(kind: RecordKind<T>, record: T, stored: Cbor): readonly [RecordKind<never>, unknown, Cbor] {
  return [kind as unknown as RecordKind<never>, record, stored];
}

const read = (kind: RecordKind<never>, value: Cbor) => readShape('state.damaged', value, kind.read);

test('every kind of record is stored in its form, and reads as it was', () => {
  for (const [kind, record, stored] of samples) {
    const bytes = encodeCbor(kind.toCbor(record as never));
    assert.deepEqual(bytes, encodeCbor(stored));
    const decoded = decodeCbor(bytes);
    assert.deepEqual(decoded.ok && read(kind, decoded.value), { ok: true, value: record });
  }
});

test('a record with a part too many, too few, or of another type is damaged', () => {
  for (const [kind, , stored] of samples) {
    for (const other of ['text', true, new Map(), -1]) assert.ok(!read(kind, other).ok);
    if (!Array.isArray(stored)) continue;
    assert.ok(!read(kind, [...stored, 0]).ok);
    assert.ok(!read(kind, stored.slice(1)).ok);
    for (let i = 0; i < stored.length; i++) {
      for (const other of [true, new Map(), -1, 1n << 70n])
        assert.ok(!read(kind, stored.with(i, other as Cbor)).ok, `part ${i} of ${stored.length} as ${String(other)}`);
    }
  }
});

test('a list of kids holds kids of 8 bytes, at most 64 of a member and 16 of a device', () => {
  const kid = new Uint8Array(8);
  const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => kid);
  assert.ok(read(samples[0]![0], ['x', many(64), 0, 0]).ok);
  assert.ok(!read(samples[0]![0], ['x', many(65), 0, 0]).ok);
  assert.ok(read(samples[1]![0], [0, many(16)]).ok);
  assert.ok(!read(samples[1]![0], [0, many(17)]).ok);
  assert.ok(!read(samples[1]![0], [0, [new Uint8Array(7)]]).ok);
  assert.deepEqual(readShape('x', kid, readKid), { ok: true, value: kid });
  for (const size of [0, 7, 9]) assert.ok(!readShape('x', new Uint8Array(size), readKid).ok);
});

test('texts and hashes of records have their limits', () => {
  const anchor = anchorKind as unknown as RecordKind<never>;
  const hash = new Uint8Array(32);
  assert.ok(read(anchor, ['t'.repeat(anchorTypeMax), 0, hash]).ok);
  assert.ok(!read(anchor, ['t'.repeat(anchorTypeMax + 1), 0, hash]).ok);
  for (const size of [31, 33]) assert.ok(!read(anchor, ['t', 0, new Uint8Array(size)]).ok);
});

test('an amount is an integer of 64 bits', () => {
  const amountOf = (value: Cbor) => readShape('x', value, (each) => uint64Of(each, 'amount'));
  for (const value of [0, 1, 2n ** 53n, uint64Max])
    assert.deepEqual(amountOf(value), { ok: true, value: BigInt(value) });
  for (const value of [-1, -1n, uint64Max + 1n, '1', null, true, [1]] as Cbor[]) assert.ok(!amountOf(value).ok);
});

test('paths are those of the state, and keys their ascii bytes', () => {
  assert.deepEqual(
    [
      paths.parameters,
      paths.member('a'),
      paths.device('a', 'd'),
      paths.key('00ff'),
      paths.window('00ff'),
      paths.asset('coin'),
      paths.balance('a/d', 'coin'),
      paths.anchor('ab', 'a'),
      paths.quota('a'),
      paths.validator('v'),
      paths.misbehaviour('a', 7, 'equivocation'),
    ],
    [
      ...['parameters', 'member/a', 'device/a/d', 'key/00ff', 'window/00ff', 'asset/coin', 'account/a/d/coin'],
      ...['anchor/ab/a', 'quota/a', 'validator/v', 'misbehaviour/a/7/equivocation'],
    ],
  );
  assert.deepEqual(pathToKey('a/~'), Uint8Array.of(0x61, 0x2f, 0x7e));
  assert.equal(keyToPath(pathToKey('member/a')), 'member/a');
});
