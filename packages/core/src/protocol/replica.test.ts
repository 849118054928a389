/** What a replica does with each message and on each connection, and what it says of itself. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex, toView } from '../model/brands.ts';
import { certificatesPageMax, type Message, nothingToRecall } from '../model/message.ts';
import { viewsAhead } from './agreement/wanted.ts';
import { retryMs } from './constants.ts';
import type { JournalRecord } from './effects.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  constants,
  genesisTip,
  Hand,
  notarization,
  nullification,
  outcomeOf,
  proposalOf,
  referenceOf,
  tipOf,
} from './testing/hand.ts';

const batch = batchOf(1, 1);
const block = blockOn(genesisTip, { batches: [batch] });

/** One block agreed on and executed; what was sent meanwhile is forgotten. */
function settled(options: ConstructorParameters<typeof Hand>[0] = {}): Hand {
  const hand = new Hand(options);
  hand.hearBatch(batch);
  hand.agreeOn(1, 0, block);
  hand.forgetSent();
  return hand;
}

const typesTo = (hand: Hand, peer: number): string[] =>
  hand.sent.filter(({ to }) => to !== 'all' && to.includes(peer)).map(({ message }) => message.type);

const requestViews = (from: number, to: number, epoch = 1): Message => ({
  type: 'request-certificates',
  epoch: toEpoch(epoch),
  from: toView(from),
  to: toView(to),
});

test('a request for a block or a batch that is held is answered at once, to the one who asked', () => {
  const hand = new Hand({ holdExecution: true });
  hand.hearBatch(batch);
  hand.agreeOn(1, 0, block);
  hand.forgetSent();
  hand.hear(2, { type: 'request-block', digest: block.digest });
  hand.hear(3, { type: 'request-batch', digest: batch.digest });
  assert.deepEqual(
    hand.sentOf('block').map(({ peers, block: sent }) => [peers, sent.digest]),
    [[[2], block.digest]],
  );
  assert.deepEqual(
    hand.sentOf('batch').map(({ peers, batch: sent }) => [peers, sent.digest]),
    [[[3], batch.digest]],
  );
  assert.deepEqual(hand.served, []);
});

test('a checkpoint held is answered here; a page and a boundary come from storage', () => {
  const hand = settled();
  hand.certify(block);
  hand.forgetSent();
  hand.hear(2, { type: 'request-checkpoint', height: toHeight(1) });
  assert.deepEqual(typesTo(hand, 2), ['checkpoint-signatures']);
  hand.hear(2, { type: 'request-boundary', epoch: toEpoch(1) });
  hand.hear(2, { type: 'request-chain', from: toHeight(1) });
  assert.deepEqual(
    hand.served.map(({ type }) => type),
    ['request-boundary', 'request-chain'],
  );
});

test('certificates that are asked for are sent: the newest finalization, and what is held of each view', () => {
  const hand = settled();
  const second = proposalOf(3, 1, blockOn(tipOf(block)));
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  hand.hearCertificate(nullification(3, [1, 2, 3]));
  hand.hearCertificate(notarization(second, [1, 2, 3]));
  const answerTo = (from: number, to: number, epoch = 1): string[] => {
    hand.forgetSent();
    hand.hear(2, requestViews(from, to, epoch));
    return hand.sentOf('certificate').map(({ peers, certificate: { vote } }) => {
      const view = vote.type === 'nullify' ? vote.view : vote.proposal.view;
      return `${vote.type} ${view} to ${peers}`;
    });
  };
  assert.deepEqual(answerTo(2, 2), ['nullify 2 to 2']);
  assert.deepEqual(answerTo(3, 3), ['notarize 3 to 2', 'nullify 3 to 2']);
  assert.deepEqual(answerTo(0, 1), ['finalize 1 to 2', 'finalize 1 to 2']);
  assert.deepEqual(answerTo(1, 1), ['finalize 1 to 2']);
  assert.deepEqual(answerTo(1, 1_000), ['finalize 1 to 2', 'nullify 2 to 2', 'notarize 3 to 2', 'nullify 3 to 2']);
  assert.deepEqual(answerTo(2, 2, 2), [], 'another epoch');
  assert.ok(certificatesPageMax >= viewsAhead);
});

