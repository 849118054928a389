/** protocol.md section 6, level 0: what a peer may ask for in one Delta. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import { certificatesPageMax, type Message } from '../../model/message.ts';
import { ledgerHash, nullify } from '../testing/hand.ts';
import { RequestBudget, requestBudget, requestCost } from './request-budget.ts';

const deltaMs = 100;
const peer = toValidatorIndex(1);
const views = (from: number, to: number): Message => ({
  type: 'request-certificates',
  epoch: toEpoch(1),
  from: toView(from),
  to: toView(to),
});
const page: Message = { type: 'request-chain', from: toHeight(1) };
const block: Message = { type: 'request-block', digest: ledgerHash };

test('a request costs about what its answer is; what is no request costs nothing', () => {
  assert.deepEqual(
    [views(5, 5), views(5, 7), views(7, 5), views(1, certificatesPageMax), views(1, 1_000_000)].map(requestCost),
    [1, 3, 1, certificatesPageMax, certificatesPageMax],
  );
  assert.equal(requestCost(page), 16);
  const ones: Message[] = [
    block,
    { type: 'request-batch', digest: ledgerHash },
    { type: 'request-checkpoint', height: toHeight(1) },
    { type: 'request-boundary', epoch: toEpoch(1) },
  ];
  assert.deepEqual(ones.map(requestCost), [1, 1, 1, 1]);
  assert.equal(requestCost({ type: 'vote', vote: nullify(1, 1), entry: null }), 0);
});

test('a peer is answered up to its allowance in each Delta, apart from other peers', () => {
  const budget = new RequestBudget(deltaMs);
  for (let i = 0; i < requestBudget / 16; i++) assert.ok(budget.admits(peer, page, 50));
  assert.equal(budget.admits(peer, block, 50), false);
  assert.equal(budget.admits(peer, block, 149), false);
  assert.ok(budget.admits(toValidatorIndex(2), block, 50));
  assert.ok(budget.admits(peer, { type: 'vote', vote: nullify(1, 1), entry: null }, 50), 'no request, no cost');
  assert.ok(budget.admits(peer, block, 150), 'Delta later');
});

test('what is refused is not counted', () => {
  const budget = new RequestBudget(deltaMs);
  for (let i = 0; i < requestBudget / 16 - 1; i++) budget.admits(peer, page, 0);
  assert.ok(budget.admits(peer, block, 0));
  assert.equal(budget.admits(peer, page, 0), false, 'one unit too many');
  for (let i = 0; i < 15; i++) assert.ok(budget.admits(peer, block, 0));
  assert.equal(budget.admits(peer, block, 0), false);
});

test('who is no validator has an allowance of its own', () => {
  const budget = new RequestBudget(deltaMs);
  for (let i = 0; i < requestBudget; i++) assert.ok(budget.admits(toValidatorIndex(4), block, 0));
  assert.equal(budget.admits(toValidatorIndex(4), block, 0), false);
  assert.ok(budget.admits(toValidatorIndex(5), block, 0));
});
