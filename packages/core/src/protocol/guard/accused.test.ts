/** Whom a proof accuses, in the epoch it is of and in the next one: protocol.md section 6, "Evidence in blocks". */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { toEpoch, toHeight } from '../../model/brands.ts';
import type { FaultProof } from '../../model/fault-proof.ts';
import { type Validator, validatorSetDigest } from '../../model/validator-set.ts';
import { createEpochSet } from '../epochs/epoch.ts';
import {
  checkpointOf,
  genesisOutcome,
  ledgerHash,
  notarize,
  proposalOf,
  setOf,
  validatorsOf,
} from '../testing/hand.ts';
import { accusationOf } from './accused.ts';

const before = setOf(5);

/** The epoch after that of the genesis, with these validators. */
function nextOf(validators: readonly Validator[]) {
  const genesis = { digest: ledgerHash, height: toHeight(9), timeMs: 9 };
  return createEpochSet(toEpoch(2), validators, validatorSetDigest(validators), genesis, 1);
}

const accused = 3 as never;
const block = (text: number) => ({ digest: new Uint8Array(32).fill(text) as never });
const votes: FaultProof = {
  type: 'votes',
  accused,
  first: notarize(3, proposalOf(1, 0, block(1))),
  second: notarize(3, proposalOf(1, 0, block(2))),
};
const { statement } = genesisOutcome();
const checkpoints: FaultProof = {
  type: 'checkpoints',
  accused,
  first: checkpointOf(3, statement),
  second: checkpointOf(3, { ...statement, historySize: 3 }),
};

test('a proof accuses in its own epoch, by its own place', () => {
  assert.deepEqual(accusationOf(votes, before, null), { accused: 3, signers: before });
  assert.equal(accusationOf({ ...votes, accused: 5 as never }, before, null), null, 'no validator has that place');
});

test('in the next epoch it accuses whoever has the same id and key there, at the place it has there', () => {
  const next = nextOf(validatorsOf(5).slice(1));
  assert.deepEqual(accusationOf(votes, next, before), { accused: 2, signers: before });
  assert.deepEqual(accusationOf(checkpoints, next, before), { accused: 2, signers: before });
  assert.equal(accusationOf(votes, next, null), null, 'only with the set of that epoch');
});

test('who is gone, or has another key, is not accused: an old key frames nobody', () => {
  const others = validatorsOf(5).filter((_, i) => i !== 3);
  assert.equal(accusationOf(votes, nextOf(others), before), null);
  const votingKey = new Uint8Array(32).fill(99);
  const renewed = validatorsOf(5).map((validator, i) => (i === 3 ? { ...validator, votingKey } : validator));
  assert.equal(accusationOf(votes, nextOf(renewed), before), null);
  assert.notEqual(accusationOf(checkpoints, nextOf(renewed), before), null, 'the checkpoint key is the same');
});

test('two epochs later it says nothing', () => {
  const validators = validatorsOf(5);
  const later = { ...nextOf(validators), epoch: toEpoch(3) };
  assert.equal(accusationOf(votes, later, nextOf(validators)), null);
});
