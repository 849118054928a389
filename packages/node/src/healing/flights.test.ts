import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createFlights } from './flights.ts';

test('what is told comes in the order in which it was begun, whatever ends first', async () => {
  const told: string[] = [];
  const flights = createFlights(4, 100);
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  for (const [i, end] of ends.entries()) {
    const flight = flights.next();
    await flights.begin(flight, 1, async () => {
      flight.tell(() => told.push(`${i} began`));
      await end.promise;
      flight.tell(() => told.push(`${i} ended`));
    });
  }
  assert.deepEqual(told, ['0 began'], 'the first one at once');
  for (const i of [2, 1]) ends[i]!.resolve();
  await turn();
  assert.deepEqual(told, ['0 began']);
  ends[0]!.resolve();
  await turn();
  const first = ['0 began', '0 ended', '1 began', '1 ended', '2 began', '2 ended', '3 began'];
  assert.deepEqual(told, first);
  ends[3]!.resolve();
  await flights.end();
  assert.deepEqual(told, [...first, '3 ended']);
});

test('no more are open than may be, by number and by weight, and what weighs more than all flies alone', async () => {
  const flights = createFlights(3, 10);
  let open = 0;
  let most = 0;
  let mostWeight = 0;
  let weightOpen = 0;
  const fly = async (weight: number): Promise<void> => {
    await flights.begin(flights.next(), weight, async () => {
      open++;
      weightOpen += weight;
      most = Math.max(most, open);
      if (open > 1) mostWeight = Math.max(mostWeight, weightOpen);
      if (weight > 10) assert.equal(open, 1);
      await turn();
      open--;
      weightOpen -= weight;
    });
  };
  for (const weight of [1, 1, 1, 1, 1, 8, 5, 5, 5, 50, 1, 1, 0, 0, 0, 0]) await fly(weight);
  await flights.end();
  assert.deepEqual([open, most], [0, 3]);
  assert.ok(mostWeight <= 10, `${mostWeight}`);
});

test('the first failure ends it, once nothing is under way any more', async () => {
  const flights = createFlights(2, 10);
  const slow = Promise.withResolvers<void>();
  let hasEnded = false;
  await flights.begin(flights.next(), 1, async () => {
    await slow.promise;
    assert.ok(flights.isFailed);
    hasEnded = true;
    throw new Error('later');
  });
  await flights.begin(flights.next(), 1, () => Promise.reject(new RangeError('first')));
  await turn();
  await assert.rejects(
    flights.begin(flights.next(), 1, async () => assert.fail('begun after a failure')),
    RangeError,
  );
  setImmediate(() => slow.resolve());
  await assert.rejects(flights.end(), RangeError);
  assert.ok(hasEnded);
});

test('one that has no work lets the next ones tell', async () => {
  const flights = createFlights(2, 10);
  const told: string[] = [];
  const [first, second] = [flights.next(), flights.next()];
  second!.tell(() => told.push('second'));
  assert.deepEqual(told, []);
  flights.drop(first!);
  assert.deepEqual(told, ['second']);
  await flights.end();
});
