/** Mutants of the epochs, and of life numbers: protocol.md sections 5 and 6. */
import type { Mutant } from './mutant.ts';

const agreement = 'packages/core/src/protocol/agreement/agreement.ts';
const blockRules = 'packages/core/src/protocol/agreement/block-rules.ts';
const checkpoints = 'packages/core/src/protocol/checkpoints/checkpoints.ts';
const nextOrigin = 'packages/core/src/protocol/epochs/next-origin.ts';
const door = 'packages/core/src/protocol/guard/door.ts';
const accused = 'packages/core/src/protocol/guard/accused.ts';
const whereabouts = 'packages/core/src/protocol/guard/whereabouts.ts';
const driver = 'packages/node/src/driver/driver.ts';
const safetyRecord = 'packages/node/src/driver/safety-record.ts';
const handingOver = 'packages/node/src/driver/handing-over.ts';

export const epochMutants: readonly Mutant[] = [
  {
    name: 'leavers-sign-no-old-heights',
    rule: 'section 5: checkpoints of the heights of an epoch are signed by its validators, also those who leave',
    edits: [
      {
        file: checkpoints,
        find: 'if (signers !== set) return indexIn(signers, selfId);',
        replace: 'if (signers !== set) return self < set.validators.length ? indexIn(signers, selfId) : null;',
      },
    ],
    profile: 'tight-epochs',
    nodes: [5],
  },
  {
    name: 'old-heights-verified-by-the-new-set',
    rule: 'section 5: the set of the epoch before signs up to the boundary',
    edits: [
      {
        file: door,
        find: 'const signers = signature.statement.epoch === previous?.epoch ? previous : set;',
        replace: 'const signers = set;',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'boundary-signatures-not-asked-for',
    rule: "section 5: a quorum's signatures of the boundary are asked for until they are held, by every node",
    edits: [
      {
        file: checkpoints,
        find: 'this.#owedHeight = context.previous === null || context.previous.isCertified ? null : context.set.genesis.height;',
        replace: 'this.#owedHeight = null;',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'boundary-not-proposed-again',
    rule: 'section 5: a boundary block is proposed again, unchanged, until it is finalized itself',
    edits: [
      {
        file: agreement,
        find: 'if (!isParentFinalized && (parent.isBoundary || checkpoint === null)) {',
        replace: 'if (!isParentFinalized && checkpoint === null) {',
      },
    ],
    profile: 'divided-epochs',
    nodes: [4, 5],
  },
  {
    name: 'built-on-a-boundary',
    rule: 'section 5: nothing is built on a boundary block in its epoch',
    edits: [
      {
        file: agreement,
        find: 'if (!isParentFinalized && (parent.isBoundary || checkpoint === null)) {',
        replace: 'if (!isParentFinalized && checkpoint === null) {',
      },
      {
        file: agreement,
        find: 'if (checkpoint === null || parent.isBoundary) return false;',
        replace: 'if (checkpoint === null) return false;',
      },
      { file: blockRules, find: 'if (!isOfHere || parent.isBoundary)', replace: 'if (!isOfHere)' },
    ],
    profile: 'divided-epochs',
    nodes: [4, 5],
  },
  {
    name: 'voting-goes-on-after-the-boundary',
    rule: 'section 5: once the boundary is final nothing more is voted on in its epoch',
    edits: [
      { file: agreement, find: '      if (this.isOver) return;\n', replace: '' },
      {
        file: agreement,
        find: 'if (checkpoint === null || parent.isBoundary) return false;',
        replace: 'if (checkpoint === null) return false;',
      },
      { file: blockRules, find: 'if (!isOfHere || parent.isBoundary)', replace: 'if (!isOfHere)' },
    ],
    profile: 'divided-epochs',
    nodes: [4, 5],
  },
  {
    name: 'next-set-not-compared',
    rule: 'R3 and section 5: a block names the next set exactly when the ledger wanted another one L heights before',
    edits: [
      {
        file: blockRules,
        find: ' && isSameDigest(due.nextSet, header.nextSet)',
        replace: '',
      },
    ],
    profile: 'bent-epochs',
    nodes: [4, 5],
  },
  {
    name: 'floors-not-begun-anew',
    rule: 'section 5: the numbers of batches, and the floors, begin at 0 with each epoch',
    edits: [
      {
        file: nextOrigin,
        find: 'floors: next.validators.map(() => ({ seq: 0, digest: null })),',
        replace:
          'floors: next.validators.map((_, i) => ({ seq: batches.chains[i]?.floor ?? 0, digest: batches.chains[i]?.floorDigest ?? null })),',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'batches-of-the-old-epoch-not-sealed-again',
    rule: 'section 5: own batches of the old epoch that no block of it lists are sealed again in the new one',
    edits: [
      {
        file: driver,
        find: 'const leftovers = [...this.#replica.leftovers(), ...this.#handingOver.owed()];',
        replace: 'const leftovers = [...this.#handingOver.owed()];',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'batches-of-the-old-epoch-forgotten-in-a-restart',
    rule: 'section 5: own batches of the old epoch are sealed again, also after a restart',
    edits: [{ file: driver, find: 'this.handIn(this.#unlisted.takeUnsealed());', replace: '' }],
    profile: 'restarted-epochs',
    nodes: [4, 5],
  },
  {
    name: 'handed-over-once',
    rule: 'section 5: who is no validator hands transactions over every tRetry, until it sees them executed',
    edits: [
      {
        file: handingOver,
        find: 'if (this.#nowMs() < this.#atMs) return;',
        replace: 'if (this.#nowMs() < this.#atMs || this.isOwing) return;',
      },
    ],
    profile: 'restarted-epochs',
    nodes: [5],
  },
  {
    name: 'other-epochs-not-helped',
    rule: 'section 5: who speaks of an older epoch is told how it ended, who speaks of a newer one is asked',
    edits: [
      {
        file: driver,
        find: "return this.input({ type: 'other-epoch', from, epoch, message: decoded.value.type });",
        replace: 'return;',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'guests-not-told',
    rule: 'section 5: guests ask a validator each Delta where it is',
    edits: [
      {
        file: whereabouts,
        find: 'if (self < set.validators.length || now.ms < this.#polledAtMs + constants.deltaMs) return;',
        replace: 'if (self <= set.validators.length) return;',
      },
    ],
    profile: 'epochs',
    nodes: [4, 5],
  },
  {
    name: 'accused-by-place',
    rule: 'sections 5 and 6: whom the chain accuses is carried into the next epoch by key, not by place',
    edits: [
      {
        file: nextOrigin,
        find: 'const place = indexIn(next, id);',
        replace: 'const place = id === "" ? indexIn(next, id) : validator < next.validators.length ? validator : null;',
      },
      {
        file: nextOrigin,
        find: 'if (place !== null && equalBytes(next.validators[place]!.votingKey, votingKey)) places.push(place);',
        replace: 'if (place !== null && votingKey.length > 0) places.push(place);',
      },
    ],
    profile: 'proven-epochs',
    nodes: [5, 7],
  },
  {
    name: 'proofs-of-the-old-epoch-by-place',
    rule: 'section 6: a proof counts in the next epoch against who still has the key, not against who has the place',
    edits: [
      {
        file: accused,
        find: 'const accused = before === undefined ? null : indexIn(set, before.id);',
        replace:
          "const accused = before?.id === '' ? indexIn(set, before.id) : proof.accused < set.validators.length ? proof.accused : null;",
      },
      {
        file: accused,
        find: 'return equalBytes(set.validators[accused]![key], before[key]) ? { accused, signers: previous } : null;',
        replace: 'return equalBytes(before[key], before[key]) ? { accused, signers: previous } : null;',
      },
    ],
    profile: 'proven-epochs',
    nodes: [5, 7],
  },
  {
    name: 'start-check-removed',
    rule: 'section 6, "After a start": nothing is signed before a quorum was heard',
    edits: [{ file: driver, find: 'new Replica({ ...origin, awaitsQuorum: true }', replace: 'new Replica(origin' }],
    profile: 'put-back',
    nodes: [4],
  },
  {
    name: 'recall-ignored',
    rule: 'section 6, "After a start": who is shown what it does not remember has lost its safety record',
    edits: [
      {
        file: whereabouts,
        find: 'if (votes.length > 0 || batch !== null) this.#ports.onForgotten();',
        replace: 'if (votes.length < 0 && batch !== null) this.#ports.onForgotten();',
      },
    ],
    profile: 'put-back',
    nodes: [4],
  },
  {
    name: 'life-number-not-compared',
    rule: 'section 6, "Life numbers": a record whose number is not the one that the set names signs nothing',
    edits: [
      {
        file: safetyRecord,
        find: 'if (!this.#view.isMember) return true;',
        replace: 'if (this.#view.self >= 0) return true;',
      },
    ],
    profile: 'lost-lives',
    nodes: [4, 7],
  },
];
