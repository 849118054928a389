import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { equalBytes } from '../bytes/hex.ts';
import { keyId } from '../crypto/keys.ts';
import { readKey, readValidators } from './query.ts';
import { targetSetAfter, targetSetOf, writeTargetSet } from './target-set.ts';
import { createWorld } from './testing/world.ts';
import { createWorkingState } from './working-state.ts';

test('genesis writes its validators as the target set, and their link keys as node keys of their members', () => {
  const { store, genesis } = createWorld();
  assert.deepEqual(targetSetOf(createWorkingState(store)), genesis.validators);
  assert.deepEqual(readValidators(store), genesis.validators);
  for (const { linkKey, member } of genesis.validators) {
    const key = readKey(store, keyId('ed25519', linkKey))!;
    assert.ok(equalBytes(key.publicKey, linkKey));
    assert.deepEqual([key.role, key.member, key.device, key.fromHeight], ['node', member, null, 0]);
  }
});

test('an execution tells the rules that the ledger wants, at first those of the genesis', () => {
  const world = createWorld();
  assert.equal(world.execute([]).targetRules, world.genesis.rules);
});

test('a target set is told when it differs from the one before the block, and only then', () => {
  const { store, genesis } = createWorld();
  const [one, two, three, four] = genesis.validators;
  const state = createWorkingState(store);
  assert.equal(targetSetAfter(store, state), null);
  const returned = { ...two!, life: new Uint8Array(16).fill(1) };
  writeTargetSet(state, [four!, returned, one!]);
  assert.deepEqual(targetSetAfter(store, state), [one, returned, four]);
  store.apply(state.writes());
  assert.deepEqual(readValidators(store), [one, returned, four]);

  const back = createWorkingState(store);
  writeTargetSet(back, [one!, two!, three!, four!]);
  writeTargetSet(back, [one!, returned, four!]);
  assert.equal(targetSetAfter(store, back), null);
});
