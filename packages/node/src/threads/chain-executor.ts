/**
 * Ledger thread: executes finalized blocks one after the other and commits each with everything that follows from it, as
 * one transaction of the chain database.
 *
 * Height 0 is the genesis: its state and its two leaves are written when the database is new.
 */
import {
  type Block,
  type CheckpointStatement,
  createEpochTarget,
  createHistoryTree,
  createLedger,
  createStateTree,
  encodeCheckpointStatement,
  type Genesis,
  type Hash,
  type HistoryTree,
  type KeyAlgorithm,
  type LeaderHint,
  type Ledger,
  type Outcome,
  type ProvenFault,
  type StateTree,
  sortValidators,
  type Transaction,
  toEpoch,
  toHeight,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import type { ChainDb, NewBlock } from '../storage/chain-db.ts';
import type { ExecutedBlock } from '../storage/view-block.ts';
import type { PreparedBatch } from './batch-preparer.ts';
import { verdict } from './messages.ts';

export type FinalizedBlock = {
  readonly block: Block;
  readonly view: number;
  readonly finalization: Uint8Array | null;
  readonly batches: readonly PreparedBatch[];
  readonly misbehaviour: readonly ProvenFault[];
};

export type ChainExecutor = {
  readonly ledger: Ledger;
  /** Executes and commits; throws a StorageError when the disk fails. */
  execute(finalized: FinalizedBlock): {
    readonly outcome: Outcome;
    readonly executed: ExecutedBlock;
    readonly leaderHints: readonly LeaderHint[];
  };
};

export function createChainExecutor(genesis: Genesis, ledgerHash: Hash, chain: ChainDb): ChainExecutor {
  /** Verdicts of the block under way, by transaction. */
  let verdicts = new Map<Transaction, number>();
  const verify = (transaction: Transaction, algorithm: KeyAlgorithm, publicKey: Uint8Array): boolean => {
    const known = verdicts.get(transaction);
    if (known === verdict.valid) return true;
    if (known === verdict.invalid) return false;
    return sodiumVerifier.verify(algorithm, publicKey, transaction.signedBytes, transaction.signature);
  };
  const ledger = createLedger({ genesis, verify, checkPublicKey: sodiumVerifier.checkPublicKey });
  const validators = sortValidators(genesis.validators);
  const setDigest = validatorSetDigest(genesis.validators);
  const target = createEpochTarget(genesis.validators, genesis.rules);

  if (chain.tip() === null) commitGenesis();
  const stateTree: StateTree = createStateTree(chain.entries);
  const historyTree: HistoryTree = createHistoryTree(chain.tiles, chain.tip()!.historySize);

  function commitGenesis(): void {
    const { writes, leaves } = ledger.genesis();
    const tree = createHistoryTree(chain.tiles, 0);
    const history = tree.append(leaves);
    // Over an empty source: the tree of exactly these writes.
    const stateRoot = createStateTree({ entriesBetween: () => [] }).update(writes);
    commit({
      height: 0,
      digest: ledgerHash,
      header: new Uint8Array(0),
      body: new Uint8Array(0),
      view: 0,
      finalization: null,
      timeMs: genesis.timeMs,
      batches: [],
      results: [],
      writes,
      tileWrites: history.tileWrites,
      statement: encodeCheckpointStatement(statementOf(0, 1, history.root, history.size, stateRoot)),
      historySize: history.size,
    });
  }

  function statementOf(
    height: number,
    epoch: number,
    historyRoot: Hash,
    historySize: number,
    stateRoot: Hash,
  ): CheckpointStatement {
    return {
      ledgerHash,
      epoch: toEpoch(epoch),
      height: toHeight(height),
      round: 0,
      historySize,
      historyRoot,
      stateRoot,
      validatorSet: setDigest,
    };
  }

  function commit(block: NewBlock): void {
    const committed = chain.commitBlock(block);
    if (!committed.ok) throw committed.error;
  }

  function execute({ block, view: agreedView, finalization, batches, misbehaviour }: FinalizedBlock) {
    const { header } = block;
    noteVerdicts(batches);
    const execution = ledger.execute(chain.store, {
      height: header.height,
      timeMs: header.timeMs,
      rules: header.rules,
      epoch: header.epoch,
      transactions: batches.flatMap((batch) => batch.transactions),
      misbehaviour: misbehaviour.map(({ accused, kind }) => {
        const { id, member } = validators[accused]!;
        return { validator: id, member, kind, height: header.height };
      }),
      validators,
      authors: [...new Set(block.batches.map(({ author }) => validators[author]!.id))],
    });
    const historySizeBefore = historyTree.size();
    const history = historyTree.append(execution.entries);
    const stateRoot = stateTree.update(execution.writes);
    const statement = statementOf(header.height, header.epoch, history.root, history.size, stateRoot);
    const newBlock: NewBlock = {
      height: header.height,
      digest: block.digest,
      header: block.headerBytes,
      body: block.bodyBytes,
      view: agreedView,
      finalization,
      timeMs: header.timeMs,
      batches: batches.map(({ batch, bytes }) => ({
        digest: batch.digest,
        epoch: batch.header.epoch,
        author: batch.header.author,
        seq: batch.header.seq,
        bytes,
      })),
      results: execution.results,
      writes: execution.writes,
      tileWrites: history.tileWrites,
      statement: encodeCheckpointStatement(statement),
      historySize: history.size,
    };
    commit(newBlock);
    const executed = {
      height: header.height,
      digest: block.digest,
      batches,
      results: execution.results,
      historySizeBefore,
    };
    return { outcome: { statement, timeMs: header.timeMs, target }, executed, leaderHints: execution.leaderHints };
  }

  /** Notes the verdicts on signatures for `verify`. */
  function noteVerdicts(batches: readonly PreparedBatch[]): void {
    verdicts = new Map();
    for (const { transactions, verdicts: given } of batches) {
      transactions.forEach((transaction, i) => {
        if (!('malformed' in transaction)) verdicts.set(transaction, given[i]!);
      });
    }
  }

  return { ledger, execute };
}
