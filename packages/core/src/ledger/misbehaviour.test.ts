/** What proven faults do to the ledger (protocol.md section 6): they are recorded, and suspend. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { readMisbehaviour } from './query.ts';
import { readSuspensions } from './set-query.ts';
import { createWorld } from './testing/world.ts';

test('misbehaviour is recorded once and suspends its validator, whatever else the block holds', () => {
  const world = createWorld();
  const fault = { validator: 'node-1', member: 'boreal', kind: 'votes', height: 7 };
  const { events, targetSet, leaderHints } = world.execute([], { misbehaviour: [fault, fault] });
  assert.deepEqual(events, [
    { type: 'misbehaviour', ...fault },
    { type: 'suspended', validator: 'node-1', cause: 'proven-fault' },
  ]);
  assert.deepEqual([targetSet, leaderHints], [null, [{ validator: 'node-1', suspended: true }]]);
  const again = world.execute([], { misbehaviour: [fault, { ...fault, height: 9 }] });
  assert.deepEqual(again.leaderHints, [], 'who is suspended is not suspended again');
  const { validator, kind, height } = fault;
  assert.deepEqual(readMisbehaviour(world.store), [
    { validator, kind, height, recordedHeight: 1 },
    { validator, kind, height: 9, recordedHeight: 2 },
  ]);
  const { votingKey } = world.genesis.validators[0]!;
  assert.deepEqual(readSuspensions(world.store), [
    { validator: 'node-1', cause: 'proven-fault', sinceHeight: 1, votingKey, life: null },
  ]);
});

test('two validators of one member, proven faulty in the same way in one block, are both recorded and suspended', () => {
  const world = createWorld();
  const fault = { validator: 'node-1', member: 'boreal', kind: 'votes', height: 1 };
  const misbehaviour = [fault, { ...fault, validator: 'node-3' }];
  const { events, leaderHints } = world.execute([], { misbehaviour });
  const ids = ['node-1', 'node-3'];
  assert.deepEqual(
    events,
    ids.flatMap((validator) => [
      { type: 'misbehaviour', ...fault, validator },
      { type: 'suspended', validator, cause: 'proven-fault' },
    ]),
  );
  assert.deepEqual(
    leaderHints,
    ids.map((validator) => ({ validator, suspended: true })),
  );
  assert.deepEqual(
    readSuspensions(world.store).map(({ validator }) => validator),
    ids,
  );
  assert.deepEqual(
    readMisbehaviour(world.store).map(({ validator }) => validator),
    ids,
  );
});
