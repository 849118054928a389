/** Who a number means in one epoch: protocol.md section 5. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  createEpochSet,
  sha256,
  toEpoch,
  toHeight,
  toValidatorIndex,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { EpochView, numbersMax } from './epoch-view.ts';

const genesis = { digest: sha256(Uint8Array.of(7)), height: toHeight(0), timeMs: 0 };

function viewOf(ids: readonly string[], selfId: string): EpochView {
  const validators = ids.map((id, i): Validator => {
    const key = (from: number) => new Uint8Array(32).fill(from + i);
    return { id, member: 'm', linkKey: key(1), votingKey: key(50), checkpointKey: key(100), addresses: [], life: null };
  });
  return new EpochView(
    createEpochSet(toEpoch(1), validators, validatorSetDigest(validators), genesis, 1),
    null,
    selfId,
  );
}

test('validators have the places of the set', () => {
  const view = viewOf(['a', 'b', 'c'], 'b');
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => view.indexOf(id)),
    [0, 1, 2],
  );
  assert.deepEqual([view.self, view.isMember, view.idOf(view.self)], [1, true, 'b']);
});

test('who is no validator has the place behind the last one for itself', () => {
  const view = viewOf(['a', 'b', 'c'], 'x');
  assert.deepEqual([view.self, view.isMember, view.idOf(view.self)], [3, false, 'x']);
  assert.equal(view.indexOf('y'), 4);
});

test('guests get numbers as they come, and keep them', () => {
  const view = viewOf(['a', 'b'], 'a');
  assert.deepEqual(
    ['x', 'y', 'x', 'b', 'y'].map((id) => view.indexOf(id)),
    [2, 3, 2, 1, 3],
  );
  assert.deepEqual([view.idOf(view.indexOf('x')!), view.idOf(view.indexOf('y')!)], ['x', 'y']);
});

test('so many guests have numbers, and no more; who has one keeps it', () => {
  const view = viewOf(['a', 'b'], 'a');
  for (let i = 0; i < numbersMax; i++) assert.equal(view.onConnected(`x${i}`), 2 + i);
  assert.equal(view.onConnected('one more'), null);
  assert.equal(view.indexOf('x0'), 2);
  assert.equal(view.indexOf('b'), 1);
});

test('who has gone makes room for another one, and no number is given twice', () => {
  const view = viewOf(['a', 'b'], 'a');
  for (let i = 0; i < numbersMax; i++) view.onConnected(`x${i}`);
  for (const id of ['b', 'a', 'x5', 'x3']) view.onDisconnected(id);
  assert.equal(view.onConnected('x5'), 7, 'it is back before anybody needed its place');
  assert.equal(view.onConnected('y'), 2 + numbersMax);
  assert.deepEqual([view.idOf(view.indexOf('y')!), view.idOf(toValidatorIndex(5))], ['y', null]);
  assert.equal(view.onConnected('z'), null, 'all others are linked, and validators keep their places');
  assert.deepEqual([view.indexOf('a'), view.indexOf('b')], [0, 1]);
  view.onDisconnected('y');
  assert.equal(view.onConnected('x3'), 3 + numbersMax, 'who was forgotten is somebody new');
  assert.equal(view.onDisconnected('nobody'), null);
});

test('coming and going takes up no room', () => {
  const view = viewOf(['a', 'b'], 'x');
  for (let i = 0; i < 3 * numbersMax; i++) {
    assert.equal(view.onConnected(`y${i}`), 3 + i);
    view.onDisconnected(`y${i}`);
  }
  view.onDisconnected('x');
  assert.equal(view.self, view.indexOf('x'));
});
