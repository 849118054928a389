import { strict as assert } from 'node:assert';
import { after, test } from 'node:test';
import { encodeCbor, equalBytes, toEpoch, toHash, toHeight } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { epochProofsFrom } from '../storage/epoch-proofs.ts';
import { findingOf } from '../storage/storage-error.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { serveFromStorage } from './serve-from-storage.ts';
import {
  batchBytes,
  checkpointSignaturesOf,
  createLedgerBench,
  genesis,
  transaction,
  validatorNamed,
} from './testing/ledger-bench.ts';

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

test('a page of the chain ends with its epoch, whose end can be asked for and is proven', (t) => {
  const other = createLedgerBench();
  t.after(() => other.end());
  const lag = genesis.parameters.checkpointLag;
  const next = [...genesis.validators, validatorNamed('node-9', 20)];
  other.execute([]);
  other.want(next);
  const outcomes = Array.from({ length: lag + 3 }, () => other.execute([]).outcome);
  const boundary = lag + 1;
  const pageFrom = (from: number) => serveFromStorage(other.chain, { type: 'request-chain', from: toHeight(from) });
  const heights = (from: number) => {
    const page = pageFrom(from);
    assert.ok(page?.type === 'chain');
    return page.blocks.map(({ header }) => header.height);
  };
  assert.deepEqual(heights(2), [2, 3, 4, 5]);
  assert.deepEqual(heights(boundary), [boundary]);
  assert.deepEqual(heights(boundary + 1), [6, 7, 8]);

  const request = (epoch: number) => serveFromStorage(other.chain, { type: 'request-boundary', epoch: toEpoch(epoch) });
  const end = request(1);
  assert.ok(end?.type === 'certificate' && end.certificate.vote.type === 'finalize');
  assert.ok(equalBytes(end.certificate.vote.proposal.digest, toHash(other.chain.blockByHeight(boundary)!.digest)));
  assert.deepEqual([request(0), request(2), request(3)], [null, null, null]);

  // A higher checkpoint of the next epoch proves the results, and not who signs in it.
  const signed = (height: number) => checkpointSignaturesOf(other.chain, outcomes[height - 2]!);
  assert.ok(other.chain.putCertified(boundary + 2, 0, signed(boundary + 2)).ok);
  assert.deepEqual(other.chain.openBoundaries(), [boundary]);
  assert.deepEqual(epochProofsFrom(other.chain, 1, 16), []);
  const checkpointFor = (height: number) => {
    const answer = serveFromStorage(other.chain, { type: 'request-checkpoint', height: toHeight(height) });
    return answer?.type === 'checkpoint-signatures' ? answer.signatures[0]!.statement.height : null;
  };
  assert.equal(checkpointFor(2), boundary + 2, 'the newest, where the epoch has none');
  assert.ok(other.chain.putCertified(boundary, 0, signed(boundary)).ok);
  assert.deepEqual(other.chain.openBoundaries(), []);
  assert.equal(checkpointFor(2), boundary, 'the one that the asker can check');
  assert.equal(checkpointFor(boundary + 1), boundary + 2);
  const [proof, ...others] = epochProofsFrom(other.chain, 1, 16);
  assert.deepEqual(
    proof!.validators.map(({ id }) => id),
    ['node-1', 'node-9'],
  );
  assert.equal(proof!.signatures[0]!.statement.height, boundary);
  assert.equal(others.length, 0);
  assert.deepEqual(epochProofsFrom(other.chain, 2, 16), []);
  const answer = (from: number) => serveFromStorage(other.chain, { type: 'request-epochs', from: toEpoch(from) });
  assert.deepEqual(
    [answer(1), answer(2), answer(9)],
    [
      { type: 'epochs', proofs: [proof!] },
      { type: 'epochs', proofs: [] },
      { type: 'epochs', proofs: [] },
    ],
  );

  // Signatures of something else prove nothing.
  assert.ok(other.chain.putCertified(boundary, 0, signed(boundary - 1)).ok);
  assert.deepEqual(epochProofsFrom(other.chain, 1, 16), []);
  assert.ok(other.chain.putCertified(boundary, 0, encodeCbor([])).ok);
  assert.deepEqual(epochProofsFrom(other.chain, 1, 16), []);
});

test('what was changed on disk is never passed on, and is noticed', () => {
  const own = createLedgerBench();
  const batch = createBatchPreparer(own.chain.store, sodiumVerifier).open(batchBytes(1, [transaction()]), true);
  const { block, outcome } = own.execute([batch]);
  const isDamage = (kind: string) => (cause: unknown) => findingOf(cause)?.class === kind;
  assert.ok(own.chain.putCertified(1, 0, checkpointSignaturesOf(own.chain, outcome)).ok);
  const askForCheckpoint = () => serveFromStorage(own.chain, { type: 'request-checkpoint', height: toHeight(1) });
  assert.equal(askForCheckpoint()?.type, 'checkpoint-signatures');
  own.sql("UPDATE checkpoints SET signatures = CAST(substr(signatures, 1, length(signatures) - 1) || x'00' AS BLOB)");
  assert.throws(askForCheckpoint, isDamage('checkpoint'));
  own.sql("UPDATE batch_parts SET bytes = zeroblob(length(bytes)); UPDATE blocks SET body = x'00' WHERE height = 1");
  assert.throws(
    () => serveFromStorage(own.chain, { type: 'request-batch', digest: batch.batch.digest }),
    isDamage('batch'),
  );
  assert.throws(() => serveFromStorage(own.chain, { type: 'request-block', digest: block.digest }), isDamage('block'));
  assert.throws(() => serveFromStorage(own.chain, { type: 'request-chain', from: toHeight(1) }), isDamage('block'));
  own.end();
});
