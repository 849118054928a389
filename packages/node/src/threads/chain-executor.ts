/**
 * Ledger thread: executes finalized blocks one after the other and commits each with everything that follows from it, as
 * one transaction of the chain database.
 *
 * Height 0 is the genesis: its state and its two leaves are written when the database is new.
 */
import {
  AssertionFailed,
  assert,
  type Block,
  type CheckpointStatement,
  checkpointDigest,
  createEpochTarget,
  createHistoryTree,
  createLedger,
  createStateTree,
  decodeCheckpointStatement,
  type EpochSet,
  encodeCheckpointStatement,
  equalBytes,
  firstEpoch,
  type Genesis,
  type Hash,
  type HistoryTree,
  isChange,
  type KeyAlgorithm,
  type LeaderHint,
  type Ledger,
  type ListingStore,
  nextEpochSet,
  type Outcome,
  type ProvenFault,
  restartRound,
  type StateTree,
  sortValidators,
  type Transaction,
  toHeight,
  type Validator,
  validatorSetDigest,
  type Write,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { eventsToNews } from '../membership/ledger-news.ts';
import type { ChainDb, NewBlock } from '../storage/chain-db.ts';
import { createCheckedStore, damagedState, hashesOfTree } from '../storage/checked-state.ts';
import { type LaterRound, laterRoundNamed } from '../storage/checkpoint-rounds.ts';
import { epochSetToStored, storedToEpochSet } from '../storage/epoch-table.ts';
import { createStateHashes, writeStateHashes } from '../storage/state-hashes.ts';
import { damageOf } from '../storage/storage-error.ts';
import type { ExecutedBlock } from '../storage/view-block.ts';
import type { PreparedBatch } from './batch-preparer.ts';
import { verdict } from './messages.ts';

export type FinalizedBlock = {
  readonly block: Block;
  readonly view: number;
  readonly finalization: Uint8Array | null;
  readonly batches: readonly PreparedBatch[];
  readonly misbehaviour: readonly ProvenFault[];
  /** Of its statement; absent: 0. */
  readonly round?: number;
  /** Of a block with which the members end an epoch: by whom the next one is agreed on. */
  readonly restart?: readonly Validator[];
};

export type ChainExecutor = {
  readonly ledger: Ledger;
  /** Of the height that is committed. */
  readonly stateTree: StateTree;
  /** The state of that height, held against the tree: reads throw a StorageError where the disk has something else. */
  readonly store: ListingStore;
  /** Executes and commits; throws a StorageError when the disk fails, or what is read of it is not what was written. */
  execute(finalized: FinalizedBlock): {
    readonly outcome: Outcome;
    readonly executed: ExecutedBlock;
    readonly leaderHints: readonly LeaderHint[];
    /** What the block has changed in the state. */
    readonly writes: readonly Write[];
    /** Whether the block is a boundary block. */
    readonly isEpochNew: boolean;
  };
};

/**
 * @param stateHashes told what the state on disk must hash to; see storage/state-hashes.ts
 * @throws StorageError also when state or history are not what the last checkpoint says
 */
export function createChainExecutor(
  genesis: Genesis,
  ledgerHash: Hash,
  chain: ChainDb,
  stateHashes: SharedArrayBuffer = createStateHashes(),
): ChainExecutor {
  const hashes = writeStateHashes(stateHashes);
  /** Verdicts of the block under way, by transaction. */
  let verdicts = new Map<Transaction, number>();
  const verify = (transaction: Transaction, algorithm: KeyAlgorithm, publicKey: Uint8Array): boolean => {
    const known = verdicts.get(transaction);
    if (known === verdict.valid) return true;
    if (known === verdict.invalid) return false;
    return sodiumVerifier.verify(algorithm, publicKey, transaction.signedBytes, transaction.signature);
  };
  const ledger = createLedger({ genesis, verify, checkPublicKey: sodiumVerifier.checkPublicKey });
  const lag = genesis.parameters.checkpointLag;

  if (chain.tip() === null) commitGenesis();
  const stateTree: StateTree = createStateTree(chain.entries, {
    onDamaged: (path) => {
      throw damagedState(`bucket ${path}`);
    },
    onBucket: hashes.set,
  });
  const historyTree: HistoryTree = openHistory(chain);
  requireTip(chain, stateTree, historyTree);
  hashes.publish(() => undefined);
  const store = createCheckedStore(chain.store, hashesOfTree(stateTree));

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
      statement: encodeCheckpointStatement({
        ledgerHash,
        epoch: firstEpoch,
        height: toHeight(0),
        round: 0,
        historySize: history.size,
        historyRoot: history.root,
        stateRoot,
        validatorSet: validatorSetDigest(genesis.validators),
      }),
      historySize: history.size,
      epochStart: {
        epoch: firstEpoch,
        genesisHeight: 0,
        genesis: { digest: ledgerHash, timeMs: genesis.timeMs },
        validators: sortValidators(genesis.validators),
        rules: genesis.rules,
      },
      target: { validators: genesis.validators, rules: genesis.rules },
    });
  }

  /**
   * The epoch that begins with this block; null unless it is a boundary block, which it is iff the ledger wanted something
   * else L heights ago than the block's epoch has (protocol.md section 5), or the members end the epoch with it (section 6).
   */
  function epochAfter(
    { header, digest }: Block,
    set: EpochSet,
    restart: readonly Validator[] | undefined,
  ): EpochSet | null {
    const { height, timeMs } = header;
    const wanted =
      restart === undefined
        ? chain.epochs.targetAt(Math.max(height - lag, set.genesis.height))
        : createEpochTarget(restart, set.rules);
    const isEnd = restart !== undefined || isChange(set, wanted);
    const next = isEnd ? nextEpochSet(set, wanted, { digest, height, timeMs }) : null;
    const isAsAgreed =
      next === null ? header.nextSet === null : header.nextSet !== null && equalBytes(header.nextSet, next.digest);
    assert(isAsAgreed, 'an epoch ends with the block that the ledger says, for the set that it says');
    return next;
  }

  function commit(block: NewBlock): void {
    const committed = chain.commitBlock(block);
    if (!committed.ok) throw committed.error;
  }

  /** A block names the result of L heights before that a quorum has signed: it may be of a later round than the own one. */
  function laterRoundNamedBy({ height, checkpoint }: Block['header']): LaterRound | null {
    const named = chain.checkpoint(Math.max(0, height - lag));
    const own = named === null ? null : decodeCheckpointStatement(named.statement);
    if (!own?.ok || equalBytes(checkpointDigest(own.value), checkpoint)) return null;
    return laterRoundNamed(own.value, checkpoint);
  }

  function execute(finalized: FinalizedBlock) {
    const { block, view: agreedView, finalization, batches, misbehaviour, round = 0, restart } = finalized;
    const { header } = block;
    const set = storedToEpochSet(chain.epochs.at(header.height));
    const { validators } = set;
    assert(header.epoch === set.epoch && header.rules === set.rules, 'a block is of the epoch of its height');
    const next = epochAfter(block, set, restart);
    noteVerdicts(batches);
    const execution = ledger.execute(store, {
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
      ...(restart !== undefined && { restart }),
    });
    const historySizeBefore = historyTree.size();
    const history = historyTree.append(execution.entries);
    const stateRoot = stateTree.update(execution.writes);
    const statement: CheckpointStatement = {
      ledgerHash,
      epoch: header.epoch,
      height: header.height,
      round: restart === undefined ? round : restartRound,
      historySize: history.size,
      historyRoot: history.root,
      stateRoot,
      validatorSet: (next ?? set).digest,
    };
    const before = chain.epochs.targetAt(header.height - 1);
    const { targetSet, targetRules } = execution;
    const isWanted = targetSet === null && targetRules === before.rules;
    const target = isWanted ? before : createEpochTarget(targetSet ?? before.validators, targetRules);
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
      round: statement.round,
      laterRound: laterRoundNamedBy(header),
      historySize: history.size,
      epochStart: next === null ? null : epochSetToStored(next),
      target: target === before ? null : target,
      news: eventsToNews(execution.events),
    };
    hashes.publish(() => commit(newBlock));
    const executed = {
      height: header.height,
      digest: block.digest,
      batches,
      results: execution.results,
      historySizeBefore,
    };
    return {
      outcome: { statement, timeMs: header.timeMs, target },
      executed,
      leaderHints: execution.leaderHints,
      writes: execution.writes,
      isEpochNew: next !== null,
    };
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

  return { ledger, stateTree, store, execute };
}

function openHistory(chain: ChainDb): HistoryTree {
  try {
    return createHistoryTree(chain.tiles, chain.tip()!.historySize);
  } catch (cause) {
    if (!(cause instanceof AssertionFailed)) throw cause;
    throw damageOf('history', `the history cannot be read (${cause.message})`);
  }
}

/** What is executed next stands on this: it must be what was signed, or was to be signed. */
function requireTip(chain: ChainDb, stateTree: StateTree, historyTree: HistoryTree): void {
  const { height } = chain.tip()!;
  const stored = chain.checkpoint(height);
  const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
  const isTrue =
    statement?.ok &&
    statement.value.historySize === historyTree.size() &&
    equalBytes(statement.value.historyRoot, historyTree.root()) &&
    equalBytes(statement.value.stateRoot, stateTree.root());
  if (isTrue) return;
  throw damageOf('state', `state and history are not what the checkpoint of height ${height} says`);
}
