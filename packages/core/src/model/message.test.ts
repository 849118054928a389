/** What nodes send each other: one encoding for every value, and nothing malformed gets through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cbor, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  finalization,
  finalize,
  genesisOutcome,
  genesisTip,
  notarize,
  nullification,
  nullify,
  proposalOf,
  tipOf,
  validatorsOf,
} from '../protocol/testing/hand.ts';
import { batchBytesMax, batchTransactionsMax, createBatch, decodeBatch, encodeBatch, signBatch } from './batch.ts';
import { blockBatchesMax, blockFromParts, createBlock, decodeBlock, encodeBlock } from './block.ts';
import { toEpoch, toHash, toHeight, toValidatorIndex, toView } from './brands.ts';
import {
  createCertificate,
  decodeCertificate,
  encodeBitmap,
  encodeCertificate,
  votesOfCertificate,
} from './certificate.ts';
import {
  certificatesPageMax,
  chainBlocksMax,
  channelOf,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  nothingToRecall,
} from './message.ts';
import { voteSignedBytes } from './vote.ts';

const block = blockOn(genesisTip, { batches: [batchOf(1, 1), batchOf(2, 1)] });
const proposal = proposalOf(3, 1, block);
const digest = block.digest;

const samples: { readonly [T in MessageType]: readonly Extract<Message, { type: T }>[] } = {
  proposal: [{ type: 'proposal', vote: notarize(0, proposal), block }],
  vote: [
    { type: 'vote', vote: finalize(2, proposal), entry: null },
    { type: 'vote', vote: nullify(2, 9), entry: nullification(8, [0, 1, 3]) },
  ],
  certificate: [{ type: 'certificate', certificate: finalization(proposal, [1, 2, 30]) }],
  acknowledgement: [
    { type: 'acknowledgement', epoch: toEpoch(1), rows: [] },
    { type: 'acknowledgement', epoch: toEpoch(7), rows: [{ author: toValidatorIndex(3), seq: 2 ** 40, digest }] },
  ],
  'checkpoint-signatures': [
    { type: 'checkpoint-signatures', signatures: [checkpointOf(1, genesisOutcome().statement)] },
  ],
  status: [
    {
      type: 'status',
      epoch: toEpoch(1),
      view: toView(5),
      lastFinalized: toView(4),
      height: toHeight(3),
      asks: false,
      finalization: null,
      recall: nothingToRecall,
    },
  ],
  'request-certificates': [{ type: 'request-certificates', epoch: toEpoch(1), from: toView(5), to: toView(68) }],
  'request-block': [{ type: 'request-block', digest }],
  'request-batch': [{ type: 'request-batch', digest }],
  'request-checkpoint': [{ type: 'request-checkpoint', height: toHeight(9) }],
  'request-boundary': [{ type: 'request-boundary', epoch: toEpoch(2) }],
  'request-chain': [{ type: 'request-chain', from: toHeight(1) }],
  block: [{ type: 'block', block }],
  batch: [{ type: 'batch', batch: batchOf(1, 1) }],
  chain: [{ type: 'chain', blocks: [block, blockOn(tipOf(block))], finalization: finalization(proposal, [0, 1, 2]) }],
  transactions: [{ type: 'transactions', transactions: [Uint8Array.of(1, 2), new Uint8Array(0)] }],
  evidence: [
    {
      type: 'evidence',
      proof: { type: 'votes', accused: toValidatorIndex(2), first: nullify(2, 3), second: finalize(2, proposal) },
    },
  ],
  'request-snapshot': [{ type: 'request-snapshot', from: toHeight(7) }],
  'request-state': [{ type: 'request-state', height: toHeight(9), paths: ['', '0af', 'f'.repeat(64)] }],
  'request-tiles': [
    { type: 'request-tiles', size: 70_000, places: [] },
    { type: 'request-tiles', size: 70_000, places: [{ level: 1, index: 2 }] },
  ],
  'request-outcome': [{ type: 'request-outcome', height: toHeight(9) }],
  snapshot: [
    { type: 'snapshot', snapshot: null },
    {
      type: 'snapshot',
      snapshot: {
        height: toHeight(1),
        statements: [genesisOutcome().statement],
        signatures: [checkpointOf(1, genesisOutcome().statement)],
        blocks: [block],
        finalizations: [finalization(proposal, [0, 1, 2])],
        floors: [{ author: toValidatorIndex(3), seq: 9, digest, height: toHeight(1) }],
      },
    },
  ],
  state: [
    { type: 'state', height: toHeight(9), parts: null },
    {
      type: 'state',
      height: toHeight(9),
      parts: [
        { type: 'node', path: '', children: new Array(16).fill(digest) },
        { type: 'bucket', path: '00ff', entries: [{ key: Uint8Array.of(1), value: new Uint8Array(0) }] },
        { type: 'bucket', path: '00fe', entries: [] },
      ],
    },
  ],
  tiles: [
    { type: 'tiles', size: 300, tiles: null },
    { type: 'tiles', size: 300, tiles: [{ level: 1, index: 0, hashes: digest }] },
  ],
  'request-epochs': [{ type: 'request-epochs', from: toEpoch(3) }],
  epochs: [
    { type: 'epochs', proofs: [] },
    {
      type: 'epochs',
      proofs: [{ signatures: [checkpointOf(1, genesisOutcome().statement)], validators: validatorsOf(4) }],
    },
  ],
  outcome: [
    { type: 'outcome', height: toHeight(9), outcome: null },
    {
      type: 'outcome',
      height: toHeight(0),
      outcome: { statement: genesisOutcome().statement, verdicts: Uint8Array.of(0x80) },
    },
  ],
};

for (const [type, messages] of Object.entries(samples)) {
  test(`a message of type ${type} comes back as it was, from one encoding`, () => {
    for (const message of messages) {
      const bytes = encodeMessage(message);
      const decoded = decodeMessage(bytes);
      assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
      assert.deepEqual(decoded.value, message);
      assert.deepEqual(encodeMessage(decoded.value), bytes);
    }
  });
}

test('data takes the bulk channel, everything agreement waits for the control channel', () => {
  const bulk = Object.values(samples)
    .flat()
    .filter((message) => channelOf(message) === 'bulk')
    .map(({ type }) => type);
  assert.deepEqual(
    [...new Set(bulk)],
    ['block', 'batch', 'chain', 'transactions', 'snapshot', 'state', 'tiles', 'epochs', 'outcome'],
  );
});

/** A message with one field changed, at a path of indices. */
function changed(message: Message, path: readonly number[], value: Cbor): Uint8Array {
  const decoded = decodeCbor(encodeMessage(message));
  assert.ok(decoded.ok && Array.isArray(decoded.value));
  let at: Cbor[] = decoded.value;
  for (const index of path.slice(0, -1)) at = at[index] as Cbor[];
  at[path.at(-1)!] = value;
  return encodeCbor(decoded.value);
}

