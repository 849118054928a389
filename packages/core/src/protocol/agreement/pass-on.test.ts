/** protocol.md R4 to R6: a certificate is broadcast once, only to peers that lack it. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Height, toHeight, toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import {
  blockOn,
  constants,
  createBench,
  finalization,
  finalize,
  genesisTip,
  notarization,
  nullification,
  nullify,
  proposalOf,
} from '../testing/hand.ts';
import { PassOn } from './pass-on.ts';

const halfDeltaMs = constants.deltaMs / 2;
const proposal = (view: number) => proposalOf(view, view - 1, blockOn(genesisTip));
const notarized = (view: number) => notarization(proposal(view), [0, 1, 2]);
const finalized = (view: number) => finalization(proposal(view), [0, 1, 2]);
const finalizedHeight = toHeight(1);

function create() {
  const bench = createBench(4);
  const executed = new Map<ValidatorIndex, Height>();
  const passOn = new PassOn(bench.context, (peer) => executed.get(peer) ?? toHeight(0));
  const sent = (): string[] =>
    bench.effects
      .splice(0)
      .flatMap((effect) =>
        effect.type === 'send' && effect.message.type === 'certificate'
          ? [`${effect.message.certificate.vote.type} to ${[...effect.to].join()}`]
          : [],
      );
  const isNew = (certificate: Certificate, voters: readonly number[], from: number | null = null): string[] => {
    passOn.onNew(certificate, from === null ? null : toValidatorIndex(from), (peer) => voters.includes(peer));
    return sent();
  };
  const due = (ms: number): string[] => {
    bench.at(ms);
    passOn.sendDue(finalizedHeight);
    return sent();
  };
  return { ...bench, passOn, executed, isNew, due };
}

test('a certificate goes at once to those who have not voted for it, but not to whom it came from', () => {
  assert.deepEqual(create().isNew(notarized(1), []), ['notarize to 1,2,3']);
  assert.deepEqual(create().isNew(notarized(1), [1]), ['notarize to 2,3']);
  assert.deepEqual(create().isNew(notarized(1), [1], 3), ['notarize to 2']);
  assert.deepEqual(create().isNew(notarized(1), [1, 2], 3), []);
});

test('a voter that shows no sign of it is sent it after Delta / 2, once', () => {
  for (const certificate of [notarized(1), nullification(1, [0, 1, 2]), finalized(1)]) {
    const { isNew, due, passOn } = create();
    assert.equal(passOn.deadline(), Number.POSITIVE_INFINITY);
    isNew(certificate, [1, 2], 3);
    assert.equal(passOn.deadline(), halfDeltaMs);
    assert.deepEqual(due(halfDeltaMs - 1), []);
    assert.deepEqual(due(halfDeltaMs), [`${certificate.vote.type} to 1,2`]);
    assert.equal(passOn.deadline(), Number.POSITIVE_INFINITY);
    assert.deepEqual(due(10 * halfDeltaMs), []);
  }
});

test('with no voter but this node nothing is owed', () => {
  const { isNew, passOn } = create();
  isNew(notarized(1), []);
  isNew(finalized(1), []);
  assert.equal(passOn.deadline(), Number.POSITIVE_INFINITY);
});

test('a vote in the next view, or a certificate of this one, shows that its sender holds an entry certificate', () => {
  const { isNew, due, passOn } = create();
  isNew(notarized(2), [1, 2, 3]);
  passOn.onVote(toValidatorIndex(1), nullify(1, 3).vote);
  passOn.onVote(toValidatorIndex(2), nullify(2, 2).vote);
  passOn.onCertificateFrom(toValidatorIndex(3), nullification(2, [0, 1, 2]));
  assert.deepEqual(due(halfDeltaMs), ['notarize to 2']);
});

test('what was shown once is not taken back by an older vote or certificate', () => {
  const { isNew, due, passOn } = create();
  isNew(notarized(2), [1, 2]);
  isNew(finalized(2), [1, 2]);
  passOn.onVote(toValidatorIndex(1), nullify(1, 9).vote);
  passOn.onVote(toValidatorIndex(1), nullify(1, 1).vote);
  passOn.onCertificateFrom(toValidatorIndex(2), finalized(9));
  passOn.onCertificateFrom(toValidatorIndex(2), finalized(1));
  assert.deepEqual(due(halfDeltaMs), ['finalize to 1']);
});

test('only a finalization of this view or a later one, or a result of its height, shows a finalization', () => {
  const { isNew, due, passOn, executed } = create();
  isNew(finalized(2), [1, 2, 3]);
  passOn.onVote(toValidatorIndex(1), finalize(1, proposal(9)).vote);
  passOn.onCertificateFrom(toValidatorIndex(1), notarized(9));
  passOn.onCertificateFrom(toValidatorIndex(2), finalized(2));
  executed.set(toValidatorIndex(3), finalizedHeight);
  assert.deepEqual(due(halfDeltaMs), ['finalize to 1']);
});

test('only the newest certificate of a kind is owed, to everybody who was owed one, when the first was due', () => {
  const { isNew, due, at } = create();
  isNew(notarized(1), [1, 2], 3);
  at(20);
  isNew(notarized(2), [3], 2);
  at(30);
  assert.deepEqual(isNew(nullification(1, [0, 1, 2]), [1]), ['nullify to 2,3'], 'an older one is owed to nobody');
  assert.deepEqual(due(halfDeltaMs), ['notarize to 3,2']);
});

test('a finalization and an entry certificate are owed apart', () => {
  const { isNew, due, at, passOn } = create();
  isNew(notarized(1), [1, 2, 3]);
  at(10);
  isNew(finalized(1), [1, 2, 3]);
  assert.equal(passOn.deadline(), halfDeltaMs);
  assert.deepEqual(due(halfDeltaMs), ['notarize to 1,2,3']);
  assert.equal(passOn.deadline(), halfDeltaMs + 10);
  assert.deepEqual(due(halfDeltaMs + 10), ['finalize to 1,2,3']);
});

test('a fenced node passes nothing on', () => {
  const { isNew, due, context } = create();
  context.maySign = false;
  assert.deepEqual(isNew(notarized(1), [1]), []);
  assert.deepEqual(due(halfDeltaMs), []);
});
