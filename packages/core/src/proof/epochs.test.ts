import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../crypto/hash.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import { toEpoch, toHeight, toValidatorIndex } from '../model/brands.ts';
import type { EpochProof } from '../model/epoch-proof.ts';
import { validatorSetDigest } from '../model/validator-set.ts';
import { anchorOfEpoch, anchorToChain, followEpochs, newestAnchor, verifyEpochProof } from './epochs.ts';
import { anchorOf, proofOf, setOf, signatureOf, statementOf, validatorOf } from './testing/epochs.ts';

/** Four validators; elm joins, alder leaves, birch comes back with another key. */
const first = setOf('alder', 'birch', 'cedar', 'damson');
const second = setOf('alder', 'birch', 'cedar', 'damson', 'elm');
const third = setOf('birch', 'cedar', 'damson', 'elm');
const genesis = anchorOf(1, first);
const toSecond = proofOf(1, first, second, { issuedSeconds: 1_700_000_100 });
const toThird = proofOf(2, second, third, { issuedSeconds: 1_700_000_200 });
const toFourth = proofOf(3, third, third.toSpliced(0, 1, validatorOf('birch', 'again')));

// --- One proof -------------------------------------------------------------------------------------------------------

test('a quorum of the old set proves the next one: its keys, its digest, its time', () => {
  const next = verifyEpochProof(genesis, toSecond, nobleVerifier);
  assert.ok(next.ok);
  assert.deepEqual(next.value, anchorOf(2, second, 1_700_000_100));
  assert.equal(next.value.quorum, 4);
  assert.deepEqual(next.value.setDigest, validatorSetDigest(second));
});

test('one signature less than the quorum of the old set is too few, however many the new set needs', () => {
  assert.equal(codeOf(genesis, proofOf(1, first, second, { signers: [0, 1] })), 'anchor.too-few-signatures');
  assert.equal(
    codeOf(anchorOf(1, second), proofOf(1, second, third, { signers: [0, 1, 2] })),
    'anchor.too-few-signatures',
  );
  const single = setOf('elm');
  assert.equal(codeOf(genesis, proofOf(1, first, single, { signers: [0] })), 'anchor.too-few-signatures');
  assert.equal(codeOf(genesis, { signatures: [], validators: second }), 'anchor.too-few-signatures');
});

test('signatures of another set are false: of the new one, of an older one, of a validator’s other key', () => {
  assert.equal(codeOf(genesis, proofOf(1, third, second)), 'anchor.bad-signature');
  const after = anchorOf(4, third.toSpliced(0, 1, validatorOf('birch', 'again')));
  assert.equal(codeOf(after, proofOf(4, third, second)), 'anchor.bad-signature');
  assert.equal(codeOf(anchorOf(2, third), proofOf(2, first, second)), 'anchor.bad-signature');
});

test('one false signature spoils a proof, even when enough are left without it', () => {
  const all = proofOf(1, first, second, { signers: [0, 1, 2, 3] });
  assert.equal(codeOf(genesis, all), 'ok');
  const [one, ...rest] = all.signatures;
  const signature = one!.signature.slice();
  signature[7]! ^= 1;
  assert.equal(codeOf(genesis, { ...all, signatures: [{ ...one!, signature }, ...rest] }), 'anchor.bad-signature');
  const later = { ...one!, issuedSeconds: one!.issuedSeconds + 1 };
  assert.equal(codeOf(genesis, { ...all, signatures: [later, ...rest] }), 'anchor.bad-signature');
});

test('a signer counts once, and must have a place in the set', () => {
  const [one, two, three] = toSecond.signatures as [EpochProof['signatures'][0], EpochProof['signatures'][0], never];
  assert.equal(codeOf(genesis, { ...toSecond, signatures: [one, two, two] }), 'anchor.duplicate-signer');
  const stranger = { ...one, signer: toValidatorIndex(4) };
  assert.equal(codeOf(genesis, { ...toSecond, signatures: [two, three, stranger] }), 'anchor.unknown-signer');
});

