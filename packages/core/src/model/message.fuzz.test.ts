/** Decoders of what nodes send: any bytes give a value or an error, never an exception, and a value has one encoding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Encodable, encodeCbor } from '../bytes/cbor.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  finalization,
  genesisOutcome,
  genesisTip,
  notarize,
  nullification,
  nullify,
  proposalOf,
} from '../protocol/testing/hand.ts';
import { decodeBatch, encodeBatch } from './batch.ts';
import { decodeBlock, encodeBlock } from './block.ts';
import { decodeCertificate, encodeCertificate } from './certificate.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';

const block = blockOn(genesisTip, { batches: [batchOf(1, 1)] });
const proposal = proposalOf(3, 1, block);
const messages: readonly Message[] = [
  { type: 'proposal', vote: notarize(0, proposal), block },
  { type: 'vote', vote: nullify(2, 9), entry: nullification(8, [0, 1, 3]) },
  { type: 'batch', batch: batchOf(1, 1) },
  { type: 'checkpoint-signatures', signatures: [checkpointOf(1, genesisOutcome().statement)] },
  { type: 'chain', blocks: [block], finalization: finalization(proposal, [0, 1, 2]) },
  { type: 'acknowledgement', epoch: 1 as never, rows: [{ author: 3 as never, seq: 4, digest: block.digest }] },
];

const decoders = [
  ['decodeMessage', decodeMessage, encodeMessage],
  ['decodeBatch', decodeBatch, encodeBatch],
  ['decodeBlock', decodeBlock, encodeBlock],
  ['decodeCertificate', decodeCertificate, encodeCertificate],
] as const;

const seeds: readonly Uint8Array[] = [
  ...messages.map(encodeMessage),
  encodeBatch(batchOf(1, 2)),
  encodeBlock(block),
  encodeCertificate(nullification(1, [0, 2])),
];

/** What decodes encodes to the very bytes it came from: nothing else may be read into them. */
function check(bytes: Uint8Array): void {
  for (const [name, decode, encode] of decoders) {
    const decoded = decode(bytes);
    if (!decoded.ok) assert.match(decoded.error.code, /^[a-z]+\.malformed$/);
    else assert.deepEqual((encode as (value: unknown) => Uint8Array)(decoded.value), bytes, name);
  }
}

test('any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 2_000 });
});

test('any CBOR', () => {
  const item = fc.letrec<{ value: Encodable }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.nat(),
      fc.integer(),
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom(new Uint8Array(32), new Uint8Array(64), null, true),
      fc.string({ maxLength: 8 }),
      fc.array(tie('value'), { maxLength: 9 }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.nat(16), fc.array(item, { maxLength: 5 }), (type, fields) => check(encodeCbor([type, ...fields]))),
    { numRuns: 3_000 },
  );
});

test('good bytes with bytes changed, cut or inserted', () => {
  const edit = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    kind: fc.constantFrom('change', 'cut', 'insert', 'remove'),
  });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }), (seed, edits) => {
      let bytes = [...seed];
      for (const { at, byte, kind } of edits) {
        const index = at % (bytes.length + 1);
        if (kind === 'change') bytes[Math.min(index, bytes.length - 1)] = byte;
        else if (kind === 'cut') bytes = bytes.slice(0, index);
        else if (kind === 'insert') bytes.splice(index, 0, byte);
        else bytes.splice(index, 1);
        if (bytes.length === 0) bytes = [byte];
      }
      check(Uint8Array.from(bytes));
    }),
    { numRuns: 5_000 },
  );
});

test('every prefix of good bytes is refused', () => {
  for (const seed of seeds) {
    for (let length = 0; length < seed.length; length++) {
      const bytes = seed.subarray(0, length);
      for (const [, decode] of decoders) assert.equal(decode(bytes).ok, false);
    }
  }
});
