import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ailmentOf } from './ailment.ts';

const of = (code: string, failures = 0) => ailmentOf({ code, message: '' }, failures);

test('what is damaged is mended by the node; what only people can decide is left to them', () => {
  assert.equal(of('journal.damaged'), 'journal');
  for (const code of ['storage.damaged', 'node.damaged', 'node.diverged']) assert.equal(of(code, 9), 'chain', code);
  assert.deepEqual([of('node.behind'), of('restart.due')], ['behind', 'restart']);
  for (const code of ['storage.foreign', 'storage.failed', 'journal.failed', 'keyfile.malformed', 'config.bad-genesis'])
    assert.equal(of(code), null, code);
});

test('a failure that may be a bug is taken for damage a few times', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((failures) => of('node.chain-failed', failures)),
    ['chain', 'chain', 'chain', null],
  );
});
