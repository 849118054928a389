/** The checkers find what they are for: each one is shown something wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Certificate,
  createBatch,
  createCertificate,
  defaultConstants,
  type FaultProof,
  type SignedVote,
  sha256,
  signBatch,
  signCheckpoint,
  signedBytes,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { SigningChecker, Violations } from '../checkers.ts';
import { createVirtualChain, nameOf } from '../virtual-chain.ts';
import type { VirtualNode } from '../virtual-node.ts';
import { CertificateChecker } from './certificates.ts';
import { EpochSets } from './epoch-sets.ts';
import { MemoryChecker } from './memory.ts';
import { checkExecutedOnce } from './once.ts';
import { problemOfProof } from './proofs.ts';
import { checkForkIsNamed } from './referee.ts';
import { SignedStatements } from './signed-statements.ts';

const nodesCount = 4;

function createBench() {
  const statements = new SignedStatements(nodesCount);
  const chain = statements.watch(createVirtualChain(nodesCount, defaultConstants));
  const violations = new Violations();
  const certificates = new CertificateChecker(new EpochSets(chain.set, violations), statements, violations);
  const sign = (signer: number, vote: Vote): SignedVote => ({
    vote,
    signer: toValidatorIndex(signer),
    signature: chain.signers[signer]!.voting.sign(voteSignedBytes(vote, chain.ledgerHash)),
  });
  const check = (certificate: Certificate) => certificates.onPersisted(0, { type: 'certificate', certificate });
  const problemOf = (proof: FaultProof) => problemOfProof(proof, chain.set.validators, statements);
  return { chain, violations, sign, check, problemOf };
}

const proposal = { epoch: toEpoch(1), view: toView(5), parentView: toView(4), digest: sha256(Uint8Array.of(1)) };
const other = { ...proposal, digest: sha256(Uint8Array.of(2)) };
const nullify = (view: number): Vote => ({ type: 'nullify', epoch: toEpoch(1), view: toView(view) });

test('a certificate that a quorum has signed is sound', () => {
  const { violations, sign, check } = createBench();
  for (const vote of [nullify(3), { type: 'finalize', proposal }, { type: 'notarize', proposal }] as Vote[])
    check(createCertificate([0, 2, 3].map((signer) => sign(signer, vote))));
  assert.deepEqual(violations.list(), []);
});

test('a certificate is found that has too few signers, one twice, a stranger, another epoch, or a row nobody signed', () => {
  const { violations, sign, check } = createBench();
  const vote: Vote = { type: 'finalize', proposal };
  const rows = [0, 2, 3].map((signer) => sign(signer, vote));
  const sound = createCertificate(rows);
  const unsound: [Certificate, RegExp][] = [
    [createCertificate(rows.slice(0, 2)), /of 2 signers/],
    [{ ...sound, signers: [0, 2, 2].map(toValidatorIndex) }, /a signer twice/],
    [{ ...sound, signers: [0, 2, 9].map(toValidatorIndex) }, /9 has not signed/],
    [{ ...sound, signers: [0, 1, 2].map(toValidatorIndex) }, /1 has not signed/],
    [{ ...sound, vote: { type: 'notarize', proposal } }, /0 has not signed/],
    [{ ...sound, vote: { type: 'finalize', proposal: { ...proposal, view: toView(6) } } }, /0 has not signed/],
    [{ ...sound, vote: { type: 'finalize', proposal: { ...proposal, epoch: toEpoch(2) } } }, /of epoch 2/],
  ];
  for (const [certificate, expected] of unsound) {
    const before = violations.list().length;
    check(certificate);
    assert.match(violations.list().slice(before).join(), expected);
  }
});

test('a proof of two votes proves something only if both were signed and exclude each other', () => {
  const { sign, problemOf } = createBench();
  const accused = toValidatorIndex(1);
  const proofOf = (first: SignedVote, second: SignedVote): FaultProof => ({ type: 'votes', accused, first, second });
  const a = sign(1, { type: 'notarize', proposal });
  const b = sign(1, { type: 'finalize', proposal: other });
  const c = sign(1, nullify(5));
  assert.equal(problemOf(proofOf(a, b)), null);
  assert.equal(problemOf(proofOf(b, c)), null);
  assert.match(problemOf(proofOf(a, c))!, /both may be signed/);
  assert.match(problemOf(proofOf(a, a))!, /both may be signed/);
  assert.match(problemOf(proofOf(a, sign(1, { type: 'finalize', proposal })))!, /both may be signed/);
  assert.match(problemOf(proofOf(b, sign(1, nullify(6))))!, /both may be signed/);
  assert.match(problemOf(proofOf(a, { ...a, vote: { type: 'notarize', proposal: other } }))!, /not signed by it/);
  assert.match(problemOf(proofOf(a, sign(2, { type: 'notarize', proposal: other })))!, /not signed by it/);
});

test('a proof of two batches proves something only if both were signed and have one number', () => {
  const { chain, problemOf } = createBench();
  const accused = toValidatorIndex(1);
  const batchOf = (seq: number, text: string, signer = 1) => {
    const header = {
      epoch: toEpoch(1),
      author: accused,
      seq,
      base: 1,
      previous: new Uint8Array(0),
      expiryHeight: toHeight(100),
    };
    const batch = createBatch(header, [new TextEncoder().encode(text)]);
    return signBatch(
      batch,
      chain.signers[signer]!.voting.sign(signedBytes('batch', chain.ledgerHash, batch.headerBytes)),
    );
  };
  const first = batchOf(1, 'a');
  assert.equal(problemOf({ type: 'batches', accused, first, second: batchOf(1, 'b') }), null);
  assert.match(problemOf({ type: 'batches', accused, first, second: first })!, /both may be signed/);
  assert.match(problemOf({ type: 'batches', accused, first, second: batchOf(2, 'b') })!, /both may be signed/);
  assert.match(problemOf({ type: 'batches', accused, first, second: batchOf(1, 'c', 2) })!, /not signed by it/);
});

test('who signs two results of one height is found by the bytes it signs; the same result twice is none', () => {
  const { chain } = createBench();
  const signedBy = (round: number, historyText: string, stateText: string, issuedSeconds: number): Uint8Array => {
    const root = (text: string) => sha256(new TextEncoder().encode(text));
    const roots = { historyRoot: root(historyText), stateRoot: root(stateText) };
    const statement = { ...chain.genesis.statement, height: toHeight(7), round, ...roots };
    let signed = new Uint8Array(0);
    const { checkpoint } = chain.signers[1]!;
    const sign = (message: Uint8Array) => {
      signed = new Uint8Array(message);
      return checkpoint.sign(message);
    };
    signCheckpoint(statement, toValidatorIndex(1), chain.set.validators[1]!, issuedSeconds, { ...checkpoint, sign });
    return signed;
  };
  const found = (...messages: Uint8Array[]): string => {
    const violations = new Violations();
    const checker = new SigningChecker(1, violations);
    for (const message of messages) checker.onSignedCheckpoint(message);
    return violations.list().join();
  };
  assert.equal(found(signedBy(0, 'a', 'a', 1), signedBy(0, 'a', 'a', 2), signedBy(1, 'b', 'b', 1)), '');
  assert.match(found(signedBy(0, 'a', 'a', 1), signedBy(0, 'b', 'a', 1)), /signed two different: checkpoint 7\/0/);
  assert.match(found(signedBy(0, 'a', 'a', 1), signedBy(0, 'a', 'b', 1)), /signed two different: checkpoint 7\/0/);
});

test('a proof of two checkpoints proves something only if both were signed and are of one height', () => {
  const { chain, problemOf } = createBench();
  const accused = toValidatorIndex(1);
  const of = (height: number, root: number, signer = 1) => {
    const statement = { ...chain.genesis.statement, height: toHeight(height), stateRoot: sha256(Uint8Array.of(root)) };
    return signCheckpoint(statement, accused, chain.set.validators[1]!, 1, chain.signers[signer]!.checkpoint);
  };
  const first = of(1, 1);
  assert.equal(problemOf({ type: 'checkpoints', accused, first, second: of(1, 2) }), null);
  assert.match(problemOf({ type: 'checkpoints', accused, first, second: of(1, 1) })!, /both may be signed/);
  assert.match(problemOf({ type: 'checkpoints', accused, first, second: of(2, 2) })!, /both may be signed/);
  assert.match(problemOf({ type: 'checkpoints', accused, first, second: of(1, 3, 2) })!, /not signed by it/);
});

/** A node as the checkers see it: what it holds and what it has executed. */
function nodeWith(fields: {
  readonly executed?: readonly (readonly [height: number, names: readonly string[]])[];
  readonly recordTypes?: readonly string[];
  readonly wanted?: number;
  readonly pastViews?: number;
  readonly accused?: readonly number[];
  readonly isForked?: boolean;
}): VirtualNode {
  const executed = (fields.executed ?? []).map(([height, names]) => ({
    block: { header: { height, epoch: 1 } },
    batches: [
      {
        digest: sha256(Uint8Array.of(height)),
        header: { epoch: 1, author: 2 },
        transactions: names.map((name) => new TextEncoder().encode(name)),
      },
    ],
  }));
  const replica = {
    status: () => ({
      view: 9,
      lastFinalizedView: 8,
      executedHeight: 5,
      certifiedHeight: 5,
      isForked: fields.isForked ?? false,
    }),
    sizes: () => ({ wanted: fields.wanted ?? 0, checkpointHeights: 1, pastViews: fields.pastViews ?? 1 }),
    agreement: { liveViews: () => [] },
    liveRecords: () => (fields.recordTypes ?? []).map((type) => ({ type })),
    accused: () => new Set(fields.accused ?? []),
  };
  return {
    place: 3,
    disk: { executed },
    driver: { replica, set: { validators: Array.from({ length: nodesCount }, (_, i) => ({ id: nameOf(i) })) } },
  } as unknown as VirtualNode;
}

