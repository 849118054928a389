/**
 * Edge thread: chain.db as those see it who ask this node. Nothing is believed because it is stored: a block is what a quorum of its
 * epoch finalized, a checkpoint what a quorum signed or a block names, an epoch's validators those that the epoch before
 * handed over to, from the genesis on; batches are those of their block, records those under the state root.
 *
 * What was proven once is remembered by its digest, so that a second read costs a hash; and what the ledger thread has just
 * executed is known from itself. Reads throw a StorageError `storage.damaged` where what is stored is something else.
 */
import {
  type Block,
  blockFromParts,
  type CheckpointStatement,
  checkpointDigest,
  decodeBatch,
  decodeCertificate,
  decodeCheckpointStatement,
  equalBytes,
  type Genesis,
  type Hash,
  type ListingStore,
  sha256,
  toHash,
  type Verifier,
  validatorSetDigest,
  viewOfVote,
} from '@cairn-ledger/core';
import { isFinalization, quorumOf } from '../healing/certified.ts';
import { genesisOutcome } from '../healing/genesis-outcome.ts';
import type { KnownEpoch } from '../healing/known-epochs.ts';
import type { Restarts } from '../restart/restart-files.ts';
import type { ChainDb, StoredBlock, StoredCheckpoint } from '../storage/chain-db.ts';
import { batchPartBytes } from '../storage/chain-schema.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import type { EpochTable, StoredEpoch } from '../storage/epoch-table.ts';
import { isRestart } from '../storage/restart-block.ts';
import { damageOf } from '../storage/storage-error.ts';

export type ProvenChain = Pick<
  ChainDb,
  | 'batchPart'
  | 'blockByHeight'
  | 'certifiedBetween'
  | 'certifiedFrom'
  | 'checkpoint'
  | 'foundedHeight'
  | 'latestCertified'
  | 'newsHeldFrom'
  | 'newsOf'
  | 'nextNewsHeight'
  | 'tiles'
  | 'tip'
> & {
  readonly store: ListingStore;
  readonly epochs: Pick<EpochTable, 'at' | 'of' | 'page' | 'latest'>;
  /** Whether a block is executed here, and neither a finalization that covers it nor the ledger thread's word of it has come. */
  awaitsProof(height: number): boolean;
  /** The batches of a block, in its order; none where it is not held. */
  batchesOf(height: number): Uint8Array[];
  /** What the ledger thread says of a block that it has executed. */
  noteExecuted(executed: ExecutedDigests): void;
};

export type ExecutedDigests = {
  readonly height: number;
  readonly view: number;
  readonly block: Hash;
  readonly checkpoint: Hash;
};

export type ProvenChainOptions = {
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  /** Given to this node, and trusted as the genesis is; by the epoch that each ends. */
  readonly restarts?: Restarts;
  readonly verifier: Verifier;
  /** The state of the chain, checked by itself (storage/checked-state.ts). */
  readonly store: ListingStore;
};

/** Of blocks and of checkpoints each, and of parts of batches. */
const rememberedMax = 8_192;
/** A page of a chain that is caught up with is covered by one finalization; more blocks without one are none of ours. */
const unfinalizedMax = 4_096;

type KnownBlock = { readonly digest: Hash; readonly view: number };
/** `signatures`: the hash of those that were found to be a quorum's; null before. */
type KnownCheckpoint = { readonly digest: Hash; readonly signatures: Hash | null };

