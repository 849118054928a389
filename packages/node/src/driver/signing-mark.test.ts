import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { isAhead, nothingSigned, raiseMark, voteRank } from './signing-mark.ts';

const mark = { epoch: 2, view: 10, seq: 5, checkpointHeight: 40 };

test('a mark only rises, and stays the same object when nothing is new', () => {
  assert.equal(raiseMark(mark, { epoch: 2, view: 10 }), mark);
  assert.equal(raiseMark(mark, { epoch: 2, seq: 4 }), mark);
  assert.equal(raiseMark(mark, { epoch: 1, view: 99 }), mark);
  assert.equal(raiseMark(mark, { checkpointHeight: 40 }), mark);
  assert.deepEqual(raiseMark(mark, { epoch: 2, view: 11 }), { ...mark, view: 11 });
  assert.deepEqual(raiseMark(mark, { checkpointHeight: 41 }), { ...mark, checkpointHeight: 41 });
});

test('views and batch numbers begin anew with an epoch, heights do not', () => {
  assert.deepEqual(raiseMark(mark, { epoch: 3, seq: 1 }), { epoch: 3, view: 0, seq: 1, checkpointHeight: 40 });
});

test('a mark is ahead where it names anything that is not remembered', () => {
  assert.equal(isAhead(nothingSigned, nothingSigned), false);
  assert.equal(isAhead(mark, mark), false);
  assert.equal(isAhead(mark, { ...mark, view: 9 }), true);
  assert.equal(isAhead(mark, { ...mark, seq: 4 }), true);
  assert.equal(isAhead(mark, { ...mark, checkpointHeight: 39 }), true);
  assert.equal(isAhead(mark, { ...mark, epoch: 1, view: 99 }), true);
  assert.equal(isAhead(mark, { ...mark, epoch: 3, view: 0, seq: 0 }), false);
});

test('a disk put back within a view is noticed: the mark knows how far was voted in it', () => {
  const notarized = raiseMark(mark, { epoch: 2, view: 11, vote: voteRank.notarize });
  const nullified = raiseMark(notarized, { epoch: 2, view: 11, vote: voteRank.nullify });
  assert.equal(isAhead(nullified, notarized), true);
  assert.equal(isAhead(notarized, nullified), false);
  assert.equal(raiseMark(nullified, { epoch: 2, view: 10, vote: voteRank.finalize }), nullified);
  assert.equal(isAhead(nullified, raiseMark(notarized, { epoch: 2, view: 11, vote: voteRank.finalize })), false);
  assert.deepEqual(raiseMark(nullified, { epoch: 2, view: 12 }), { ...mark, view: 12 });
});
