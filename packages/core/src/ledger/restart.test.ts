/** Who may restart a network, and what the ledger makes of it (protocol.md section 6, "Restart"). */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { sha256 } from '../crypto/hash.ts';
import { nobleSigner } from '../crypto/noble-signer.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import { toEpoch, toHeight } from '../model/brands.ts';
import {
  createRestart,
  decodeSignedRestart,
  encodeSignedRestart,
  restartSignedBytes,
  type SignedRestart,
  withRestartSignature,
} from '../model/restart.ts';
import type { Validator } from '../model/validator-set.ts';
import { registerKey } from './operations/register-key.ts';
import { revokeKey } from './operations/revoke-key.ts';
import { checkRestart } from './restart.ts';
import { readRemoved, readSuspensions, readTargetRules } from './set-query.ts';
import { createSetWorld, lifeOf, type SetWorld } from './testing/set-world.ts';

/** The world's own signers do not sign. */
const personOf = (i: number) => nobleSigner('ed25519', new Uint8Array(32).fill(i));
const linkOf = (i: number) => personOf(20 + i);
const digest = sha256(Uint8Array.of(3));

function documentOf(world: SetWorld, validators: readonly Validator[] = world.target()): SignedRestart {
  const at = { height: toHeight(world.height()), epoch: toEpoch(world.epoch().number), timeMs: 1_000, rules: 1 };
  return createRestart({ ...at, ledgerHash: digest, parent: digest, result: digest, checkpoint: digest }, validators);
}

function signedBy(document: SignedRestart, ...persons: number[]): SignedRestart {
  return persons.reduce((signed, i) => {
    const { kid, sign } = personOf(i);
    return withRestartSignature(signed, { kid, signature: sign(restartSignedBytes(signed)) });
  }, document);
}

function verdictOn(world: SetWorld, signed: SignedRestart): string {
  const checked = checkRestart(world.store, signed, nobleVerifier);
  return checked.ok ? `${checked.value.members.length} of ${checked.value.membersCount}` : checked.error.code;
}

test('it takes as many members as a vote, and each has one', () => {
  const world = createSetWorld(6);
  const document = documentOf(world);
  // 67 % of 6 are 4.02.
  assert.equal(verdictOn(world, document), 'restart.too-few-members');
  assert.equal(verdictOn(world, signedBy(document, 1, 2, 3, 4)), 'restart.too-few-members');
  assert.equal(verdictOn(world, signedBy(document, 1, 2, 3, 4, 6)), '5 of 6');
});

test('only persons of members decide, with keys in force there, over these very bytes', () => {
  const world = createSetWorld(4);
  const document = signedBy(documentOf(world), 1, 2, 3);
  assert.equal(verdictOn(world, document), '3 of 4');
  const { kid, sign } = linkOf(4);
  const byNode = withRestartSignature(document, { kid, signature: sign(restartSignedBytes(document)) });
  assert.equal(verdictOn(world, byNode), 'restart.unknown-key');
  const unsealed = withRestartSignature(document, {
    kid: personOf(4).kid,
    signature: personOf(4).sign(document.bytes),
  });
  assert.equal(verdictOn(world, unsealed), 'restart.bad-signature');
  const other = signedBy(documentOf(world, world.target().slice(1)), 4);
  assert.equal(
    verdictOn(world, withRestartSignature(document, other.signatures[0]!)),
    'restart.bad-signature',
    'of another decision',
  );
});

test('any person of a member will do, and a key that is revoked by then will not', () => {
  const world = createSetWorld(4);
  const { publicKey } = personOf(40);
  const key = { role: 'person', algorithm: 'ed25519', publicKey, member: 'm2', device: null } as const;
  assert.equal(world.verdict(personOf(2), registerKey.toCbor(key)), 'ok');
  assert.equal(verdictOn(world, signedBy(documentOf(world), 1, 2, 3, 40)), '3 of 4');
  assert.equal(world.verdict(personOf(2), revokeKey.toCbor({ kid: personOf(2).kid })), 'ok');
  assert.equal(verdictOn(world, signedBy(documentOf(world), 1, 40, 3)), '3 of 4');
  assert.equal(verdictOn(world, signedBy(documentOf(world), 1, 2, 3)), 'restart.unknown-key');
});

test('its validators are those that the ledger wants, whatever their life numbers, or enough of them', () => {
  const world = createSetWorld(6);
  const [first, ...rest] = world.target();
  const verdict = (...validators: Validator[]) =>
    verdictOn(world, signedBy(documentOf(world, validators), 1, 2, 3, 4, 5));
  assert.equal(verdict({ ...first!, life: lifeOf(1) }, ...rest), '5 of 6');
  assert.equal(verdict(...rest.slice(1)), '5 of 6', 'four remain');
  assert.equal(verdict(...rest.slice(2)), 'restart.too-few-validators');
  for (const change of [
    { id: 'v9' },
    { member: 'm2' },
    { linkKey: digest },
    { votingKey: digest },
    { checkpointKey: digest },
    { addresses: ['127.0.0.1:1'] },
    { host: 'here' },
    { operator: 'me' },
  ])
    assert.equal(verdict({ ...first!, ...change }, ...rest), 'restart.foreign-validator', JSON.stringify(change));
});

test('the set of a restart stands in place of what the ledger wanted, and ends what is said of who was before', () => {
  const world = createSetWorld(6);
  assert.equal(world.attest(2, 'v2', 'fenced'), 'ok');
  assert.deepEqual(
    readSuspensions(world.store).map(({ validator }) => validator),
    ['v2'],
  );
  // A change is in flight when the network stops.
  world.execute([], { misbehaviour: [world.fault(6)] });
  assert.deepEqual(world.ids(), ['v1', 'v2', 'v3', 'v4', 'v5']);
  const restart = world
    .target()
    .filter(({ id }) => id !== 'v5')
    .map((each) => (each.id === 'v2' ? { ...each, life: lifeOf(4) } : each));
  const { targetSet, targetRules, events } = world.execute([], { restart });
  assert.deepEqual(targetSet, restart);
  assert.equal(targetRules, 1);
  assert.equal(readTargetRules(world.store), 1);
  assert.deepEqual(
    readRemoved(world.store).map(({ validator, cause }) => [validator, cause]),
    [
      ['v5', 'vote'],
      ['v6', 'fault'],
    ],
  );
  assert.ok(events.some((event) => event.type === 'target-changed' && event.left[0]?.validator === 'v5'));
  world.execute([], { validators: restart });
  assert.deepEqual(readSuspensions(world.store), [], 'with another life number it is somebody else');
});

test('a document is read back as it was written, and nothing that is none is read', () => {
  const world = createSetWorld(4);
  const document = signedBy(documentOf(world), 1, 3);
  const encoded = encodeSignedRestart(document);
  const decoded = decodeSignedRestart(encoded);
  assert.deepEqual(decoded, { ok: true, value: document });
  assert.equal(document.restart.block.header.height, world.height() + 1);
  for (let i = 0; i < encoded.length; i += 7) {
    const cut = decodeSignedRestart(encoded.subarray(0, i));
    assert.equal(!cut.ok && cut.error.code, 'restart.malformed');
  }
  const twice = encodeSignedRestart({ ...document, signatures: [document.signatures[0]!, document.signatures[0]!] });
  assert.equal(decodeSignedRestart(twice).ok, false);
  const again = signedBy(document, 3);
  assert.equal(again.signatures.length, 2, 'who signs again replaces the signature');
});
