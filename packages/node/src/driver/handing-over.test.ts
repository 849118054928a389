import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { HandingOver, handOversMax } from './handing-over.ts';

test('what is owed is handed over again after each pause, and in the end no more', () => {
  let nowMs = 0;
  const handed: string[] = [];
  const over = new HandingOver(
    () => nowMs,
    () => 100,
    (transactions) => handed.push(transactions.map(([byte]) => byte).join()),
  );
  over.owe([Uint8Array.of(1)]);
  over.react();
  assert.deepEqual(handed, ['1'], 'not before the pause is over');
  for (nowMs = 100; over.deadline() <= nowMs; nowMs += 100) over.react();
  assert.equal(handed.length, handOversMax);
  assert.deepEqual([over.isOwing, over.deadline()], [false, Number.POSITIVE_INFINITY]);
  over.owe([Uint8Array.of(2)]);
  assert.deepEqual([...over.owed()], [Uint8Array.of(2)]);
  assert.equal(handed.at(-1), '2');
});
