/**
 * Whatever f Byzantine validators say, to replicas of 4, 5 and 7: nothing throws, memory and answers stay within their
 * bounds, nobody honest signs or is accused of a fault, and the chain goes on afterwards. A failure prints seed and path.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzSettings } from '../../packages/core/src/bytes/testing/fuzz.ts';
import { anyDoorCase, runDoorCase } from './door-run.ts';

test('a replica stands whatever Byzantine validators say', () => {
  let messages = 0;
  let blocks = 0;
  const property = fc.property(anyDoorCase, (each) => {
    const world = runDoorCase(each);
    messages += world.messagesCount;
    blocks += world.honest[0]!.disk.executed.length;
  });
  fc.assert(property, fuzzSettings(12));
  assert.ok(messages > 100 && blocks > 12, `${messages} messages, ${blocks} blocks`);
});