test('signatures of different checkpoints do not add up to a quorum', () => {
  const changes = [
    { height: toHeight(101) },
    { round: 1 },
    { historySize: 1 },
    { historyRoot: sha256(Uint8Array.of(9)) },
    { stateRoot: sha256(Uint8Array.of(9)) },
    { validatorSet: sha256(Uint8Array.of(9)) },
  ];
  for (const change of changes) {
    const other = signatureOf(first, 2, { ...statementOf(1, second), ...change });
    const signatures = [...toSecond.signatures.slice(0, 2), other];
    assert.equal(codeOf(genesis, { ...toSecond, signatures }), 'anchor.mixed-checkpoints');
  }
});

test('a set that the checkpoint does not name is forged, whatever in it was changed', () => {
  const forged = [
    third,
    second.slice(1),
    [...second, validatorOf('fir')],
    second.map((each, i) => (i === 4 ? validatorOf('elm', 'stolen') : each)),
    second.map((each, i) => (i === 0 ? { ...each, addresses: ['evil.example:7700'] } : each)),
    second.map((each, i) => (i === 0 ? { ...each, life: new Uint8Array(16) } : each)),
  ];
  for (const validators of forged) assert.equal(codeOf(genesis, { ...toSecond, validators }), 'anchor.wrong-set');
});

test('a proof of another ledger or another epoch leads nowhere', () => {
  const otherLedger = proofOf(1, first, second, { ledgerHash: sha256(Uint8Array.of(99)) });
  assert.equal(codeOf(genesis, otherLedger), 'anchor.wrong-ledger');
  assert.equal(codeOf(genesis, proofOf(2, first, second)), 'anchor.wrong-epoch');
  assert.equal(codeOf(anchorOf(2, first), toSecond), 'anchor.wrong-epoch');
});

// --- Several epochs --------------------------------------------------------------------------------------------------

const all = [toSecond, toThird, toFourth];
const start = anchorToChain(genesis);

test('from the genesis over every proof to the newest set', () => {
  const chain = orThrow(followEpochs(start, all, nobleVerifier));
  assert.deepEqual(
    chain.anchors.map(({ epoch, quorum }) => [epoch, quorum]),
    [
      [1, 3],
      [2, 4],
      [3, 3],
      [4, 3],
    ],
  );
  assert.deepEqual(chain.proofs, all);
  assert.deepEqual(anchorOfEpoch(chain, 3), anchorOf(3, third, 1_700_000_200));
  assert.equal(newestAnchor(chain).epoch, 4);
  for (const epoch of [0, 5, -1, 1.5]) assert.equal(anchorOfEpoch(chain, epoch), null);
});

test('a chain grows piece by piece; what it has passed, or what was before it, changes nothing', () => {
  let chain = start;
  for (const proof of all) chain = orThrow(followEpochs(chain, [proof], nobleVerifier));
  assert.deepEqual(chain, orThrow(followEpochs(start, all, nobleVerifier)));
  assert.deepEqual(orThrow(followEpochs(chain, all, nobleVerifier)), chain);
  const late = anchorToChain(chain.anchors[2]!);
  assert.deepEqual(orThrow(followEpochs(late, all, nobleVerifier)).anchors, chain.anchors.slice(2));
});

test('proofs with a gap or in another order are refused', () => {
  assert.equal(chainCodeOf([toSecond, toFourth]), 'anchor.wrong-epoch');
  assert.equal(chainCodeOf([toThird, toSecond]), 'anchor.wrong-epoch');
  assert.equal(chainCodeOf([toFourth, toThird, toSecond]), 'anchor.wrong-epoch');
});

test('one false proof among good ones stops the whole', () => {
  const forged = { ...toThird, validators: first };
  assert.equal(chainCodeOf([toSecond, forged, toFourth]), 'anchor.wrong-set');
});

