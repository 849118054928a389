/** What proven faults do to the ledger (protocol.md section 6): they are recorded, and suspend. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { readMisbehaviour, readSuspensions } from './query.ts';
import { createWorld } from './testing/world.ts';

test('misbehaviour is recorded once and suspends its validator, whatever else the block holds', () => {
  const world = createWorld();
  const fault = { validator: 'boreal-1', member: 'boreal', kind: 'equivocation', height: 7 };
  const { events, targetSet, leaderHints } = world.execute([], { misbehaviour: [fault, fault] });
  assert.deepEqual(events, [{ type: 'misbehaviour', ...fault }]);
  assert.deepEqual([targetSet, leaderHints], [null, [{ validator: 'boreal-1', suspended: true }]]);
  const again = world.execute([], { misbehaviour: [fault, { ...fault, height: 9 }] });
  assert.deepEqual(again.leaderHints, [], 'who is suspended is not suspended again');
  const { validator, kind, height } = fault;
  assert.deepEqual(readMisbehaviour(world.store), [
    { validator, kind, height, recordedHeight: 1 },
    { validator, kind, height: 9, recordedHeight: 2 },
  ]);
  assert.deepEqual(readSuspensions(world.store), [{ validator: 'boreal-1', cause: 'proven-fault', sinceHeight: 1 }]);
});

test('two validators of one member, proven faulty in the same way in one block, are both recorded and suspended', () => {
  const world = createWorld();
  const fault = { validator: 'boreal-1', member: 'boreal', kind: 'votes', height: 1 };
  const misbehaviour = [fault, { ...fault, validator: 'boreal-2' }];
  const { events, leaderHints } = world.execute([], { misbehaviour });
  const ids = ['boreal-1', 'boreal-2'];
  assert.deepEqual(
    events,
    ids.map((validator) => ({ type: 'misbehaviour', ...fault, validator })),
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
