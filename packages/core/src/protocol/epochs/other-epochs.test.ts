/** R7 across epochs: protocol.md sections 3 and 5. This node is in epoch 3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toValidatorIndex } from '../../model/brands.ts';
import type { Message } from '../../model/message.ts';
import {
  batchOf,
  blockOn,
  constants,
  createBench,
  finalization,
  genesisTip,
  nullify,
  proposalOf,
  setOf,
} from '../testing/hand.ts';
import { epochOfMessage, OtherEpochs } from './other-epochs.ts';

const pauseMs = constants.deltaMs / 2;

function create() {
  const bench = createBench(4, 0, { set: { ...setOf(4), epoch: toEpoch(3) } });
  const others = new OtherEpochs(bench.context);
  return {
    at: bench.at,
    /** What a message of this kind and epoch sets off. */
    hear: (peer: number, epoch: number, type: Message['type'] = 'status'): string[] => {
      bench.effects.length = 0;
      others.onHeard(toValidatorIndex(peer), toEpoch(epoch), type);
      return bench.effects.map((effect) => {
        if (effect.type === 'send' && effect.message.type === 'request-boundary')
          return `asks ${effect.to} for the end of ${effect.message.epoch}`;
        if (effect.type === 'serve' && effect.request.type === 'request-boundary')
          return `tells ${effect.to} the end of ${effect.request.epoch}`;
        return effect.type;
      });
    },
  };
}

test('who speaks of an older epoch is told how that one ended', () => {
  const { hear } = create();
  assert.deepEqual(hear(1, 2), ['tells 1 the end of 2']);
  assert.deepEqual(hear(2, 1, 'vote'), ['tells 2 the end of 1'], 'one epoch after the other');
  assert.deepEqual(hear(3, 0), ['tells 3 the end of 1']);
});

test('who speaks of a newer epoch is asked how the own one ended', () => {
  const { hear } = create();
  assert.deepEqual(hear(1, 4), ['asks 1 for the end of 3']);
  assert.deepEqual(hear(2, 9, 'certificate'), ['asks 2 for the end of 3'], 'also where it is a certificate');
});

test('what answers is not answered: two nodes would go on for ever', () => {
  const { hear } = create();
  assert.deepEqual(hear(1, 2, 'certificate'), []);
  assert.deepEqual(hear(1, 2, 'chain'), []);
  assert.deepEqual(hear(1, 2, 'vote'), ['tells 1 the end of 2'], 'and does not count as answered');
});

test('each peer is answered at most once in Delta / 2, whatever it says', () => {
  const { hear, at } = create();
  assert.equal(hear(1, 2).length, 1);
  at(pauseMs - 1);
  assert.deepEqual(hear(1, 2), []);
  assert.deepEqual(hear(1, 4), []);
  assert.equal(hear(2, 2).length, 1, 'another peer');
  at(pauseMs);
  assert.equal(hear(1, 4).length, 1);
});

test('two nodes in different epochs come to rest', () => {
  const ahead = create();
  const behind = createBench(4, 1);
  const others = new OtherEpochs(behind.context);
  // The node ahead tells the end of epoch 1 by a certificate of epoch 1: that is of the other one's present epoch, and no matter here.
  assert.equal(ahead.hear(1, 1).length, 1);
  // The node behind asks by a request, which belongs to no epoch.
  others.onHeard(toValidatorIndex(0), toEpoch(3), 'status');
  const asked = behind.effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
  assert.deepEqual(asked.map(epochOfMessage), [null]);
});

test('the epoch of a message is that of what it says', () => {
  const block = blockOn(genesisTip);
  const proposal = proposalOf(1, 0, block);
  const certificate = finalization(proposal, [1, 2, 3]);
  const vote = nullify(1, 1);
  const messages: Message[] = [
    { type: 'vote', vote, entry: null },
    { type: 'proposal', vote, block },
    { type: 'certificate', certificate },
    { type: 'chain', blocks: [block], finalization: certificate },
    { type: 'batch', batch: batchOf(1, 1) },
    { type: 'acknowledgement', epoch: toEpoch(1), rows: [] },
  ];
  assert.deepEqual(messages.map(epochOfMessage), [1, 1, 1, 1, 1, 1]);
  assert.equal(epochOfMessage({ type: 'block', block }), null);
  assert.equal(epochOfMessage({ type: 'transactions', transactions: [] }), null);
});