test('a status of one who is behind is answered with the newest finalization, once in a while', () => {
  const hand = settled();
  const status = (lastFinalized: number, epoch = 1): Message => ({
    type: 'status',
    epoch: toEpoch(epoch),
    view: toView(1),
    lastFinalized: toView(lastFinalized),
    height: toHeight(0),
    asks: false,
    finalization: null,
    recall: nothingToRecall,
  });
  hand.hear(2, status(1));
  hand.hear(2, status(0, 2));
  assert.deepEqual(typesTo(hand, 2), [], 'not behind, or of another epoch');
  hand.hear(2, status(0));
  const helped = hand.sentOf('certificate').map(({ certificate }) => certificate.vote.type);
  assert.equal(helped[0], 'finalize');
  hand.hear(2, status(0));
  assert.equal(typesTo(hand, 2).length, helped.length, 'helped just now');
  hand.pass(constants.deltaMs / 4);
  hand.hear(2, status(0));
  assert.equal(typesTo(hand, 2).length, 2 * helped.length);
});

test('acknowledgements of another epoch do not count', () => {
  for (const [epoch, covered] of [
    [2, false],
    [1, true],
  ] as const) {
    const hand = new Hand();
    hand.hearBatch(batch);
    for (const peer of [1, 2, 3])
      hand.hear(peer, { type: 'acknowledgement', epoch: toEpoch(epoch), rows: [referenceOf(batch)] });
    hand.pass(2 * constants.deltaMs);
    const relayed = hand.sentOf('batch').some(({ batch: sent }) => sent.digest === batch.digest);
    assert.equal(relayed, !covered, 'who covers it is sent it no more');
  }
});

test('on connecting, a peer hears the status, the vector, the newest finalization and what it may lack', () => {
  const hand = settled();
  const pending = batchOf(2, 1);
  hand.hearBatch(pending, 2);
  hand.pass(constants.deltaMs / 2);
  hand.forgetSent();
  hand.input({ type: 'connected', peer: toValidatorIndex(3) });
  const types = typesTo(hand, 3);
  for (const type of ['status', 'acknowledgement', 'certificate', 'checkpoint-signatures', 'batch'])
    assert.ok(types.includes(type), type);
  assert.deepEqual(
    hand.sentOf('status').map(({ epoch, view, lastFinalized }) => [epoch, view, lastFinalized]),
    [[1, 2, 1]],
  );
});

test('a status tells where a replica stands', () => {
  const hand = settled();
  const { epoch, view, lastFinalizedView, finalizedHeight, executedHeight, certifiedHeight, ...rest } =
    hand.replica.status();
  assert.deepEqual([epoch, view, lastFinalizedView], [1, 2, 1]);
  assert.deepEqual([finalizedHeight, executedHeight, certifiedHeight], [1, 1, 0]);
  assert.deepEqual([rest.isSyncing, rest.maySign, rest.proofsOfFault, rest.waitingBytes], [false, true, 0, 0]);
  hand.certify(block);
  assert.equal(hand.replica.status().certifiedHeight, 1);
});

test('a replica counts as syncing while more than 16 finalized heights wait for execution', () => {
  const hand = new Hand({ holdExecution: true });
  let parent = genesisTip;
  for (let view = 1; view <= 17; view++) {
    const next = blockOn(parent);
    hand.agreeOn(view, view - 1, next);
    parent = tipOf(next);
    assert.equal(hand.replica.status().isSyncing, view === 17, `${view} waiting`);
  }
  hand.execute();
  assert.equal(hand.replica.status().isSyncing, false);
});

test('after a restart the same result is signed again, and another one fences', () => {
  const { journal } = settled();
  const again = new Hand({ records: journal, holdExecution: true });
  again.execute();
  assert.equal(again.isFenced, false);
  const { statement } = outcomeOf(block);
  const other = { ...statement, historySize: statement.historySize + 1 };
  const changed = journal.map((record) =>
    record.type === 'own-checkpoint' && record.statement.height === 1 ? { ...record, statement: other } : record,
  );
  const diverged = new Hand({ records: changed, holdExecution: true });
  assert.equal(diverged.isFenced, false);
  diverged.execute();
  assert.equal(diverged.isFenced, true);
  assert.equal(diverged.replica.status().maySign, false);
});

