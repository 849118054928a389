import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { equalBytes, toHash, toHeight } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { decodeSignatures, serveFromStorage } from './serve-from-storage.ts';
import { batchBytes, createLedgerBench, transaction } from './testing/ledger-bench.ts';

const bench = createLedgerBench();
after(() => bench.end());
const { chain } = bench;
const batches = Array.from({ length: 5 }, (_, i) =>
  createBatchPreparer(chain.store, sodiumVerifier).open(batchBytes(i + 1, [transaction()]), true),
);
// Heights 1 to 5; the last one is final through a later one that is not here yet.
const blocks = batches.map((batch, i) => bench.execute([batch], i < 4 && i !== 1).block);

test('a block and a batch come back as they went in', () => {
  const block = serveFromStorage(chain, { type: 'request-block', digest: blocks[2]!.digest });
  assert.ok(block?.type === 'block' && equalBytes(block.block.headerBytes, blocks[2]!.headerBytes));
  const batch = serveFromStorage(chain, { type: 'request-batch', digest: batches[2]!.batch.digest });
  assert.ok(batch?.type === 'batch' && equalBytes(batch.batch.digest, batches[2]!.batch.digest));
});

test('what is not here has no answer, nor has the genesis, which is no block', () => {
  const nothing = toHash(new Uint8Array(32));
  assert.equal(serveFromStorage(chain, { type: 'request-block', digest: nothing }), null);
  assert.equal(serveFromStorage(chain, { type: 'request-batch', digest: nothing }), null);
  assert.equal(
    serveFromStorage(chain, { type: 'request-block', digest: toHash(chain.blockByHeight(0)!.digest) }),
    null,
  );
  assert.equal(serveFromStorage(chain, { type: 'request-chain', from: toHeight(0) }), null);
  assert.equal(serveFromStorage(chain, { type: 'request-chain', from: toHeight(6) }), null);
  assert.equal(serveFromStorage(chain, { type: 'request-checkpoint', height: toHeight(3) }), null, 'none is certified');
});

test('a page of the chain ends with the last block that has a finalization of its own, and carries it', () => {
  const page = serveFromStorage(chain, { type: 'request-chain', from: toHeight(2) });
  assert.ok(page?.type === 'chain');
  assert.deepEqual(
    page.blocks.map((block) => block.header.height),
    [2, 3, 4],
  );
  const { vote } = page.finalization;
  assert.ok(vote.type === 'finalize' && equalBytes(vote.proposal.digest, blocks[3]!.digest));
});

test('signatures that cannot be decoded are none', () => {
  assert.equal(decodeSignatures(null), null);
  assert.equal(decodeSignatures(Uint8Array.of(0xff)), null);
  assert.deepEqual(decodeSignatures(Uint8Array.of(0x80)), []);
});
