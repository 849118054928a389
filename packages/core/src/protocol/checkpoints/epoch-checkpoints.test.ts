/**
 * Checkpoints across an epoch: protocol.md section 5. Epoch 1 is that of v000 to v003 up to the boundary at height 5, epoch 2 that of
 * v001 to v004: v000 leaves, v004 joins, and the others have other places.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import type { CheckpointStatement } from '../../model/checkpoint.ts';
import { validatorSetDigest } from '../../model/validator-set.ts';
import type { Outcome } from '../effects.ts';
import { createEpochSet, indexIn } from '../epochs/epoch.ts';
import {
  blockOn,
  checkpointOf,
  constants,
  createBench,
  genesisOutcome,
  genesisTip,
  outcomeOf,
  setOf,
  tipOf,
  validatorIdOf,
  validatorsOf,
} from '../testing/hand.ts';
import { Checkpoints } from './checkpoints.ts';

const retryMs = 4 * constants.deltaMs;
const boundary = 5;
const before = setOf(4);

const outcomes: Outcome[] = [genesisOutcome()];
const tips = [genesisTip];
for (let height = 1; height <= 12; height++) {
  const block = blockOn(tips.at(-1)!);
  const outcome = outcomeOf(block);
  const epoch = toEpoch(height <= boundary ? 1 : 2);
  outcomes.push({ ...outcome, statement: { ...outcome.statement, epoch } });
  tips.push(tipOf(block));
}
const statementAt = (height: number): CheckpointStatement => outcomes[height]!.statement;

const validators = validatorsOf(5).slice(1);
const { digest, height, timeMs } = tips[boundary]!;
const set = createEpochSet(toEpoch(2), validators, validatorSetDigest(validators), { digest, height, timeMs }, 1);

/** The node of this number at the beginning of epoch 2, which knows height 4 as certified. */
function begin(self: number, { isCertified = false } = {}) {
  const selfId = validatorIdOf(self);
  const place = indexIn(set, selfId) ?? set.validators.length;
  const bench = createBench(4, place, { set, selfId, previous: { set: before, ownFloor: 0, isCertified } });
  const checkpoints = new Checkpoints(bench.context, outcomes.slice(0, boundary + 1), toHeight(boundary - 1));
  /** By places in the set that signs this height. */
  const hear = (height: number, signers: readonly number[], statement = statementAt(height)) => {
    for (const signer of signers) checkpoints.onSignature(checkpointOf(signer, statement));
  };
  const signed = () =>
    bench.effects.flatMap((effect) => (effect.type === 'sign-checkpoint' ? [effect.outcome.statement.height] : []));
  const certified = () =>
    bench.effects.flatMap((effect) => (effect.type === 'certified-checkpoint' ? [effect.statement.height] : []));
  const sent = () => bench.effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
  const askedFor = (finalizedHeight: number, ms: number) => {
    bench.at(ms);
    const from = sent().length;
    checkpoints.retryDue(toHeight(finalizedHeight));
    return sent()
      .slice(from)
      .flatMap((message) => (message.type === 'request-checkpoint' ? [message.height] : []));
  };
  return { ...bench, checkpoints, hear, signed, certified, sent, askedFor };
}

test('who leaves signs up to the boundary, and nothing above it', () => {
  const { checkpoints, signed } = begin(0);
  checkpoints.start();
  assert.deepEqual(signed(), [4, 5]);
  checkpoints.onExecuted(outcomes[6]!);
  assert.deepEqual(signed(), [4, 5]);
});

test('who joins signs nothing up to the boundary, and what comes above it', () => {
  const { checkpoints, signed } = begin(4);
  checkpoints.start();
  assert.deepEqual(signed(), []);
  checkpoints.onExecuted(outcomes[6]!);
  assert.deepEqual(signed(), [6]);
});

test('a quorum of the set before certifies its heights, and one of the present set its own', () => {
  const { checkpoints, hear, certified } = begin(4);
  hear(5, [0, 2]);
  assert.equal(checkpoints.certifiedHeight, 4);
  hear(5, [3]);
  assert.equal(checkpoints.certifiedHeight, 5);
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [0, 1, 3]);
  assert.equal(checkpoints.certifiedHeight, 6);
  assert.deepEqual(certified(), [5, 6]);
});

test('a statement whose epoch is not that of its height counts for nothing, whoever signs it', () => {
  const { checkpoints, hear } = begin(1);
  const isWanted = (height: number, epoch: number) =>
    checkpoints.wants(checkpointOf(0, { ...statementAt(height), epoch: toEpoch(epoch) }));
  assert.deepEqual([isWanted(5, 1), isWanted(5, 2), isWanted(6, 1), isWanted(6, 2)], [true, false, false, true]);
  hear(5, [0, 1, 2, 3], { ...statementAt(5), epoch: toEpoch(2) });
  assert.equal(checkpoints.certifiedHeight, 4);
});

