/** Rounds of checkpoints: protocol.md section 4. Self is 0 of four; the genesis is certified. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight } from '../../model/brands.ts';
import { checkpointDigest } from '../../model/checkpoint.ts';
import { restartRound } from '../../model/restart.ts';
import { checkpointOf, constants, createBench, outcomesUpTo } from '../testing/hand.ts';
import { Checkpoints } from './checkpoints.ts';
import { OwnStatements } from './own-statements.ts';

const outcomes = outcomesUpTo(4);
const statementAt = (height: number, round = 0) => ({ ...outcomes[height]!.statement, round });
const outcomeAt = (height: number, round: number) => ({ ...outcomes[height]!, statement: statementAt(height, round) });
const wrongAt = (height: number, round = 0) => ({ ...statementAt(height, round), stateRoot: statementAt(0).stateRoot });

/** Has executed these heights, in these rounds. */
function begin(...rounds: readonly number[]) {
  const bench = createBench(4);
  const checkpoints = new Checkpoints(bench.context, [outcomes[0]!], toHeight(0));
  rounds.forEach((round, i) => {
    checkpoints.onExecuted(outcomeAt(i + 1, round));
    checkpoints.onSignature(checkpointOf(0, statementAt(i + 1, round)));
  });
  bench.effects.length = 0;
  const hear = (statement: ReturnType<typeof statementAt>, ...signers: readonly number[]) => {
    for (const signer of signers) checkpoints.onSignature(checkpointOf(signer, statement));
  };
  const certified = () =>
    bench.effects.flatMap((effect) =>
      effect.type === 'certified-checkpoint' ? [[effect.statement.height, effect.statement.round]] : [],
    );
  const fences = () => bench.effects.filter(({ type }) => type === 'fence').length;
  return { ...bench, checkpoints, hear, certified, fences };
}

test('signatures of different rounds do not add up', () => {
  const { checkpoints, hear, certified } = begin(1);
  hear(statementAt(1), 1, 2);
  hear(statementAt(1, 2), 3);
  assert.equal(checkpoints.certifiedHeight, 0);
  hear(statementAt(1, 1), 1);
  assert.equal(checkpoints.certifiedHeight, 0);
  hear(statementAt(1, 1), 2);
  assert.deepEqual(certified(), [[1, 1]]);
});

test('one validator counts in each round in which it has signed', () => {
  const { checkpoints, hear, certified, proofs } = begin(0);
  hear(wrongAt(1), 2, 3);
  hear(statementAt(1, 1), 1, 2, 3);
  assert.deepEqual(certified(), [[1, 1]]);
  assert.deepEqual(proofs, [], 'one statement of each round proves nothing');
  hear({ ...wrongAt(1, 1), historySize: 9 }, 3);
  assert.deepEqual(
    proofs.map(({ accused }) => accused),
    [3],
  );
  assert.equal(checkpoints.isDiverged, false);
});

test('of a later round with the same result the own one becomes, also where it is certified already', () => {
  for (const before of [[], [1, 2]]) {
    const { checkpoints, hear, certified, fences } = begin(0);
    hear(statementAt(1), ...before);
    hear(statementAt(1, 3), 1, 2, 3);
    assert.deepEqual(certified().at(-1), [1, 3]);
    assert.deepEqual(checkpoints.certifiedDigest(toHeight(1)), checkpointDigest(statementAt(1, 3)));
    assert.equal(fences(), 0);
  }
});

test('a later round with another result fences, also where the own one is certified', () => {
  for (const before of [[], [1, 2]]) {
    const { hear, fences, context } = begin(0);
    hear(statementAt(1), ...before);
    hear(wrongAt(1, 3), 1, 2, 3);
    assert.equal(fences(), 1);
    assert.equal(context.maySignCheckpoints, false);
  }
});

test('who has executed a height again heeds no earlier round of it, whatever a quorum has signed', () => {
  const { checkpoints, hear, certified, fences } = begin(1);
  assert.equal(checkpoints.wants(checkpointOf(1, wrongAt(1))), false);
  hear(wrongAt(1), 1, 2, 3);
  assert.deepEqual([certified(), fences()], [[], 0]);
});

test('what was certified before the own result is there counts as after it', () => {
  const { checkpoints, hear, certified, fences, effects } = begin();
  hear(wrongAt(1), 1, 2, 3);
  hear(statementAt(1, 1), 1, 2, 3);
  checkpoints.onExecuted(outcomes[1]!);
  assert.deepEqual([certified(), fences()], [[[1, 1]], 0]);
  const signed = effects.flatMap((effect) =>
    effect.type === 'sign-checkpoint' ? [effect.outcome.statement.round] : [],
  );
  assert.deepEqual(signed, [1], 'the round that counts is signed, and it alone');
  const other = begin();
  other.hear(wrongAt(1, 1), 1, 2, 3);
  other.checkpoints.onExecuted(outcomes[1]!);
  assert.equal(other.fences(), 1);
  const behind = begin();
  behind.hear(wrongAt(1), 1, 2, 3);
  behind.checkpoints.onExecuted(outcomeAt(1, 1));
  assert.equal(behind.fences(), 0, 'an earlier round is over');
});

test('a height may be certified again in a later round while others wait', () => {
  const { checkpoints, hear, certified } = begin(1, 1, 0);
  hear(statementAt(3), 1, 2);
  assert.deepEqual(certified(), [[3, 0]]);
  hear(statementAt(1, 1), 1, 2);
  assert.equal(checkpoints.certifiedHeight, 3, 'heights below are certified by the one above');
});

