/** The chain from the genesis on: every block fetched, every signature verified, every transaction executed. */
import {
  admitMessage,
  type Batch,
  type Block,
  type Certificate,
  encodeBatch,
  encodeCertificate,
  encodeCheckpointStatement,
  equalBytes,
  type Hash,
  toHeight,
  toValidatorIndex,
  viewOfVote,
} from '../packages/core/src/index.ts';
import { sodiumVerifier } from '../packages/node/src/crypto/sodium-verifier.ts';
import { isFinalization, quorumOf } from '../packages/node/src/healing/certified.ts';
import { anchorEpochs, epochToSet, type SyncAnchor } from '../packages/node/src/healing/known-epochs.ts';
import { isNothing, isTrue, isWrong, type Peers } from '../packages/node/src/healing/peers.ts';
import type { ChainDb } from '../packages/node/src/storage/chain-db.ts';
import { encodeSignatures } from '../packages/node/src/storage/checkpoint-signatures.ts';
import { createBatchPreparer } from '../packages/node/src/threads/batch-preparer.ts';
import { createChainExecutor } from '../packages/node/src/threads/chain-executor.ts';

type Page = { readonly blocks: readonly Block[]; readonly finalization: Certificate };

/** @param height up to which, all of one epoch */
export async function replayChain(
  { genesis, ledgerHash }: SyncAnchor,
  chain: ChainDb,
  peers: Peers,
  height: number,
): Promise<void> {
  const [epoch] = anchorEpochs({ genesis, ledgerHash });
  const set = epochToSet(epoch!);
  const executor = createChainExecutor(genesis, ledgerHash, chain);
  const preparer = createBatchPreparer(chain.store, sodiumVerifier);

  const fetchPage = (from: number): Promise<Page | null> =>
    peers.askAny({ type: 'request-chain', from: toHeight(from) }, (answer) => {
      if (answer.type !== 'chain') return isNothing;
      const last = answer.blocks.at(-1)!;
      const isFinal = isFinalization(answer.finalization, last, epoch!, ledgerHash, sodiumVerifier);
      return isFinal ? isTrue(answer) : isWrong('a page of the chain that is not final');
    });

  async function fetchBatch(digest: Hash): Promise<Batch> {
    const batch = await peers.askAny({ type: 'request-batch', digest }, (answer) => {
      if (answer.type !== 'batch') return isNothing;
      const isListed = equalBytes(answer.batch.digest, digest);
      const isSigned = admitMessage(answer, toValidatorIndex(0), set, ledgerHash, sodiumVerifier).ok;
      return isListed && isSigned ? isTrue(answer.batch) : isWrong('another batch than was asked for');
    });
    if (batch === null) throw new Error('a batch is missing');
    return batch;
  }

  const batchesOf = (block: Block | undefined): Promise<Batch[]> =>
    Promise.all((block?.batches ?? []).map(({ digest }) => fetchBatch(digest)));

  while (chain.tip()!.height < height) {
    const from = chain.tip()!.height + 1;
    const page = await fetchPage(from);
    if (page === null) throw new Error(`nobody gives block ${from}`);
    let next = batchesOf(page.blocks[0]);
    for (const [i, block] of page.blocks.entries()) {
      const isLinked = equalBytes(block.header.parent, chain.tip()!.digest) && block.header.height === from + i;
      if (!isLinked) throw new Error('a page of the chain does not follow');
      const batches = await next;
      next = batchesOf(page.blocks[i + 1]);
      const isLast = i === page.blocks.length - 1;
      executor.execute({
        block,
        view: isLast ? viewOfVote(page.finalization.vote) : 0,
        finalization: isLast ? encodeCertificate(page.finalization) : null,
        batches: batches.map((batch) => preparer.open(encodeBatch(batch), true)),
        misbehaviour: [],
      });
    }
  }
  await certifyTip();

  /** What was executed is what a quorum signed. */
  async function certifyTip(): Promise<void> {
    const own = chain.checkpoint(height)!.statement;
    const signatures = await peers.askAny({ type: 'request-checkpoint', height: toHeight(height) }, (answer) => {
      if (answer.type !== 'checkpoint-signatures') return isNothing;
      const first = answer.signatures[0]!.statement;
      const isOwn = equalBytes(encodeCheckpointStatement(first), own);
      const all = isOwn ? quorumOf(first, answer.signatures, epoch!, sodiumVerifier) : null;
      return all === null ? isWrong('another result was signed than was executed') : isTrue(all);
    });
    if (signatures === null) throw new Error('the result of the tip is not certified');
    const kept = chain.putCertified(height, 0, encodeSignatures(signatures));
    if (!kept.ok) throw kept.error;
  }
}