for (const [what, bytes] of [
  ['an unknown type', changed(samples.status[0]!, [0], 99)],
  ['a field too many', encodeCbor([7, digest, 0])],
  ['a field too few', encodeCbor([5, 1, 2])],
  ['a proposal that is not a vote to notarize', changed(samples.proposal[0]!, [1, 0], 2)],
  ['a chain that does not end with a finalization', changed(samples.chain[0]!, [2, 0], 0)],
  ['a digest of 31 bytes', changed(samples['request-block'][0]!, [1], new Uint8Array(31))],
  ['a signature of 63 bytes', changed(samples.vote[0]!, [1, 3], new Uint8Array(63))],
  ['a negative view', changed(samples.status[0]!, [2], -1)],
  ['a view beyond safe integers', changed(samples.status[0]!, [2], 2n ** 60n)],
  [
    'more certificates asked for than a page',
    changed(samples['request-certificates'][0]!, [3], 5 + certificatesPageMax),
  ],
  ['an acknowledgement for an author no set has', changed(samples.acknowledgement[1]!, [2, 0, 0], 256)],
  ['a path that is not hexadecimal', changed(samples['request-state'][0]!, [2, 0], 'AF')],
  ['a path longer than a key', changed(samples['request-state'][0]!, [2, 0], '0'.repeat(65))],
  ['more paths than a page', changed(samples['request-state'][0]!, [2], new Array<string>(257).fill(''))],
  ['a node of 15 children', changed(samples.state[1]!, [2, 0, 2], new Array<Uint8Array>(15).fill(digest))],
  ['a bucket of 257 entries', changed(samples.state[1]!, [2, 1, 2], new Array<Cbor>(257).fill([digest, digest]))],
  ['a tile of no hashes', changed(samples.tiles[1]!, [2, 0, 2], new Uint8Array(0))],
  ['a tile of 257 hashes', changed(samples.tiles[1]!, [2, 0, 2], new Uint8Array(257 * 32))],
  ['half a hash in a tile', changed(samples.tiles[1]!, [2, 0, 2], new Uint8Array(48))],
  ['a tile of level 9', changed(samples.tiles[1]!, [2, 0, 0], 9)],
  ['a snapshot with a certificate of another kind', changed(samples.snapshot[1]!, [1, 4, 0, 0], 0)],
  ['more statements than a snapshot has', changed(samples.snapshot[1]!, [1, 1], new Array<Cbor>(2_049).fill(0))],
  [
    'more blocks than a page',
    encodeCbor([14, new Array<Uint8Array>(chainBlocksMax + 1).fill(encodeBlock(block)), null]),
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const decoded = decodeMessage(bytes);
    assert.equal(decoded.ok, false);
    assert.equal(!decoded.ok && decoded.error.code, 'message.malformed');
  });
}

// --- Batches ----------------------------------------------------------------------------------------------------------

test('the size of a sealed batch is that of its bytes, as every receiver counts it', () => {
  for (const [count, sizeBytes] of [
    [1, 1],
    [23, 23],
    [24, 24],
    [255, 255],
    [256, 256],
    [1000, 300],
    [3, 65_535],
  ] as const) {
    const transactions = Array.from({ length: count }, () => new Uint8Array(sizeBytes));
    const fields = {
      epoch: toEpoch(1),
      author: toValidatorIndex(0),
      seq: 1,
      base: 1,
      previous: new Uint8Array(0),
      expiryHeight: toHeight(10),
    };
    const batch = signBatch(createBatch(fields, transactions), new Uint8Array(64));
    const bytes = encodeBatch(batch);
    assert.equal(batch.sizeBytes, bytes.length);
    const decoded = decodeBatch(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, batch);
  }
});