test('a block that names a later round of a height is waited with, and its signatures are asked for', () => {
  const { checkpoints, hear, effects, at } = begin(0, 0);
  hear(statementAt(2, 1), 1, 2, 3);
  assert.equal(checkpoints.certifiedHeight, 2);
  const named = checkpointDigest(statementAt(1, 1));
  const digest = checkpointDigest(statementAt(1));
  assert.deepEqual(checkpoints.certifiedDigest(toHeight(1)), digest);
  assert.deepEqual(
    checkpoints.certifiedDigest(toHeight(1), checkpointDigest(wrongAt(1, 1))),
    digest,
    'that is invalid',
  );
  assert.equal(checkpoints.certifiedDigest(toHeight(1), named), null);
  const askedAt = (ms: number, finalized: number) => {
    effects.length = 0;
    at(ms);
    checkpoints.retryDue(toHeight(finalized));
    return effects.flatMap((effect) =>
      effect.type === 'send' && effect.message.type === 'request-checkpoint' ? [effect.message.height] : [],
    );
  };
  assert.deepEqual(askedAt(0, 2), []);
  assert.ok(Number.isFinite(checkpoints.deadline(toHeight(2))));
  assert.deepEqual(askedAt(10_000, 2), [1]);
  assert.equal(checkpoints.wants(checkpointOf(1, statementAt(1, 1))), true);
  hear(statementAt(1, 1), 1, 2, 3);
  assert.deepEqual(checkpoints.certifiedDigest(toHeight(1), named), named);
  assert.deepEqual(askedAt(20_000, 2), []);
  assert.equal(checkpoints.certifiedDigest(toHeight(2), checkpointDigest(statementAt(2, 9))), null);
  assert.deepEqual(askedAt(30_000, 2), []);
  assert.deepEqual(askedAt(40_000, 2), [2]);
  assert.deepEqual(askedAt(50_000, 2 + constants.checkpointLag), [3], 'the block that named it is final');
});

test('so it is after a restart, when no signature of that height is held', () => {
  const bench = createBench(4);
  const checkpoints = new Checkpoints(bench.context, outcomes, toHeight(3));
  const later = statementAt(2, 1);
  assert.equal(checkpoints.wants(checkpointOf(1, later)), false);
  assert.equal(checkpoints.certifiedDigest(toHeight(2), checkpointDigest(later)), null);
  for (const signer of [1, 2, 3]) checkpoints.onSignature(checkpointOf(signer, later));
  assert.deepEqual(checkpoints.certifiedDigest(toHeight(2)), checkpointDigest(later));
});

test('the round of a restart block takes nobody over', () => {
  const { hear, certified, fences } = begin(0);
  hear(statementAt(1), 1, 2);
  hear(statementAt(1, restartRound), 1, 2, 3);
  assert.deepEqual([certified(), fences()], [[[1, 0]], 0]);
  const open = begin(0);
  open.hear(statementAt(1, restartRound), 1, 2, 3);
  assert.equal(open.fences(), 1);
});

test('who signs a great many rounds is heard in the one that counts, and takes no more room', () => {
  const { checkpoints, hear, proofs } = begin(40);
  for (let round = 41; round < 100; round++) hear(statementAt(1, round), 2);
  assert.equal(checkpoints.wants(checkpointOf(2, statementAt(1, 200))), false);
  assert.equal(checkpoints.wants(checkpointOf(2, statementAt(1, restartRound + 1))), false);
  assert.equal(checkpoints.wants(checkpointOf(1, statementAt(1, 200))), true);
  hear(statementAt(1, 40), 1, 2);
  assert.equal(checkpoints.certifiedHeight, 1);
  hear(wrongAt(1, 40), 2);
  assert.equal(proofs.length, 1);
});

test('a request is answered with what was signed in every round, and is told apart from storage by the quorum of one', () => {
  const { checkpoints, hear, effects } = begin(0);
  hear(wrongAt(1), 2, 3);
  const ask = () => {
    effects.length = 0;
    return checkpoints.onRequest(1 as never, toHeight(1));
  };
  assert.equal(ask(), false, 'three signatures are no quorum of one statement');
  hear(statementAt(1, 1), 1, 2, 3);
  assert.equal(ask(), true);
  const rows = effects.flatMap((effect) =>
    effect.type === 'send' && effect.message.type === 'checkpoint-signatures' ? effect.message.signatures : [],
  );
  assert.deepEqual(rows.map(({ signer, statement }) => `${signer}/${statement.round}`).sort(), [
    '0/0',
    '1/1',
    '2/0',
    '2/1',
    '3/0',
    '3/1',
  ]);
});

test('of one height and round one statement is signed, and none of a round below a signed one', () => {
  const signed = new OwnStatements();
  signed.note(statementAt(1));
  assert.deepEqual([signed.allows(statementAt(1)), signed.allows(wrongAt(1))], [true, false]);
  assert.deepEqual([signed.contradicts(wrongAt(1)), signed.contradicts(wrongAt(1, 1))], [true, false]);
  assert.equal(signed.allows(wrongAt(1, 1)), true, 'a later round is another one');
  signed.note(wrongAt(1, 1));
  assert.equal(signed.allows(statementAt(1)), false, 'that round is over');
  assert.equal(signed.allows(statementAt(2)), true);
  assert.equal(signed.allows({ ...statementAt(1), epoch: toEpoch(2) }), true, 'another epoch: a restart gave that up');
  signed.forget(({ round }) => round === 1);
  assert.equal(signed.allows(statementAt(1)), true);
});
