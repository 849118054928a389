import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../crypto/hash.ts';
import { encodeGenesis } from '../model/genesis.ts';
import { defaultParameters } from '../model/parameters.ts';
import { validatorSetDigest } from '../model/validator-set.ts';
import { createTrustAnchor, firstEpoch, genesisToTrustAnchor, setToTrustAnchor } from './trust-anchor.ts';

const validators = ['alder', 'birch', 'cedar', 'damson'].map((id, i) => ({
  id,
  member: 'forest',
  linkKey: new Uint8Array(32).fill(10 + i),
  votingKey: new Uint8Array(32).fill(20 + i),
  checkpointKey: new Uint8Array(32).fill(30 + i),
  addresses: [],
  life: null,
}));

test('a genesis document is an anchor: its hash, its validators and their quorum', () => {
  const bytes = encodeGenesis({
    name: 'Forest',
    timeMs: 1_700_000_000_999,
    rules: 1,
    parameters: defaultParameters,
    validators,
    members: [{ id: 'forest', name: 'Forest' }],
    keys: [],
    assets: [],
    balances: [],
  });
  const anchor = genesisToTrustAnchor(bytes);
  assert.ok(anchor.ok);
  assert.deepEqual(anchor.value, {
    ledgerHash: sha256(bytes),
    epoch: firstEpoch,
    validators: validators.map(({ id, checkpointKey }) => ({ id, checkpointKey })),
    setDigest: validatorSetDigest(validators),
    quorum: 3,
    certifiedSeconds: 1_700_000_000,
  });
});

test('bytes that are no genesis are no anchor', () => {
  const anchor = genesisToTrustAnchor(Uint8Array.of(1, 2, 3));
  assert.equal(!anchor.ok && anchor.error.code, 'genesis.malformed');
});

test('a set in which one key stands for two validators is no anchor', () => {
  const [first, second] = validators;
  const twice = [first!, { ...second!, checkpointKey: first!.checkpointKey }];
  assert.throws(() => setToTrustAnchor(sha256(Uint8Array.of(0)), firstEpoch, twice, 0), /different keys/);
});

test('the validators of an anchor ascend by id, in whatever order they were given', () => {
  const parts = { ledgerHash: sha256(Uint8Array.of(0)), epoch: firstEpoch, certifiedSeconds: 5 };
  const setDigest = validatorSetDigest(validators);
  const anchor = createTrustAnchor({ ...parts, setDigest, validators: [...validators].reverse() });
  assert.deepEqual(anchor, setToTrustAnchor(parts.ledgerHash, firstEpoch, validators, 5));
});