test('a batch is bound to its transactions: another order, another byte, another count is refused', () => {
  const [header, signature] = [batchOf(1, 1).headerBytes, new Uint8Array(64)];
  const [good] = batchOf(1, 1).transactions;
  assert.ok(decodeBatch(encodeCbor([header, signature, [good!]])).ok);
  assert.equal(decodeBatch(encodeCbor([header, signature, [good!, good!]])).ok, false);
  assert.equal(decodeBatch(encodeCbor([header, signature, []])).ok, false);
  assert.equal(decodeBatch(encodeCbor([header, signature, [good!.map((byte) => byte ^ 1)]])).ok, false);
});

test('a batch header has base from 1 to its number, and only the first has no previous', () => {
  const decodeWith = (fields: Parameters<typeof batchOf>[2], seq = 2) =>
    decodeBatch(encodeBatch(batchOf(1, seq, fields)));
  assert.ok(decodeWith({ base: 2 }).ok);
  assert.equal(decodeWith({ base: 0 }).ok, false);
  assert.equal(decodeWith({ base: 3 }).ok, false);
  assert.equal(decodeWith({ previous: new Uint8Array(0) }).ok, false);
  assert.equal(decodeWith({ previous: new Uint8Array(31) }).ok, false);
  assert.equal(decodeWith({ previous: new Uint8Array(32) }, 1).ok, false);
});

test('a batch past its limits is refused before it is read', () => {
  assert.equal(decodeBatch(new Uint8Array(batchBytesMax + 1)).ok, false);
  const many = Array.from({ length: batchTransactionsMax + 1 }, () => Uint8Array.of(1));
  assert.equal(decodeBatch(encodeCbor([batchOf(1, 1).headerBytes, new Uint8Array(64), many])).ok, false);
});

// --- Blocks and certificates ------------------------------------------------------------------------------------------

test('the digest of a block is its header alone, and the header binds the body', () => {
  assert.ok(decodeBlock(encodeBlock(block)).ok);
  const empty = blockOn(genesisTip);
  assert.equal(blockFromParts(block.headerBytes, empty.bodyBytes).ok, false);
  const withEvidence = createBlock(block.header, block.batches, [Uint8Array.of(1)]);
  assert.notDeepEqual(withEvidence.digest, block.digest);
  assert.equal(blockFromParts(block.headerBytes, withEvidence.bodyBytes).ok, false);
});

test('a boundary block names the next set, and comes back with it', () => {
  const boundary = createBlock({ ...block.header, nextSet: digest }, [], []);
  const decoded = decodeBlock(encodeBlock(boundary));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.header.nextSet, digest);
});

test('a block lists at most 64 batches', () => {
  const references = Array.from({ length: blockBatchesMax + 1 }, (_, i) => ({
    author: toValidatorIndex(1),
    seq: i + 1,
    digest,
  }));
  assert.equal(decodeBlock(encodeBlock(createBlock(block.header, references, []))).ok, false);
});

test('votes on one statement by different signers make one certificate, by ascending signer', () => {
  const certificate = createCertificate([nullify(30, 1), nullify(2, 1), nullify(9, 1)]);
  assert.deepEqual(certificate.signers, [2, 9, 30]);
  assert.deepEqual(encodeBitmap(certificate.signers), Uint8Array.of(0b100, 0b10, 0, 0b0100_0000));
  const decoded = decodeCertificate(encodeCertificate(certificate));
  assert.ok(decoded.ok);
  assert.deepEqual(votesOfCertificate(decoded.value), [nullify(2, 1), nullify(9, 1), nullify(30, 1)]);
});

test('what is signed tells kind and ledger apart', () => {
  const one = voteSignedBytes({ type: 'notarize', proposal }, digest);
  assert.notDeepEqual(one, voteSignedBytes({ type: 'finalize', proposal }, digest));
  assert.notDeepEqual(one, voteSignedBytes({ type: 'notarize', proposal }, toHash(new Uint8Array(32))));
});

test('a proposal stands on an earlier view, and views count from 1', () => {
  for (const wrong of [proposalOf(3, 3, block), proposalOf(0, 0, block)]) {
    const bytes = encodeMessage({ type: 'vote', vote: notarize(0, wrong), entry: null });
    assert.equal(decodeMessage(bytes).ok, false);
  }
});

test('a frame of small items is refused before they fill the memory', () => {
  for (const initial of [0x00, 0x40, 0x80, 0xa0]) {
    const items = 1 << 20;
    const frame = new Uint8Array(7 + items).fill(initial);
    frame.set([0x82, 15, 0x9a, items >> 24, (items >> 16) & 255, 0, 0]);
    const decoded = decodeMessage(frame);
    assert.match(decoded.ok ? 'accepted' : decoded.error.message, /more items than a value may have/);
  }
});