test('a transaction that is executed twice, and a height that is missing, are found', () => {
  const found = (executed: readonly (readonly [number, readonly string[]])[]): string => {
    const violations = new Violations();
    checkExecutedOnce([nodeWith({ executed })], violations);
    return violations.list().join();
  };
  assert.equal(
    found([
      [1, ['a', 'b']],
      [2, ['c']],
    ]),
    '',
  );
  assert.match(
    found([
      [1, ['a', 'b']],
      [2, ['a']],
    ]),
    /executed "a" at 1 and at 2/,
  );
  assert.match(found([[1, ['a', 'a']]]), /executed "a" at 1 and at 1/);
  assert.match(
    found([
      [1, []],
      [3, []],
    ]),
    /height 3 in place 2/,
  );
});

test('whoever is Byzantine may seal a transaction twice, and nobody lists a batch twice', () => {
  const found = (executed: readonly (readonly [number, readonly string[]])[]): string => {
    const violations = new Violations();
    const rules = {
      mayRepeat: () => false,
      isByzantine: (epoch: number, author: number) => epoch === 1 && author === 2,
    };
    checkExecutedOnce([nodeWith({ executed })], violations, rules);
    return violations.list().join();
  };
  assert.equal(
    found([
      [1, ['a', 'b']],
      [2, ['a']],
    ]),
    '',
  );
  assert.match(
    found([
      [1, ['a']],
      [1, ['a']],
    ]),
    /executed "batch [0-9a-f]+" at 1 and at 1/,
  );
});

