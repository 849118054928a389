/**
 * Whatever f Byzantine validators say, to replicas of 4, 5 and 7: nothing throws, memory and answers stay within their
 * bounds, nobody honest signs or is accused of a fault, and the chain goes on afterwards. A failure prints seed and path.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzSettings } from '../../packages/core/src/bytes/testing/fuzz.ts';
import { ok, type Verifier } from '../../packages/core/src/index.ts';
import { anyDoorCase, runDoorCase } from './door-run.ts';

test('a replica stands whatever Byzantine validators say', () => {
  let messages = 0;
  let blocks = 0;
  const property = fc.property(anyDoorCase, (each) => {
    const world = runDoorCase(each);
    messages += world.messagesCount;
    blocks += world.honest[0]!.disk.executed.length;
  });
  fc.assert(property, fuzzSettings(6));
  assert.ok(messages > 50 && blocks > 6, `${messages} messages, ${blocks} blocks`);
});

test('a door that believes every signature is found out', () => {
  const credulous: Verifier = { id: 'credulous', verify: () => true, checkPublicKey: () => ok(undefined) };
  const property = fc.property(anyDoorCase, (each) => void runDoorCase(each, credulous));
  const details = fc.check(property, { seed: 4, numRuns: 60, endOnFailure: true });
  assert.equal(details.failed, true);
  assert.match(String(details.errorInstance), /a proof .* that honest node|signed|differ|fenced/);
});
