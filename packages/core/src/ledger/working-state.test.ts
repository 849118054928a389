import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeCbor } from '../bytes/cbor.ts';
import { errorOf } from './errors.ts';
import { balanceKind } from './records.ts';
import { keyToPath, pathToKey, type Store } from './store.ts';
import { createWorkingState, type WorkingState } from './working-state.ts';

const refusal = errorOf('asset.insufficient');

/** A state over stored balances, and how often it reads. */
function open(stored: Readonly<Record<string, number>> = {}): { state: WorkingState; reads: () => number } {
  let reads = 0;
  const store: Store = {
    get(key) {
      reads++;
      const amount = stored[keyToPath(key)];
      return amount === undefined ? null : encodeCbor(amount);
    },
  };
  return { state: createWorkingState(store), reads: () => reads };
}

const writesOf = (state: WorkingState) => state.writes().map(({ key, value }) => [keyToPath(key), value?.[0] ?? null]);

test('a record is read from the store once, and seen as it was set last', () => {
  const { state, reads } = open({ a: 1 });
  assert.deepEqual([state.get(balanceKind, 'a'), state.get(balanceKind, 'a'), reads()], [1n, 1n, 1]);
  state.set(balanceKind, 'a', 2n);
  assert.deepEqual([state.get(balanceKind, 'a'), reads()], [2n, 1]);
  assert.equal(state.get(balanceKind, 'b'), null);
});

test('writes hold what was set, ascending, deletions only of what is stored', () => {
  const { state } = open({ gone: 1, kept: 2, same: 3 });
  state.get(balanceKind, 'kept');
  for (const path of ['z', 'b', 'a']) state.set(balanceKind, path, 9n);
  state.set(balanceKind, 'gone', null);
  state.set(balanceKind, 'same', 3n);
  state.set(balanceKind, 'never', 4n);
  state.set(balanceKind, 'never', null);
  assert.deepEqual(writesOf(state), [
    ['a', 9],
    ['b', 9],
    ['gone', null],
    ['same', 3],
    ['z', 9],
  ]);
});

test('an attempt that is refused leaves everything as before, also what was set twice', () => {
  const { state } = open({ a: 1 });
  state.set(balanceKind, 'b', 5n);
  const change = (answer: typeof refusal | null) => () => {
    state.set(balanceKind, 'a', 2n);
    state.set(balanceKind, 'a', 3n);
    state.set(balanceKind, 'b', null);
    state.set(balanceKind, 'c', 7n);
    assert.equal(state.get(balanceKind, 'a'), 3n);
    return answer;
  };
  assert.equal(state.attempt(change(refusal)), refusal);
  assert.deepEqual(
    ['a', 'b', 'c'].map((path) => state.get(balanceKind, path)),
    [1n, 5n, null],
  );
  assert.deepEqual(writesOf(state), [['b', 5]], 'what was not changed is not written');
  assert.equal(state.rehearse(change(null)), null);
  assert.deepEqual(writesOf(state), [['b', 5]], 'a rehearsal changes nothing either way');
  assert.equal(state.attempt(change(null)), null);
  assert.deepEqual(writesOf(state), [
    ['a', 3],
    ['c', 7],
  ]);
});

test('attempts are not nested', () => {
  const { state } = open();
  assert.throws(() => state.attempt(() => state.attempt(() => null)), /not nested/);
});

test('a stored record that does not decode stops the state', () => {
  const damaged = createWorkingState({ get: () => Uint8Array.of(0x61) });
  assert.throws(() => damaged.get(balanceKind, 'a'), /the record at a is CBOR/);
  const other = createWorkingState({ get: () => encodeCbor('text') });
  assert.throws(() => other.get(balanceKind, 'a'), /the record at a has the shape of its kind/);
  assert.ok(pathToKey('a').length === 1);
});
