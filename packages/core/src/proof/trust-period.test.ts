import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anchorOf, setOf } from './testing/epochs.ts';
import { checkTrustPeriod, confirmationsNeeded, isWithinTrustPeriod } from './trust-period.ts';

const day = 86_400;
const anchor = anchorOf(3, setOf('a', 'b', 'c', 'd', 'e', 'f', 'g'));
const check = { certifiedSeconds: 1_000 * day, trustPeriodSeconds: 30 * day };

test('an anchor is fresh up to the trust period, to the second', () => {
  assert.ok(isWithinTrustPeriod({ ...check, nowSeconds: 1_030 * day }));
  assert.ok(!isWithinTrustPeriod({ ...check, nowSeconds: 1_030 * day + 1 }));
  // A clock that goes slow does not make an anchor old.
  assert.ok(isWithinTrustPeriod({ ...check, nowSeconds: 0 }));
  assert.equal(codeOf(1_030 * day, 0), 'ok');
});

test('an older one needs f + 1 confirmations of its own set, and says so', () => {
  assert.equal(confirmationsNeeded(anchor), 3);
  assert.equal(codeOf(1_030 * day + 1, 2), 'anchor.too-old');
  assert.equal(codeOf(1_030 * day + 1, 3), 'ok');
  const refused = checkTrustPeriod(anchor, { ...check, nowSeconds: 1_045 * day, confirmations: 1 });
  assert.match(!refused.ok ? refused.error.message : '', /45 days ago, .* 30 days, and 1 of 3 nodes/);
});

test('one confirmation is needed even of a single validator', () => {
  const single = anchorOf(1, setOf('a'));
  const late = { ...check, nowSeconds: 2_000 * day };
  assert.ok(!checkTrustPeriod(single, { ...late, confirmations: 0 }).ok);
  assert.ok(checkTrustPeriod(single, { ...late, confirmations: 1 }).ok);
});

function codeOf(nowSeconds: number, confirmations: number): string {
  const checked = checkTrustPeriod(anchor, { ...check, nowSeconds, confirmations });
  return checked.ok ? 'ok' : checked.error.code;
}