test('a node that holds more than its limits is found', () => {
  const found = (fields: Parameters<typeof nodeWith>[0]): string => {
    const violations = new Violations();
    new MemoryChecker(violations).look(nodeWith(fields));
    return violations.list().join();
  };
  assert.equal(found({ wanted: 512, pastViews: 1_088 }), '');
  assert.match(found({ wanted: 513 }), /513 wanted/);
  assert.match(found({ pastViews: 1_089 }), /1089 past views/);
  assert.equal(found({ recordTypes: new Array<string>(12).fill('evidence') }), '');
  assert.match(found({ recordTypes: new Array<string>(13).fill('evidence') }), /13 proofs/);
  assert.match(found({ recordTypes: new Array<string>(500).fill('block') }), /500 blocks/);
});

test('a fork that names too few, or that nobody tells of, is found; with a quorum of Byzantine nodes nothing is claimed', () => {
  const found = (byzantineCount: number, forks: readonly string[], accused: readonly number[], isForked: boolean) => {
    const violations = new Violations();
    checkForkIsNamed([nodeWith({ accused, isForked })], 4, byzantineCount, forks, violations);
    return violations.list().join();
  };
  assert.equal(found(2, ['a fork'], [0, 1], true), '');
  assert.equal(found(2, [], [], false), '');
  assert.match(found(2, ['a fork'], [1], true), /only 1 of 2 are named/);
  assert.match(found(2, ['a fork'], [0, 1], false), /no honest node tells/);
  assert.equal(found(3, ['a fork'], [], false), '');
});
