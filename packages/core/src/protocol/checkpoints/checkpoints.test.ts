/** protocol.md section 4. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex } from '../../model/brands.ts';
import { checkpointDigest } from '../../model/checkpoint.ts';
import { checkpointOf, constants, createBench, outcomesUpTo } from '../testing/hand.ts';
import { Checkpoints } from './checkpoints.ts';

const retryMs = 4 * constants.deltaMs;

const outcomes = outcomesUpTo(100);
const statementAt = (height: number) => outcomes[height]!.statement;
const wrongAt = (height: number) => ({ ...statementAt(height), stateRoot: statementAt(0).stateRoot });

function createAt(executedHeight: number, validatorsCount = 4) {
  const bench = createBench(validatorsCount);
  const checkpoints = new Checkpoints(bench.context, [outcomes[0]!], toHeight(0));
  for (let h = 1; h <= executedHeight; h++) {
    checkpoints.onExecuted(outcomes[h]!);
    checkpoints.onSignature(checkpointOf(0, statementAt(h)));
  }
  bench.effects.length = 0;
  const hear = (signer: number, statement: ReturnType<typeof statementAt>) =>
    checkpoints.onSignature(checkpointOf(signer, statement));
  const sent = () => bench.effects.flatMap((effect) => (effect.type === 'send' ? [effect] : []));
  return { ...bench, checkpoints, hear, sent };
}

test('genesis is certified from the start', () => {
  const { checkpoints } = createAt(0);
  assert.deepEqual(checkpoints.certifiedDigest(toHeight(0)), checkpointDigest(statementAt(0)));
  assert.equal(checkpoints.certifiedDigest(toHeight(1)), null);
});

test('every executed height is signed, once', () => {
  const bench = createBench(4);
  const checkpoints = new Checkpoints(bench.context, [outcomes[0]!], toHeight(0));
  checkpoints.onExecuted(outcomes[1]!);
  assert.deepEqual(
    bench.effects.map((effect) => effect.type === 'sign-checkpoint' && effect.outcome.statement.height),
    [1],
  );
});

test('Q equal statements certify a height; the signatures are handed on by ascending signer', () => {
  const { checkpoints, hear, effects } = createAt(1);
  hear(3, statementAt(1));
  assert.equal(checkpoints.certifiedHeight, 0);
  hear(3, statementAt(1));
  assert.equal(checkpoints.certifiedHeight, 0, 'the same signer twice counts once');
  hear(2, statementAt(1));
  assert.equal(checkpoints.certifiedHeight, 1);
  const certified = effects.find((effect) => effect.type === 'certified-checkpoint');
  assert.deepEqual(
    certified?.type === 'certified-checkpoint' && certified.signatures.map(({ signer }) => signer),
    [0, 2, 3],
  );
});

test('different statements do not add up', () => {
  const { checkpoints, hear } = createAt(1);
  hear(2, wrongAt(1));
  hear(3, wrongAt(1));
  assert.equal(checkpoints.certifiedHeight, 0);
});

test('signatures that come before the own result count once it is there', () => {
  const { checkpoints, hear } = createAt(0);
  for (const signer of [1, 2, 3]) hear(signer, statementAt(1));
  assert.equal(checkpoints.certifiedHeight, 0);
  checkpoints.onExecuted(outcomes[1]!);
  assert.equal(checkpoints.certifiedHeight, 1);
});

test('a certified statement equal to the own result certifies what is below it too', () => {
  const { checkpoints, hear } = createAt(8);
  for (const signer of [1, 2]) hear(signer, statementAt(8));
  assert.equal(checkpoints.certifiedHeight, 8);
  assert.deepEqual(checkpoints.certifiedDigest(toHeight(4)), checkpointDigest(statementAt(4)));
});

test('an own result that differs from a certified one fences the node', () => {
  const { checkpoints, hear, effects, context } = createAt(1);
  for (const signer of [1, 2, 3]) hear(signer, wrongAt(1));
  assert.equal(checkpoints.isDiverged, true);
  assert.equal(context.maySign, false);
  assert.deepEqual(effects.find(({ type }) => type === 'fence')?.type, 'fence');
});

test('an own result that differs from one certified before fences the node, and is not signed', () => {
  const { checkpoints, hear, effects, context } = createAt(0);
  for (const signer of [1, 2, 3]) hear(signer, wrongAt(1));
  checkpoints.onExecuted(outcomes[1]!);
  assert.equal(context.maySign, false);
  assert.equal(
    effects.some(({ type }) => type === 'sign-checkpoint'),
    false,
  );
});

test('two statements of one validator for one height and round are a proof of fault', () => {
  const { hear, proofs } = createAt(1);
  hear(2, statementAt(1));
  hear(2, { ...wrongAt(1), round: 1 });
  assert.equal(proofs.length, 0, 'another round is another statement');
  hear(2, wrongAt(1));
  assert.deepEqual(
    proofs.map(({ type, accused }) => [type, accused]),
    [['checkpoints', 2]],
  );
});

test('statements of another ledger or epoch are ignored', () => {
  const { checkpoints, hear } = createAt(1);
  for (const signer of [1, 2, 3]) {
    hear(signer, { ...statementAt(1), epoch: 2 as never });
    hear(signer, { ...statementAt(1), ledgerHash: statementAt(1).stateRoot });
  }
  assert.equal(checkpoints.certifiedHeight, 0);
  assert.equal(checkpoints.isDiverged, false);
});

test('own signatures are sent again every tRetry while not certified, and no longer', () => {
  const { checkpoints, at, sent, hear } = createAt(2);
  checkpoints.retryDue(toHeight(2));
  assert.equal(sent().length, 0);
  assert.equal(checkpoints.deadline(toHeight(2)), retryMs);
  at(retryMs);
  checkpoints.retryDue(toHeight(2));
  const own = sent().filter(({ message }) => message.type === 'checkpoint-signatures');
  assert.deepEqual(
    own.map(
      ({ message }) =>
        message.type === 'checkpoint-signatures' && message.signatures.map((row) => row.statement.height),
    ),
    [[1, 2]],
  );
  for (const signer of [1, 2]) hear(signer, statementAt(2));
  checkpoints.retryDue(toHeight(2));
  assert.equal(checkpoints.deadline(toHeight(2)), Number.POSITIVE_INFINITY);
});

test('while a finalized height is not certified, the lowest such height is asked for, every tRetry', () => {
  const { checkpoints, at, sent, hear } = createAt(3);
  for (const signer of [1, 2]) hear(signer, statementAt(1));
  checkpoints.retryDue(toHeight(5));
  at(retryMs);
  checkpoints.retryDue(toHeight(5));
  const asked = sent().flatMap(({ message }) => (message.type === 'request-checkpoint' ? [message.height] : []));
  assert.deepEqual(asked, [2]);
});

test('a slow ledger costs no ticks: the deadline lies ahead while nothing is executed beyond what is certified', () => {
  const { checkpoints, at, hear } = createAt(1);
  for (const signer of [1, 2]) hear(signer, statementAt(1));
  at(10);
  checkpoints.retryDue(toHeight(3));
  assert.equal(checkpoints.deadline(toHeight(3)), 10 + retryMs);
});

test('on connecting, own signatures are sent and the lowest uncertified height is asked for', () => {
  const { checkpoints, sent } = createAt(2);
  checkpoints.onConnected(toValidatorIndex(3), toHeight(2));
  assert.deepEqual(
    sent().map(({ to, message }) => [to, message.type]),
    [
      [[3], 'checkpoint-signatures'],
      [[3], 'request-checkpoint'],
    ],
  );
});

test('the height a validator has executed is the highest it signed', () => {
  const { checkpoints, hear } = createAt(3);
  hear(2, statementAt(3));
  hear(2, statementAt(1));
  assert.equal(checkpoints.signedHeight(toValidatorIndex(2)), 3);
  assert.equal(checkpoints.signedHeight(toValidatorIndex(3)), 0);
});

test('on connecting, own signatures begin with the newest certified height, and nothing certified is asked for', () => {
  const { checkpoints, sent, hear } = createAt(3);
  for (const signer of [1, 2]) hear(signer, statementAt(2));
  checkpoints.onConnected(toValidatorIndex(3), toHeight(2));
  const rows = sent().flatMap(({ message }) => (message.type === 'checkpoint-signatures' ? message.signatures : []));
  assert.deepEqual(
    rows.map(({ statement }) => statement.height),
    [2, 3],
  );
  assert.ok(!sent().some(({ message }) => message.type === 'request-checkpoint'));
  const nothing = createAt(0);
  nothing.checkpoints.onConnected(toValidatorIndex(3), toHeight(0));
  assert.deepEqual(nothing.sent(), []);
});

test('the newest certified height is answered once, not twice', () => {
  const { checkpoints, sent, hear } = createAt(1);
  for (const signer of [1, 2]) hear(signer, statementAt(1));
  checkpoints.onRequest(toValidatorIndex(2), toHeight(1));
  assert.deepEqual(
    sent().map(({ message }) => message.type === 'checkpoint-signatures' && message.signatures.length),
    [3],
  );
});

test('a node that diverged is fenced once, and signs nothing again', () => {
  const { checkpoints, hear, effects, context } = createAt(2);
  for (const height of [1, 2]) for (const signer of [1, 2, 3]) hear(signer, wrongAt(height));
  assert.equal(effects.filter(({ type }) => type === 'fence').length, 1);
  assert.deepEqual([checkpoints.isDiverged, context.maySign], [true, false]);
  effects.length = 0;
  checkpoints.start();
  checkpoints.onExecuted(outcomes[3]!);
  assert.deepEqual(effects, []);
});

test('own results are told in order, from the lowest kept', () => {
  const { checkpoints } = createAt(5);
  assert.deepEqual(
    checkpoints.outcomes().map(({ statement }) => statement.height),
    [0, 1, 2, 3, 4, 5],
  );
});

test('what is asked for and sent again is paced apart, each by tRetry', () => {
  const { checkpoints, at, sent } = createAt(1);
  const typesAt = (ms: number, finalized: number): string[] => {
    at(ms);
    const before = sent().length;
    checkpoints.retryDue(toHeight(finalized));
    return sent()
      .slice(before)
      .map(({ message }) => message.type);
  };
  assert.deepEqual(typesAt(0, 0), []);
  assert.deepEqual(typesAt(100, 1), []);
  assert.deepEqual(typesAt(retryMs - 1, 1), []);
  assert.deepEqual(typesAt(retryMs, 1), ['checkpoint-signatures']);
  assert.deepEqual(typesAt(retryMs + 100, 1), ['request-checkpoint']);
  assert.deepEqual(typesAt(2 * retryMs - 1, 1), []);
  assert.deepEqual(typesAt(2 * retryMs, 1), ['checkpoint-signatures']);
});

test('a request is answered with all signatures held, and with those of the newest certified height', () => {
  const { checkpoints, sent, hear } = createAt(3);
  hear(2, statementAt(1));
  for (const signer of [1, 2]) hear(signer, statementAt(3));
  assert.equal(checkpoints.onRequest(toValidatorIndex(2), toHeight(1)), false, 'storage may have a quorum of it');
  const rows = sent().flatMap(({ message }) => (message.type === 'checkpoint-signatures' ? message.signatures : []));
  assert.deepEqual(
    rows.map(({ statement, signer }) => `${statement.height}/${signer}`),
    ['1/0', '1/2', '3/0', '3/1', '3/2'],
  );
  assert.equal(checkpoints.onRequest(toValidatorIndex(2), toHeight(3)), true);
  assert.equal(createAt(0).checkpoints.onRequest(toValidatorIndex(2), toHeight(1)), false, 'storage may know');
});

test('an answer has all the signatures a quorum needs, however large the set', () => {
  const { checkpoints, sent, hear } = createAt(1, 100);
  for (let signer = 1; signer < 100; signer++) hear(signer, statementAt(1));
  checkpoints.onRequest(toValidatorIndex(2), toHeight(1));
  const pages = sent().map(({ message }) => message.type === 'checkpoint-signatures' && message.signatures.length);
  assert.deepEqual(pages, [64, 36]);
});

test('of what one validator signs far ahead only the newest is kept, and it takes nobody else their place', () => {
  const { checkpoints, hear } = createAt(1);
  const at = (height: number) => ({ ...statementAt(1), height: toHeight(height) });
  assert.equal(checkpoints.wants(checkpointOf(2, at(2 ** 40))), false);
  for (const signer of [1, 3]) hear(signer, at(200));
  for (let height = 2; height < 1_000; height++) hear(2, at(height));
  assert.equal(checkpoints.wants(checkpointOf(2, at(500))), false, 'below the newest ones of this validator');
  assert.equal(checkpoints.wants(checkpointOf(2, at(1_001))), true);
  assert.equal(checkpoints.wants(checkpointOf(1, at(200))), false, 'what honest validators said is still held');
  for (const signer of [1, 2]) hear(signer, statementAt(1));
  assert.equal(checkpoints.certifiedHeight, 1);
});

test('a row of another ledger or epoch, or a second contradiction of one validator, costs no check', () => {
  const { checkpoints, hear, proofs } = createAt(1);
  assert.equal(checkpoints.wants(checkpointOf(2, { ...statementAt(1), ledgerHash: statementAt(1).stateRoot })), false);
  assert.equal(checkpoints.wants(checkpointOf(2, { ...statementAt(1), epoch: toEpoch(2) })), false);
  const lie = { ...statementAt(1), historySize: 77 };
  hear(2, statementAt(1));
  assert.equal(checkpoints.wants(checkpointOf(2, { ...lie, round: 1 })), true, 'another round contradicts nothing');
  assert.equal(checkpoints.wants(checkpointOf(2, lie)), true);
  hear(2, lie);
  assert.equal(proofs.length, 1);
  assert.equal(checkpoints.wants(checkpointOf(2, { ...lie, historySize: 78 })), false);
});

test('who executes far ahead of what is certified holds signatures of the last heights only, and is certified by the next', () => {
  const bench = createBench(4);
  const checkpoints = new Checkpoints(bench.context, [outcomes[0]!], toHeight(0));
  for (let height = 1; height <= 99; height++) {
    checkpoints.onSignature(checkpointOf(1, statementAt(height)));
    checkpoints.onExecuted(outcomes[height]!);
    checkpoints.onSignature(checkpointOf(0, statementAt(height)));
  }
  assert.ok(checkpoints.heightsHeld <= 33, `${checkpoints.heightsHeld} heights`);
  for (const signer of [1, 2]) checkpoints.onSignature(checkpointOf(signer, statementAt(99)));
  assert.equal(checkpoints.certifiedHeight, 99);
});

test('after a restart what is not certified is signed again, the same statement', () => {
  const bench = createBench(4);
  const checkpoints = new Checkpoints(bench.context, outcomes.slice(0, 4), toHeight(2));
  checkpoints.start();
  assert.deepEqual(
    bench.effects.flatMap((effect) => (effect.type === 'sign-checkpoint' ? [effect.outcome.statement.height] : [])),
    [2, 3],
  );
});