export function createProvenChain(chain: ChainDb, options: ProvenChainOptions): ProvenChain {
  const { genesis, ledgerHash, restarts, verifier, store } = options;
  const blocks = createMemory<number, KnownBlock>();
  const checkpoints = createMemory<number, KnownCheckpoint>();
  /** Hashes of the parts of batches that were found to be those of their block, by height and place. */
  const batches = createMemory<string, readonly Hash[]>();
  /** Of the epochs up to the last one proven: digests of their sets. */
  const sets: Hash[] = [];
  let genesisStatement: CheckpointStatement | null = null;

  function isHeld(height: number): boolean {
    return height > chain.foundedHeight() && height <= (chain.tip()?.height ?? -1);
  }

  // --- epochs -----------------------------------------------------------------------------------------------------------

  /** Null for one that has begun so lately that nothing proves it yet. */
  function prove(stored: StoredEpoch): StoredEpoch | null {
    while (sets.length < stored.epoch) {
      const epoch = sets.length + 1;
      const row = epoch === stored.epoch ? stored : chain.epochs.of(epoch);
      const isTrue = row === null ? false : isEpochTrue(row);
      if (isTrue === null) return null;
      if (!isTrue) throw damageOf('checkpoint', `epoch ${epoch} is not the one that began`);
      sets.push(row!.digest);
    }
    if (equalBytes(sets[stored.epoch - 1]!, stored.digest)) return stored;
    throw damageOf('checkpoint', `epoch ${stored.epoch} has other validators than it began with`);
  }

  function isEpochTrue(row: StoredEpoch): boolean | null {
    const { epoch, genesisHeight, digest } = row;
    if (epoch === 1) return genesisHeight === 0 && equalBytes(digest, validatorSetDigest(genesis.validators));
    const given = restarts?.get(epoch - 1)?.restart;
    if (given !== undefined)
      return genesisHeight === given.block.header.height && equalBytes(digest, given.block.header.nextSet!);
    const before = toKnown(chain.epochs.of(epoch - 1)!);
    if (genesisHeight <= before.genesisHeight) return false;
    const stored = chain.checkpoint(genesisHeight);
    const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
    if (!statement?.ok || statement.value.height !== genesisHeight) return false;
    if (stored!.signatures !== null) {
      const signatures = decodeSignatures(stored!.signatures) ?? [];
      const isQuorum = quorumOf(statement.value, signatures, before, verifier) !== null;
      return isQuorum && equalBytes(statement.value.validatorSet, digest);
    }
    // Who was not given the document waits for the signatures.
    if (isRestart(chain, genesisHeight)) return null;
    // Its signatures are still to come; the block that named the set is final.
    const boundary = blockByHeight(genesisHeight);
    if (boundary === null) return null;
    const { nextSet } = toBlock(boundary).header;
    return nextSet !== null && equalBytes(nextSet, digest);
  }

  /** Of several, the last one that is proven: the one before a new one always is. */
  function provenOf(stored: StoredEpoch): StoredEpoch {
    return prove(stored) ?? provenOf(chain.epochs.of(stored.epoch - 1)!);
  }

  const epochs: ProvenChain['epochs'] = {
    at: (height) => provenOf(chain.epochs.at(height)),
    of: (epoch) => orNull(chain.epochs.of(epoch), prove),
    page: (from, countMax) => chain.epochs.page(from, countMax).filter((stored) => prove(stored) !== null),
    latest: () => orNull(chain.epochs.latest(), provenOf),
  };

  // --- blocks -----------------------------------------------------------------------------------------------------------

  function blockByHeight(height: number): StoredBlock | null {
    const stored = chain.blockByHeight(height);
    if (stored === null) {
      // It may have been committed just now.
      if (isHeld(height) && chain.blockByHeight(height) === null) throw damageOf('block', `block ${height} is missing`);
      return null;
    }
    if (height === 0) {
      if (equalBytes(stored.digest, ledgerHash) && stored.timeMs === genesis.timeMs) return stored;
      throw damageOf('block', 'block 0 is not the genesis');
    }
    const { digest, header } = toBlock(stored);
    const known = blocks.get(height) ?? proveBlock(height);
    if (known === null) return null;
    if (equalBytes(known.digest, digest) && known.view === stored.view && header.timeMs === stored.timeMs)
      return stored;
    throw damageOf('block', `block ${height} is not the one that was finalized`);
  }

  /**
   * Whose finalization of one height covers another one: a boundary block has one of its own, and what comes after it is another
   * epoch's. With a block that the members ended an epoch with, the next epoch's covers what lies below.
   */
  function finalizingEpoch(height: number, coveringHeight: number): KnownEpoch | null {
    for (let epoch: StoredEpoch = epochs.at(height); ; ) {
      const next = epochs.of(epoch.epoch + 1);
      if (next === null || coveringHeight <= next.genesisHeight) return toKnown(epoch);
      if (!isRestart(chain, next.genesisHeight)) return null;
      epoch = next;
    }
  }

  /** Up to the finalization that covers it; null while none has come. */
  function proveBlock(height: number): KnownBlock | null {
    const covering = chain.finalizedFrom(height);
    if (covering === null) return null;
    const epoch = finalizingEpoch(height, covering.height);
    if (epoch === null) return null;
    if (covering.height - height > unfinalizedMax)
      throw damageOf('certificate', `block ${height} has lost its finalization`);
    const covered: Block[] = [];
    for (let at = height; at <= covering.height; at++) {
      const stored = at === covering.height ? covering : chain.blockByHeight(at);
      const block = stored === null ? null : toBlock(stored);
      const parent = covered.at(-1);
      if (block === null || (parent !== undefined && !equalBytes(block.header.parent, parent.digest)))
        throw damageOf('block', `block ${at} does not stand on the one below it`);
      covered.push(block);
    }
    const last = covered.at(-1)!;
    if (last.header.epoch > epoch.epoch) return null;
    const certificate = decodeCertificate(covering.finalization!);
    const isFinal =
      certificate.ok &&
      last.header.epoch === epoch.epoch &&
      isFinalization(certificate.value, last, epoch, ledgerHash, verifier);
    if (!isFinal) throw damageOf('certificate', `the finalization of block ${last.header.height} does not hold`);
    for (const { header, digest } of covered) blocks.set(header.height, { digest, view: 0 });
    blocks.set(last.header.height, { digest: last.digest, view: viewOfVote(certificate.value.vote) });
    return blocks.get(height)!;
  }

  function toBlock({ height, digest, header, body }: StoredBlock): Block {
    const block = blockFromParts(header, body);
    if (block.ok && block.value.header.height === height && equalBytes(block.value.digest, toHash(digest)))
      return block.value;
    throw damageOf('block', `block ${height} is not what was written`);
  }

  function batchPart(height: number, batch: number, part: number): Uint8Array | null {
    const bytes = chain.batchPart(height, batch, part);
    const name = `${height}/${batch}`;
    const known = batches.get(name) ?? proveBatch(height, batch);
    if (known === null) return null;
    if (bytes !== null && known[part] !== undefined && equalBytes(sha256(bytes), known[part])) return bytes;
    throw damageOf('batch', `batch ${batch} of block ${height} is not what was written`);
  }

  function proveBatch(height: number, place: number): readonly Hash[] | null {
    const block = blockByHeight(height);
    if (block === null || height === 0) return null;
    const bytes = trueBatch(toBlock(block), place, chain.batchesOf(height)[place]?.bytes);
    const hashes: Hash[] = [];
    for (let at = 0; at < bytes.length; at += batchPartBytes)
      hashes.push(sha256(bytes.subarray(at, at + batchPartBytes)));
    batches.set(`${height}/${place}`, hashes);
    return hashes;
  }

  function batchesOf(height: number): Uint8Array[] {
    const stored = blockByHeight(height);
    if (stored === null || height === 0) return [];
    const block = toBlock(stored);
    const held = chain.batchesOf(height);
    return block.batches.map((_, place) => trueBatch(block, place, held[place]?.bytes));
  }

  // --- checkpoints ------------------------------------------------------------------------------------------------------

  function checkpoint(height: number): StoredCheckpoint | null {
    const stored = chain.checkpoint(height);
    if (stored === null && isHeld(height) && chain.checkpoint(height) === null)
      throw damageOf('checkpoint', `the checkpoint of height ${height} is missing`);
    return orNull(stored, proven);
  }

  /** Null while nobody has signed it yet and no block names it. */
  function proven(stored: StoredCheckpoint): StoredCheckpoint | null {
    const { height } = stored;
    const statement = decodeCheckpointStatement(stored.statement);
    if (!statement.ok || statement.value.height !== height || !equalBytes(statement.value.ledgerHash, ledgerHash))
      throw damageOf('checkpoint', `the checkpoint of height ${height} cannot be read`);
    const digest = checkpointDigest(statement.value);
    const known = checkpoints.get(height);
    if (known !== undefined && !equalBytes(known.digest, digest)) throw falseCheckpoint(height);
    if (stored.signatures === null) {
      if (known !== undefined) return stored;
      const isTrue = isNamed(height, digest);
      if (isTrue === null) return null;
      if (!isTrue) throw falseCheckpoint(height);
      checkpoints.set(height, { digest, signatures: null });
      return stored;
    }
    const signatures = sha256(stored.signatures);
    if (known?.signatures != null && equalBytes(known.signatures, signatures)) return stored;
    const epoch = toKnown(epochs.at(height));
    if (statement.value.epoch > epoch.epoch) return null;
    if (quorumOf(statement.value, decodeSignatures(stored.signatures) ?? [], epoch, verifier) === null)
      throw falseCheckpoint(height);
    checkpoints.set(height, { digest, signatures });
    return stored;
  }

  /** Whether the block L above names it; null while there is none. */
  function isNamed(height: number, digest: Hash): boolean | null {
    if (height === 0) {
      genesisStatement ??= genesisOutcome(genesis, ledgerHash).statement;
      return equalBytes(checkpointDigest(genesisStatement), digest);
    }
    const naming = blockByHeight(height + genesis.parameters.checkpointLag);
    return naming === null ? null : equalBytes(toBlock(naming).header.checkpoint, digest);
  }

  return {
    store,
    epochs,
    blockByHeight,
    awaitsProof: (height) => blocks.get(height) === undefined && isHeld(height) && blockByHeight(height) === null,
    batchPart,
    batchesOf,
    checkpoint,
    tiles: chain.tiles,
    tip: () => chain.tip(),
    foundedHeight: () => chain.foundedHeight(),
    newsHeldFrom: () => chain.newsHeldFrom(),
    newsOf: (height) => chain.newsOf(height),
    nextNewsHeight: (height) => chain.nextNewsHeight(height),
    latestCertified: () => orNull(chain.latestCertified(), proven),
    certifiedFrom: (height) => orNull(chain.certifiedFrom(height), proven),
    certifiedBetween: (first, last) => orNull(chain.certifiedBetween(first, last), proven),
    noteExecuted({ height, view, block, checkpoint: statement }) {
      blocks.set(height, { digest: block, view });
      checkpoints.set(height, { digest: statement, signatures: null });
    },
  };
}

/** The bytes, where they are the batch that the block lists at that place. */
function trueBatch({ header, batches }: Block, place: number, bytes: Uint8Array | undefined): Uint8Array {
  const listed = batches[place];
  const batch = bytes === undefined ? null : decodeBatch(bytes);
  if (listed !== undefined && batch?.ok && equalBytes(batch.value.digest, listed.digest)) return bytes!;
  throw damageOf('batch', `batch ${place} of block ${header.height} is not the one that it lists`);
}

function falseCheckpoint(height: number) {
  return damageOf('checkpoint', `the checkpoint of height ${height} is not what a quorum signed, or a block names`);
}

function toKnown({ epoch, genesisHeight, validators, digest }: StoredEpoch): KnownEpoch {
  return { epoch, genesisHeight, validators, digest, boundary: null };
}

function orNull<T, R>(value: T | null, action: (value: T) => R): R | null {
  return value === null ? null : action(value);
}

/** The oldest go first. */
function createMemory<K, V>() {
  const known = new Map<K, V>();
  return {
    get: (key: K): V | undefined => known.get(key),
    set(key: K, value: V): void {
      known.delete(key);
      known.set(key, value);
      if (known.size > rememberedMax) known.delete(known.keys().next().value!);
    },
  };
}
