import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, networkOf } from './admission.ts';

const LIMITS = {
  burstPerAddress: 5,
  perSecondPerAddress: 2,
  burstTotal: 12,
  perSecondTotal: 4,
  addressesMax: 3,
};

function countAdmitted(admission: Admission, address: string, attempts: number, nowMs: number): number {
  return Array.from({ length: attempts }, () => admission.admit(address, nowMs)).filter(Boolean).length;
}

test('an address gets its burst, and then its rate', () => {
  const admission = new Admission(LIMITS, 0);
  assert.equal(countAdmitted(admission, '10.0.0.1', 10, 0), 5);
  assert.equal(countAdmitted(admission, '10.0.0.1', 10, 1000), 2);
});

test('one address does not use up what another may have', () => {
  const admission = new Admission(LIMITS, 0);
  countAdmitted(admission, '10.0.0.1', 100, 0);
  assert.equal(countAdmitted(admission, '10.0.0.2', 10, 0), 5);
});

test('all addresses together are limited as well', () => {
  const admission = new Admission(LIMITS, 0);
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const admitted = addresses.map((address) => countAdmitted(admission, address, 10, 0));
  assert.deepEqual(admitted, [5, 5, 2]);
});

test('a peer gets its token back', () => {
  const admission = new Admission(LIMITS, 0);
  for (let count = 0; count < 100; count++) {
    assert.equal(admission.admit('10.0.0.1', 0), true);
    admission.refund('10.0.0.1');
  }
});

test('no more addresses are remembered than allowed', () => {
  const admission = new Admission({ ...LIMITS, burstTotal: 1000 }, 0);
  for (let last = 0; last < 100; last++) admission.admit(`10.0.0.${last}`, 0);
  assert.equal(admission.addressCount, 3);
});

test('an IPv6 network is its first 64 bits; an IPv4 address is one however it is written', () => {
  assert.equal(networkOf('2001:db8:0:1::5'), networkOf('2001:0db8::1:ffff:1:2:3'));
  assert.notEqual(networkOf('2001:db8:0:1::5'), networkOf('2001:db8:0:2::5'));
  assert.equal(networkOf('fe80::1%eth0'), networkOf('fe80::2'));
  assert.equal(networkOf('::1'), '0:0:0:0');
  assert.equal(networkOf('::ffff:10.0.0.1'), '10.0.0.1');
});
