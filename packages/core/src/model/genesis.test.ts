import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../crypto/hash.ts';
import { nobleSigner } from '../crypto/noble-signer.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import {
  checkGenesisKeys,
  decodeGenesis,
  encodeGenesis,
  type Genesis,
  genesisEntries,
  genesisToLedgerHash,
  uint64Max,
} from './genesis.ts';
import { defaultParameters } from './parameters.ts';
import { validatorSetDigest } from './validator-set.ts';

const keyOf = (number: number): Uint8Array => nobleSigner('ed25519', new Uint8Array(32).fill(number)).publicKey;

const validator = (id: string, number: number) => ({
  id,
  member: 'acme',
  linkKey: keyOf(number),
  votingKey: keyOf(number + 1),
  checkpointKey: keyOf(number + 2),
  addresses: ['127.0.0.1:7001'],
  life: null,
});

const genesis: Genesis = {
  name: 'Test network',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators: [validator('node-b', 10), validator('node-a', 20)],
  members: [
    { id: 'boreal', name: 'Boreal AS' },
    { id: 'acme', name: 'Acme Ltd' },
  ],
  keys: [
    { role: 'person', algorithm: 'ed25519', publicKey: keyOf(1), member: 'acme', device: null },
    { role: 'device', algorithm: 'ed25519', publicKey: keyOf(2), member: 'acme', device: 'meter' },
  ],
  assets: [{ id: 'coin', decimals: 2, issuer: 'acme' }],
  balances: [
    { account: 'boreal', asset: 'coin', amount: 5n },
    { account: 'acme/meter', asset: 'coin', amount: uint64Max - 5n },
  ],
};

const decoded = (document: Genesis): Genesis => {
  const result = decodeGenesis(encodeGenesis(document));
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
};

const refusal = (document: Genesis): string => {
  const result = decodeGenesis(encodeGenesis(document));
  assert.ok(!result.ok);
  assert.equal(result.error.code, 'genesis.malformed');
  return result.error.message;
};

test('a genesis decodes to what was encoded, its lists in order', () => {
  const read = decoded(genesis);
  assert.deepEqual(
    read.members.map(({ id }) => id),
    ['acme', 'boreal'],
  );
  assert.deepEqual(
    read.validators.map(({ id }) => id),
    ['node-a', 'node-b'],
  );
  assert.deepEqual(
    { ...read, members: 0, validators: 0, keys: 0, balances: 0 },
    { ...genesis, members: 0, validators: 0, keys: 0, balances: 0 },
  );
  assert.deepEqual(encodeGenesis(read), encodeGenesis(genesis));
});

test('one content has one ledger hash, in whatever order it is given', () => {
  const reversed: Genesis = {
    ...genesis,
    validators: genesis.validators.toReversed(),
    members: genesis.members.toReversed(),
    keys: genesis.keys.toReversed(),
    balances: genesis.balances.toReversed(),
  };
  assert.deepEqual(genesisToLedgerHash(reversed), genesisToLedgerHash(genesis));
  assert.deepEqual(genesisToLedgerHash(genesis), sha256(encodeGenesis(genesis)));
});

test('the two leaves are the ledger hash and the digest of the first validator set', () => {
  assert.deepEqual(genesisEntries(genesis), [genesisToLedgerHash(genesis), validatorSetDigest(genesis.validators)]);
});

