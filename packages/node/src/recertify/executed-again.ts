/**
 * A chain executed again from its blocks, by the present software, into a file of its own (protocol.md section 4): up to the highest
 * certified height it must come to what a quorum has signed; what lies above gets the rounds that are recorded.
 */
import {
  type Block,
  blockFromParts,
  type CairnError,
  checkpointDigest,
  decodeBatch,
  decodeTransaction,
  equalBytes,
  fail,
  type Genesis,
  type Hash,
  ok,
  type Result,
  sha256,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { ChainDb, isBlockIntact, type StoredBlock } from '../storage/chain-db.ts';
import { chainSchema, chainSchemaVersion } from '../storage/chain-schema.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { storedToEpochSet } from '../storage/epoch-table.ts';
import { isRestart } from '../storage/restart-block.ts';
import { damageOf } from '../storage/storage-error.ts';
import { storedStatement } from '../storage/stored-statement.ts';
import { type BlockReplay, createBlockReplay, type ReplayedBlock } from '../threads/block-replay.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import { recordedRound } from './recorded-round.ts';
import type { RoundRecords } from './round-records.ts';

export type AgainOptions = {
  /** Read, and left as it is. */
  readonly source: ChainDb;
  /** Of the new file, which does not exist. */
  readonly path: string;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  readonly certifiedHeight: number;
  readonly rounds: RoundRecords;
  readonly onHeight?: (height: number, tipHeight: number) => void;
};

/**
 * The new file is whole and closed when this returns.
 *
 * Errors: `recertify.no-beginning`, `recertify.other-software`. Throws a StorageError where the source is damaged, or the disk fails.
 */
export function executeAgain(options: AgainOptions): Result<void, CairnError> {
  const { source, path, genesis, ledgerHash } = options;
  if (source.foundedHeight() > 0 || source.firstHeight() !== 0) {
    const message = `this chain was founded at height ${source.foundedHeight()} from a snapshot: it cannot be executed again from its beginning`;
    return fail({ code: 'recertify.no-beginning', message });
  }
  // Nothing of it counts before it is complete, so its commits wait for no disk; who puts it in its place syncs it.
  const settings = { readOnly: false, synchronous: 'NORMAL' as const };
  const target = orThrow(
    openDatabase(path, { ...settings, schema: chainSchema, schemaVersion: chainSchemaVersion }, (database) => ({
      database,
      chain: new ChainDb(database),
    })),
  );
  try {
    orThrow(target.chain.claimFor(ledgerHash, false));
    const executor = createChainExecutor(genesis, ledgerHash, target.chain);
    const first = storedToEpochSet(target.chain.epochs.at(1));
    const replay = createBlockReplay(executor, target.chain.store, ledgerHash, first);
    return replayAll(options, target, replay);
  } finally {
    target.chain.close();
  }
}

function replayAll(
  { source, genesis, certifiedHeight, rounds, onHeight }: AgainOptions,
  { database, chain }: { readonly database: Database; readonly chain: ChainDb },
  replay: BlockReplay,
): Result<void, CairnError> {
  const lag = genesis.parameters.checkpointLag;
  const tipHeight = source.tip()!.height;
  let before = source.blockByHeight(0)!;
  for (let height = 1; height <= tipHeight; height++) {
    const stored = source.blockByHeight(height);
    const block = stored === null ? null : blockOf(stored);
    if (stored === null || block === null || !equalBytes(block.header.parent, before.digest))
      throw damageOf('block', `block ${height} is not the one that follows here`);
    const isCertified = height <= certifiedHeight;
    const own = storedStatement(source, height);
    const { outcome } = replay.execute({
      stored,
      block,
      batches: batchesOf(source, block),
      set: storedToEpochSet(chain.epochs.at(height)),
      round: isCertified ? own.round : recordedRound(chain, rounds, height, lag),
      ...(isRestart(source, height) && { restart: storedToEpochSet(source.epochs.at(height + 1)).validators }),
    });
    if (isCertified && !equalBytes(checkpointDigest(outcome.statement), checkpointDigest(own))) {
      const message = `this software gives another result of block ${height} than a quorum has signed: it is not the one to go on with`;
      return fail({ code: 'recertify.other-software', message });
    }
    const signatures = isCertified ? source.checkpoint(height)!.signatures : null;
    if (signatures !== null) orThrow(chain.putCertified(height, own.round, signatures));
    before = stored;
    onHeight?.(height, tipHeight);
  }
  database.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  return ok(undefined);
}

function blockOf(stored: StoredBlock): Block | null {
  const block = isBlockIntact(stored) ? blockFromParts(stored.header, stored.body) : null;
  return block?.ok && block.value.header.height === stored.height ? block.value : null;
}

/** Held against the digests that the block lists. */
function batchesOf(source: ChainDb, { header, batches }: Block): ReplayedBlock['batches'] {
  const stored = source.batchesOf(header.height);
  return batches.map(({ digest }, i) => {
    const bytes = stored[i]?.bytes;
    const batch = bytes === undefined ? null : decodeBatch(bytes);
    if (!batch?.ok || !equalBytes(batch.value.digest, digest))
      throw damageOf('batch', `batch ${i} of block ${header.height} is not the one that the block lists`);
    const transactions = batch.value.transactions.map((transaction) => {
      const decoded = decodeTransaction(transaction);
      return decoded.ok ? decoded.value : { malformed: transaction, id: sha256(transaction) };
    });
    return { batch: batch.value, bytes: bytes!, transactions };
  });
}