// --- Two futures -----------------------------------------------------------------------------------------------------

test('two proofs of one epoch with different sets are an alarm that names who signed both', () => {
  const forks = [
    proofOf(1, first, third, { signers: [1, 2, 3] }),
    proofOf(1, first, third, { signers: [1, 2, 3], height: toHeight(150) }),
    // The same set, but the epoch can't end twice.
    proofOf(1, first, second, { signers: [1, 2, 3], height: toHeight(150) }),
  ];
  for (const fork of forks) {
    for (const proofs of [
      [toSecond, fork],
      [fork, toSecond],
      [toSecond, toThird, fork],
    ]) {
      const followed = followEpochs(start, proofs, nobleVerifier);
      assert.equal(!followed.ok && followed.error.code, 'anchor.two-futures');
      assert.match(!followed.ok ? followed.error.message : '', / birch, cedar signed both: 2 of its 4 /);
    }
  }
});

test('a false second proof raises no alarm', () => {
  const forged = { ...proofOf(1, first, third), validators: first };
  assert.equal(chainCodeOf([toSecond, forged]), 'anchor.wrong-set');
  assert.equal(chainCodeOf([toSecond, proofOf(1, third, third)]), 'anchor.bad-signature');
});

test('other signers, times and rounds of one end are no alarm', () => {
  const chain = orThrow(followEpochs(start, all, nobleVerifier));
  for (const same of [
    proofOf(1, first, second, { signers: [1, 2, 3], issuedSeconds: 5 }),
    proofOf(1, first, second, { round: 1, stateRoot: sha256(Uint8Array.of(9)) }),
  ]) {
    assert.deepEqual(orThrow(followEpochs(chain, [same], nobleVerifier)), chain);
  }
});

test('an unchanged set is told by every checkpoint of its epoch, and gives way to the change after it', () => {
  const unchanged = proofOf(1, first, first, { height: toHeight(60) });
  const chain = orThrow(followEpochs(start, [unchanged], nobleVerifier));
  assert.deepEqual(newestAnchor(chain), anchorOf(2, first));
  const mended = orThrow(followEpochs(chain, all, nobleVerifier));
  assert.deepEqual(mended, orThrow(followEpochs(start, all, nobleVerifier)));
  assert.deepEqual(orThrow(followEpochs(mended, [unchanged], nobleVerifier)), mended);
  const elsewhere = proofOf(1, first, first, { height: toHeight(70) });
  assert.deepEqual(orThrow(followEpochs(chain, [elsewhere], nobleVerifier)), chain);
});

test('an unchanged set at or above the height of the change is an alarm', () => {
  for (const height of [100, 101]) {
    const unchanged = proofOf(1, first, first, { height: toHeight(height) });
    assert.equal(chainCodeOf([toSecond, unchanged]), 'anchor.two-futures');
    assert.equal(chainCodeOf([unchanged, toSecond]), 'anchor.two-futures');
  }
});

test('the epochs of a chain may begin anywhere', () => {
  const far = anchorToChain(anchorOf(1_000_000, first));
  const chain = orThrow(followEpochs(far, [proofOf(1_000_000, first, second)], nobleVerifier));
  assert.equal(newestAnchor(chain).epoch, toEpoch(1_000_001));
});

function codeOf(anchor: typeof genesis, proof: EpochProof): string {
  const verified = verifyEpochProof(anchor, proof, nobleVerifier);
  if (verified.ok) return 'ok';
  assert.match(verified.error.message, /Ask another node/, 'the message says what to do');
  return verified.error.code;
}

function chainCodeOf(proofs: readonly EpochProof[]): string {
  const followed = followEpochs(start, proofs, nobleVerifier);
  return followed.ok ? 'ok' : followed.error.code;
}

function orThrow<T>(result: { ok: true; value: T } | { ok: false; error: { message: string } }): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
