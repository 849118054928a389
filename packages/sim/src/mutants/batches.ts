/** Mutants of the batches: protocol.md section 2. */
import type { Mutant } from './mutant.ts';

const batchBook = 'packages/core/src/protocol/batches/batch-book.ts';
const ownBatches = 'packages/core/src/protocol/batches/own-batches.ts';
const listing = 'packages/core/src/protocol/batches/listing.ts';
const blockTree = 'packages/core/src/protocol/agreement/block-tree.ts';

const sizes = [4, 5] as const;

export const batchMutants: readonly Mutant[] = [
  {
    name: 'listed-over-gaps',
    rule: 'listing without gaps',
    edits: [
      {
        file: listing,
        find: 'return header.seq === floor + 1 || header.base === header.seq;',
        replace: 'return true;',
      },
    ],
    profile: 'listers',
    nodes: [4],
  },
  {
    name: 'listed-again-below-the-floor',
    rule: 'a block is invalid if it lists a batch at or below the floor',
    edits: [
      { file: listing, find: 'if (header.seq <= floor) return false;', replace: '' },
      {
        file: listing,
        find: 'return header.seq === floor + 1 || header.base === header.seq;',
        replace: 'return header.seq <= floor + 1 || header.base === header.seq;',
      },
    ],
    profile: 'listers',
    nodes: [4],
  },
  {
    name: 'floors-from-executed-state',
    rule: "the floor is computed from the chain's own bodies, never from executed state",
    edits: [
      {
        file: blockTree,
        find: 'if (name === nameOf(this.root.digest)) return this.#rootMarks;',
        replace: 'if (name !== "") return this.#rootMarks;',
      },
    ],
    profile: 'divided',
    nodes: [4],
  },
  {
    name: 'expired-batches-listed',
    rule: 'a block is invalid if it lists an expired batch',
    edits: [
      {
        file: listing,
        find: '|| header.epoch !== epoch || header.expiryHeight < height) return false;',
        replace: '|| header.epoch !== epoch) return false;',
      },
    ],
    profile: 'expiry',
    nodes: [4],
  },
  {
    name: 'expired-not-sealed-again',
    rule: 'authors re-seal their expired transactions',
    edits: [
      { file: batchBook, find: 'this.#forgetUnordered(this.own.sealExpiredAgain(block.header.height));', replace: '' },
    ],
    profile: 'expiry',
    nodes: [4],
  },
  {
    name: 'sealed-again-without-base',
    rule: '`base` is set by the author who has re-sealed expired batches',
    edits: [{ file: ownBatches, find: 'this.#base = this.#seq + 1;', replace: '' }],
    profile: 'expiry',
    nodes: [4],
  },
  {
    name: 'pending-relayed-once',
    rule: 'a batch pending for Delta is sent, and again every tRetry',
    edits: [
      {
        file: batchBook,
        find: 'relayedAtMs === null ? sinceMs + constants.deltaMs : relayedAtMs + retryMs(constants)',
        replace: 'relayedAtMs === null ? sinceMs + constants.deltaMs : Number.POSITIVE_INFINITY',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'pending-never-relayed',
    rule: 'a batch pending for Delta is sent to those who lack it',
    edits: [
      {
        file: batchBook,
        find: 'return relayedAtMs === null ? sinceMs + constants.deltaMs : relayedAtMs + retryMs(constants);',
        replace: 'return Number.POSITIVE_INFINITY;',
      },
    ],
    profile: 'any',
    nodes: sizes,
  },
  {
    name: 'vectors-not-repeated',
    rule: 'acknowledgements are sent again every tRetry',
    edits: [
      { file: batchBook, find: 'if (isNew || isRepeat) this.sendVector', replace: 'if (isNew) this.sendVector' },
      {
        file: batchBook,
        find: 'return Math.min(this.#vectorAtMs + retryMs(this.#context.constants), this.#relayDueMs(batches));',
        replace: 'return this.#relayDueMs(batches);',
      },
    ],
    profile: 'lossy',
    nodes: [7],
  },
  {
    name: 'neither-relay-nor-vector-repeated',
    rule: 'relay of pending batches and acknowledgements are repeated',
    edits: [
      {
        file: batchBook,
        find: 'relayedAtMs === null ? sinceMs + constants.deltaMs : relayedAtMs + retryMs(constants)',
        replace: 'relayedAtMs === null ? sinceMs + constants.deltaMs : Number.POSITIVE_INFINITY',
      },
      { file: batchBook, find: 'if (isNew || isRepeat) this.sendVector', replace: 'if (isNew) this.sendVector' },
      {
        file: batchBook,
        find: 'return Math.min(this.#vectorAtMs + retryMs(this.#context.constants), this.#relayDueMs(batches));',
        replace: 'return this.#relayDueMs(batches);',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'batch-acknowledged-before-durable',
    rule: 'a receiver stores a batch durably, then acknowledges and notarizes',
    edits: [
      {
        file: batchBook,
        find: "this.#context.emit({ type: 'persist', record: { type: 'batch', batch } });",
        replace: '',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'listed-batches-dropped-before-execution',
    rule: 'listed batches are dropped by retention, not before they are executed',
    edits: [
      {
        file: batchBook,
        find: 'if (!this.#ordered.has(name)) this.#byDigest.delete(name);',
        replace: 'this.#byDigest.delete(name);',
      },
    ],
    profile: 'any',
    nodes: sizes,
  },
  {
    name: 'sealed-again-batches-taken-back',
    rule: 'own batches below the own base are sealed again, once',
    edits: [
      {
        file: batchBook,
        find: 'if (this.own.isSealedAgain(header)) return false;',
        replace: '',
      },
    ],
    profile: 'expiry',
    nodes: [4],
  },
];