test("the boundary's own signatures are asked for until a quorum is held, whatever is certified above it", () => {
  const { checkpoints, hear, certified, askedFor } = begin(1);
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [1, 2, 3]);
  assert.equal(checkpoints.certifiedHeight, 6, 'and so is everything below, for this node');
  assert.deepEqual(askedFor(6, 0), [], 'they are most likely under way');
  assert.deepEqual(askedFor(6, retryMs - 1), []);
  assert.equal(checkpoints.deadline(toHeight(6)), retryMs);
  assert.deepEqual(askedFor(6, retryMs), [5]);
  hear(5, [0, 2]);
  assert.deepEqual(askedFor(6, 2 * retryMs), [5]);
  assert.equal(checkpoints.isQuorumHeld(toHeight(5)), false);
  hear(5, [1]);
  assert.equal(checkpoints.isQuorumHeld(toHeight(5)), true);
  assert.deepEqual(certified(), [6, 5], 'with them verifiers follow into this epoch');
  assert.equal(checkpoints.certifiedHeight, 6);
  assert.deepEqual(askedFor(6, 3 * retryMs), []);
  assert.equal(checkpoints.deadline(toHeight(6)), Number.POSITIVE_INFINITY);
});

test('while they are owed, who connects is asked for them, and sent the own one', () => {
  const { checkpoints, hear, sent } = begin(1);
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [1, 2, 3]);
  hear(5, [1]);
  checkpoints.onConnected(toValidatorIndex(2), toHeight(6));
  const own = sent().flatMap((message) => (message.type === 'checkpoint-signatures' ? message.signatures : []));
  assert.deepEqual(
    own.map(({ statement, signer }) => [statement.height, signer]),
    [[5, 1]],
    'by the place in the set before',
  );
  assert.deepEqual(
    sent().flatMap((message) => (message.type === 'request-checkpoint' ? [message.height] : [])),
    [5],
  );
});

test('where a quorum of them is in storage, nothing is owed', () => {
  const { checkpoints, hear, askedFor } = begin(1, { isCertified: true });
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [1, 2, 3]);
  askedFor(6, 0);
  assert.deepEqual(askedFor(6, retryMs), []);
  assert.equal(checkpoints.wants(checkpointOf(0, statementAt(5))), false);
});

test('they are kept as long as they are owed, however far execution goes', () => {
  const { checkpoints, hear, certified } = begin(1);
  hear(5, [0, 2]);
  let tip = tips[6]!;
  checkpoints.onExecuted(outcomes[6]!);
  for (let height = 7; height <= 90; height++) {
    const block = blockOn(tip);
    const outcome = outcomeOf(block);
    const own = { ...outcome, statement: { ...outcome.statement, epoch: toEpoch(2) } };
    checkpoints.onExecuted(own);
    hear(height, [1, 2, 3], own.statement);
    tip = tipOf(block);
  }
  assert.equal(checkpoints.certifiedHeight, 90);
  hear(5, [3]);
  assert.equal(certified().at(-1), 5);
});

test('a second statement of a height of the epoch before proves nothing here: it is of other keys', () => {
  const { checkpoints, hear, proofs } = begin(1);
  hear(5, [0]);
  const lie = { ...statementAt(5), historySize: 77 };
  assert.equal(checkpoints.wants(checkpointOf(0, lie)), false);
  hear(5, [0], lie);
  assert.deepEqual(proofs, []);
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [2]);
  hear(6, [2], { ...statementAt(6), historySize: 77 });
  assert.deepEqual(
    proofs.map(({ accused }) => accused),
    [2],
    'one of this epoch does',
  );
});

test('what is signed of heights of the epoch before tells nothing of who is how far in this one', () => {
  const { checkpoints, hear } = begin(1);
  hear(5, [3]);
  assert.equal(checkpoints.signedHeight(toValidatorIndex(3)), 0);
  hear(6, [3]);
  assert.equal(checkpoints.signedHeight(toValidatorIndex(3)), 6);
});

test('an own result of the epoch before that differs from what its quorum signed fences', () => {
  const { hear, effects, context } = begin(1);
  hear(5, [0, 2, 3], { ...statementAt(5), historySize: 77 });
  assert.equal(context.maySign, false);
  assert.deepEqual(
    effects.flatMap((effect) => (effect.type === 'fence' ? [[effect.reason, effect.height]] : [])),
    [['diverged', 5]],
  );
});

test('a request is answered here only where a quorum of that very height is held: storage has the others', () => {
  const { checkpoints, hear, sent } = begin(1, { isCertified: true });
  checkpoints.onExecuted(outcomes[6]!);
  hear(6, [0, 1, 2]);
  assert.equal(checkpoints.onRequest(toValidatorIndex(3), toHeight(5)), false);
  assert.equal(sent().length, 1, 'the newest certified height is told all the same');
  assert.equal(checkpoints.onRequest(toValidatorIndex(3), toHeight(6)), true);
});
