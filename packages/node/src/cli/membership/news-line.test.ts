import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { eventKinds } from '../../http/news.ts';
import { newsLine } from './news-line.ts';

const lineOf = (event: string, data: unknown, id: string | null = '8.e0@0011aabb.3'): string =>
  stripVTControlCharacters(newsLine({ id, event, data }));

test('what happened is a line with its place, its kind and words', () => {
  assert.match(
    lineOf('suspended', { validator: 'node-4', cause: 'attested' }),
    /^8\.e0 +suspended +node-4 .*attested$/,
  );
  assert.match(
    lineOf('proposal-voted', { proposal: 'ab'.repeat(32), member: 'alder', isYes: false }),
    /abababababababab: alder votes no/,
  );
  assert.match(
    lineOf('target-changed', { joined: 'yew-1', left: [{ validator: 'node-2', cause: 'vote' }], rules: 1 }),
    /yew-1 comes in, node-2 goes \(vote\) with the next epoch/,
  );
  assert.match(lineOf('target-changed', { joined: null, left: [], rules: 2 }), /rules 2 with the next epoch/);
  assert.match(lineOf('gap', { height: 3 }, null), /^3 +gap +the node does not have height 3$/);
  assert.match(
    lineOf('attested', { by: 'a', validator: 'a', verdict: 'fenced', reason: 'x' }),
    /a says of itself: fenced/,
  );
});

test('an event of any kind and shape is a line, without control characters', () => {
  for (const event of [...eventKinds, 'later', '__proto__', 'constructor', 'x'.repeat(100)]) {
    for (const data of [
      null,
      5,
      'text',
      [],
      {},
      { validator: '\u001b[2Jx\u202e', validators: 'y', left: [null].flat() },
    ]) {
      const line = lineOf(event, data);
      assert.ok(!/[\p{C}]/u.test(line) && line.length < 700, `${event} ${JSON.stringify(data)}`);
    }
  }
  assert.match(lineOf('member-added', { member: 'x', name: '\u001b[31mred' }), /\(\?\[31mred\)/);
});