test('a result is signed in a later round than before, and in no earlier one; what was signed stays in the journal', () => {
  const { journal } = settled();
  const { statement } = outcomeOf(block);
  const inRound = (round: number) =>
    journal.map((record) =>
      record.type === 'own-checkpoint' && record.statement.height === 1
        ? { ...record, statement: { ...statement, round, historySize: statement.historySize + 1 } }
        : record,
    );
  const signedBy = (records: readonly JournalRecord[], round: number) => {
    const hand = new Hand({ records, holdExecution: true });
    hand.input({ type: 'executed', outcome: { ...outcomeOf(block), statement: { ...statement, round } } });
    const roundsIn = (all: Iterable<JournalRecord>) =>
      [...all].flatMap((record) => (record.type === 'own-checkpoint' ? [record.statement.round] : []));
    const kept = [...new Set(roundsIn(hand.replica.liveRecords()))].sort();
    return { isFenced: hand.isFenced, signed: roundsIn(hand.journal), kept };
  };
  assert.deepEqual(signedBy(inRound(0), 1), { isFenced: false, signed: [1], kept: [0, 1] });
  assert.deepEqual(signedBy(inRound(1), 2), { isFenced: false, signed: [2], kept: [1, 2] });
  assert.deepEqual(signedBy(inRound(1), 0), { isFenced: false, signed: [], kept: [0, 1] });
  assert.deepEqual(signedBy(inRound(1), 1), { isFenced: true, signed: [], kept: [1] });
});

test('own checkpoint signatures are sent again every tRetry until their height is certified', () => {
  const hand = settled();
  hand.pass(retryMs(constants) + 1);
  assert.ok(hand.sentOf('checkpoint-signatures').length >= 1);
  hand.hear(1, {
    type: 'checkpoint-signatures',
    signatures: [1, 2].map((i) => checkpointOf(i, outcomeOf(block).statement)),
  });
  hand.forgetSent();
  hand.pass(3 * retryMs(constants));
  assert.deepEqual(hand.sentOf('checkpoint-signatures'), []);
});

test('a record, an input and a message of no known type are bugs', () => {
  const { replica } = new Hand();
  const now = { ms: 0, wallMs: 0 };
  const unknown = { type: 'unknown' } as never;
  const isOurs = { name: 'AssertionFailed', message: /unreachable/ };
  assert.throws(() => replica.step(now, unknown), isOurs);
  assert.throws(() => replica.step(now, { type: 'message', from: toValidatorIndex(1), message: unknown }), isOurs);
  assert.throws(() => replica.restore(unknown), /restored before the start/);
  assert.throws(() => new Hand({ records: [unknown] }), isOurs);
});

test('suspended validators are told ascending; the own views are never skipped', () => {
  const hand = new Hand();
  for (const validator of [3, 0, 1])
    hand.input({ type: 'leader-hint', validator: toValidatorIndex(validator), isSuspended: true });
  assert.deepEqual(hand.replica.status().suspended, [0, 1, 3]);
  hand.hearCertificate(nullification(2, [1, 2, 3]));
  assert.equal(hand.view, 3);
  assert.equal(hand.votesOf('nullify', 3).length, 0);
});

test('batches of an executed block are served from storage, and no longer held', () => {
  const hand = settled();
  hand.hear(2, { type: 'request-batch', digest: batch.digest });
  assert.deepEqual([hand.served.length, hand.sentOf('batch').length], [1, 0]);
  assert.ok(![...hand.replica.liveRecords()].some(({ type }) => type === 'batch'));
});

test('a result that contradicts the own signature fences with its height, for what it is', () => {
  const { journal } = settled();
  const { statement } = outcomeOf(block);
  const other = { ...statement, historySize: statement.historySize + 1 };
  const records = journal.map((record) =>
    record.type === 'own-checkpoint' && record.statement.height === 1 ? { ...record, statement: other } : record,
  );
  const hand = new Hand({ records, holdExecution: true });
  const effects = hand.replica.step({ ms: 0, wallMs: 0 }, { type: 'executed', outcome: outcomeOf(block) });
  assert.deepEqual(
    effects.filter(({ type }) => type === 'fence'),
    [{ type: 'fence', reason: 'diverged', height: 1 }],
  );
});

test('what has a limit of its own can be counted', () => {
  const hand = new Hand();
  assert.deepEqual(hand.replica.sizes(), { wanted: 0, checkpointHeights: 0, pastViews: 0 });
  const far = proposalOf(1, 0, block);
  hand.hearCertificate(notarization(far, [1, 2, 3]));
  hand.hear(1, { type: 'checkpoint-signatures', signatures: [checkpointOf(1, outcomeOf(block).statement)] });
  const { wanted, checkpointHeights } = hand.replica.sizes();
  assert.deepEqual([wanted, checkpointHeights], [1, 1]);
});