test('a document that contradicts itself is refused, and the message says where', () => {
  const [person, device] = genesis.keys as [Genesis['keys'][0], Genesis['keys'][0]];
  const cases: [Partial<Genesis>, RegExp][] = [
    [{ members: [genesis.members[1]!] }, /boreal, which is no member/],
    [{ members: [...genesis.members, { id: 'acme', name: 'Twin' }] }, /members must be in order, none twice/],
    [{ members: [...genesis.members, { id: 'Acme', name: 'Capital' }] }, /member id must be/],
    [{ keys: [person, device, person] }, /keys must be in order, none twice/],
    [{ keys: [person, { ...device, member: 'nobody' }] }, /nobody, which is no member/],
    [{ keys: [person, { ...device, device: null }] }, /device keys must name a device/],
    [{ keys: [{ ...person, device: 'meter' }, device] }, /device keys must name a device/],
    [{ keys: [person] }, /acme\/meter, which is no member and no device/],
    [{ assets: [{ id: 'coin', decimals: 19, issuer: 'acme' }] }, /decimals/],
    [{ assets: [{ id: 'coin', decimals: 2, issuer: 'nobody' }] }, /issuer of coin/],
    [{ assets: [] }, /coin, which is no asset/],
    [{ balances: [{ account: 'acme/', asset: 'coin', amount: 1n }] }, /an account must be/],
    [{ balances: [{ account: 'acme', asset: 'coin', amount: 0n }] }, /from 1 to 2\^64/],
    [{ balances: [...genesis.balances, { account: 'acme', asset: 'coin', amount: 1n }] }, /more than 2\^64/],
    [{ validators: [] }, /validator set/],
    [{ validators: [{ ...validator('node-a', 20), member: 'nobody' }] }, /names no member/],
    [{ validators: [{ ...validator('node-a', 20), life: new Uint8Array(16) }] }, /has a life number/],
    [{ keys: [person, device, { ...person, publicKey: keyOf(20) }] }, /link key of acme is listed/],
    [{ rules: 65_536 }, /rules/],
    [{ timeMs: -1 }, /time/],
    [{ name: 'x'.repeat(101) }, /name/],
    [{ parameters: { ...defaultParameters, checkpointLag: 0 } }, /checkpointLag must be at least 1/],
    [{ parameters: { ...defaultParameters, bytesPerMinute: 65_534 } }, /bytesPerMinute/],
    [{ parameters: { ...defaultParameters, memberVotesPercent: 50 } }, /memberVotesPercent must be at least 51/],
    [{ parameters: { ...defaultParameters, memberVotesPercent: 101 } }, /memberVotesPercent/],
  ];
  for (const [change, message] of cases) assert.match(refusal({ ...genesis, ...change }), message);
});

test('an owner with more keys than it may have is refused', () => {
  const keys = Array.from({ length: 17 }, (_, i) => ({ ...genesis.keys[1]!, publicKey: keyOf(30 + i) }));
  assert.match(refusal({ ...genesis, keys }), /acme\/meter has more than 16 keys/);
});

test('bytes cut short, lengthened or changed never throw, and never give the same document', () => {
  const bytes = encodeGenesis(genesis);
  const hash = genesisToLedgerHash(genesis);
  for (const cut of [0, 1, 100, bytes.length - 1]) assert.ok(!decodeGenesis(bytes.subarray(0, cut)).ok);
  assert.ok(!decodeGenesis(Uint8Array.from([...bytes, 0])).ok);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = bytes.slice();
      changed[at]! ^= flip;
      const result = decodeGenesis(changed);
      if (result.ok) assert.notDeepEqual(genesisToLedgerHash(result.value), hash);
    }),
  );
});

test('keys that are no proper points are found by the check of keys', () => {
  assert.ok(checkGenesisKeys(genesis, nobleVerifier.checkPublicKey).ok);
  const bad = new Uint8Array(32).fill(255);
  const inKey = { ...genesis, keys: [{ ...genesis.keys[0]!, publicKey: bad }] };
  const inValidator = { ...genesis, validators: [{ ...validator('node-a', 20), votingKey: bad }] };
  for (const document of [inKey, inValidator]) {
    const checked = checkGenesisKeys(document, nobleVerifier.checkPublicKey);
    assert.ok(!checked.ok);
    assert.match(checked.error.message, /acme|node-a/);
  }
});

test('a large genesis may have more items than a message', () => {
  const members = Array.from({ length: 30 }, (_, i) => ({ id: `m-${String(i).padStart(2, '0')}`, name: 'M' }));
  const assets = Array.from({ length: 1_000 }, (_, i) => ({ id: `a-${i}`, decimals: 0, issuer: 'm-00' }));
  const balances = members.flatMap(({ id }) => assets.map((asset) => ({ account: id, asset: asset.id, amount: 1n })));
  const validators = genesis.validators.map((each) => ({ ...each, member: 'm-00' }));
  assert.equal(decoded({ ...genesis, members, assets, balances, validators, keys: [] }).balances.length, 30_000);
});
