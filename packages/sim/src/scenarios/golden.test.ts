/** The difference between two transcripts, as a failing scenario shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differenceOf } from './golden.ts';

test('a difference shows what went and what came, with what stayed between', () => {
  const before = ['starts', 'votes', 'crashes', 'ends'].join('\n');
  const after = ['starts', 'votes', 'sleeps', 'wakes', 'ends'].join('\n');
  assert.deepEqual(differenceOf(before, after).split('\n'), [
    '  starts',
    '  votes',
    '- crashes',
    '+ sleeps',
    '+ wakes',
    '  ends',
  ]);
});

test('equal transcripts have no difference; a new one is all new', () => {
  assert.equal(differenceOf('a\nb', 'a\nb'), '  a\n  b');
  assert.deepEqual(differenceOf('', 'a').split('\n'), ['- ', '+ a']);
});
