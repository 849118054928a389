import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { addressClient, createRateLimit } from './rate-limit.ts';

test('a burst passes at once, then the steady rate', () => {
  const limit = createRateLimit(10, 3);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.take('a', 0)),
    [0, 0, 0, 100],
  );
  assert.equal(limit.take('a', 60), 40);
  assert.equal(limit.take('a', 100), 0);
  assert.equal(limit.take('b', 100), 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.take('a', 1_000_000)),
    [0, 0, 0, 100],
  );
});

test('time that goes back gives nothing, and takes nothing', () => {
  const limit = createRateLimit(10, 1);
  assert.equal(limit.take('a', 1_000), 0);
  assert.equal(limit.take('a', 0), 100);
});

test('a flood of clients does not make it forget one that is over its rate', () => {
  const limit = createRateLimit(1, 2);
  for (let i = 0; i < 9_990; i++) limit.take(`old ${i}`, 0);
  limit.take('a', 10_000);
  limit.take('a', 10_000);
  for (let i = 0; i < 9_000; i++) limit.take(`new ${i}`, 10_000);
  assert.ok(limit.take('a', 10_000) > 0);
});

test('an IPv6 host is known by its /64, since it has all the addresses in it', () => {
  assert.equal(addressClient('192.0.2.1'), '192.0.2.1');
  assert.equal(addressClient('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(addressClient('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(addressClient('2001:db8:1:2::6'), '2001:db8:1:2::/64');
  assert.equal(addressClient('2001:db8::6'), '2001:db8:0:0::/64');
  assert.equal(addressClient('::1'), '0:0:0:0::/64');
  assert.equal(addressClient(undefined), 'unknown');
});
