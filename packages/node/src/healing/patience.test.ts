import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createPatience } from './patience.ts';

test('the third repair that finds nothing is the last one', () => {
  const patience = createPatience();
  const told = () => patience.onRepaired('node.diverged', 'nothing');
  assert.deepEqual([told(), told(), told(), told()], [null, null, 'diverged', 'diverged']);
});

test('a repair that mended something, or a good life, is a new beginning', () => {
  const patience = createPatience();
  for (const begin of [
    () => patience.onRepaired('node.damaged', 'chain-repaired'),
    () => patience.onRepaired('node.damaged', 'chain-replaced'),
    () => patience.onGoodLife(),
  ]) {
    assert.equal(patience.onRepaired('node.damaged', 'nothing'), null);
    assert.equal(patience.onRepaired('node.diverged', 'nothing'), null);
    begin();
  }
  assert.equal(patience.onRepaired('node.damaged', 'nothing'), null);
});

test('a node is fenced for what it failed by last, and only where it can live on with that', () => {
  const patience = createPatience();
  for (const code of ['node.diverged', 'node.diverged']) patience.onRepaired(code, 'nothing');
  assert.equal(patience.onRepaired('storage.damaged', 'nothing'), null);
  assert.equal(patience.onRepaired('node.damaged', 'nothing'), 'damaged');
});
