/**
 * Epochs and targets in chain.db: who signs from which height on, and which set the ledger wants (protocol.md section 5).
 * A row never changes once it is written. The height of an epoch's first block is the one above its genesis.
 */
import {
  assert,
  createEpochSet,
  decodeShape,
  type EpochSet,
  type EpochTarget,
  encodeCbor,
  type Hash,
  readValidatorSet,
  sha256,
  sortValidators,
  toEpoch,
  toHash,
  toHeight,
  type Validator,
  validatorToCbor,
} from '@cairn-ledger/core';
import type { ChainStatements } from './chain-schema.ts';
import type { Database } from './database.ts';
import { StorageError } from './storage-error.ts';

export type NewEpoch = {
  readonly epoch: number;
  /** 0 for the first one, else the height of the boundary block of the epoch before. */
  readonly genesisHeight: number;
  /**
   * That block's digest and time. Null in a chain founded from a snapshot, for an epoch that was over by then: it is
   * proven who its validators were, and not by which block.
   */
  readonly genesis: { readonly digest: Uint8Array; readonly timeMs: number } | null;
  /** Ascending by id. */
  readonly validators: readonly Validator[];
  /** Null where `genesis` is. */
  readonly rules: number | null;
};

export type StoredEpoch = NewEpoch & {
  /** Digest of the set, as checkpoints and boundary blocks carry it. */
  readonly digest: Hash;
};

export type NewTarget = {
  readonly height: number;
  readonly validators: readonly Validator[];
  readonly rules: number;
};

/** What the ledger wants after a height, until a higher one says otherwise. */
export type StoredTarget = EpochTarget & { readonly height: number };

export type EpochTable = {
  /** Of the block of a height, whether it is held here or is the one above the tip. */
  at(height: number): StoredEpoch;
  of(epoch: number): StoredEpoch | null;
  /** Ascending, from this epoch on. */
  page(from: number, countMax: number): StoredEpoch[];
  /** The one that the block above the tip belongs to; null in a new database. */
  latest(): StoredEpoch | null;
  /** The target after a height: what the last change at or below it made of it. */
  targetAt(height: number): StoredTarget;
  /** Changes of the target above a height, ascending. */
  targetsAfter(height: number): StoredTarget[];
};

type EpochRow = {
  readonly epoch: number;
  readonly genesisHeight: number;
  readonly digest: Uint8Array | null;
  readonly timeMs: number | null;
  readonly validators: Uint8Array;
  readonly rules: number | null;
};
type TargetRow = { readonly height: number; readonly validators: Uint8Array; readonly rules: number };

/** Epochs, and targets, whose sets are kept decoded; beyond, all are forgotten and read again. */
const setsRemembered = 64;

/** Reads throw a StorageError, `storage.damaged` where a row that must be there is not, or cannot be read. */
export function createEpochTable(database: Database, statements: ChainStatements): EpochTable {
  /** Rows never change, so what was read once is true. */
  const known = new Map<number, StoredEpoch>();
  const knownTargets = new Map<number, StoredTarget>();
  const read = <T>(action: () => T): T => database.read('reading the epochs', action);

  function toStored(row: EpochRow): StoredEpoch {
    const before = known.get(row.epoch);
    if (before !== undefined) return before;
    const { epoch, genesisHeight, digest, timeMs, rules } = row;
    const stored: StoredEpoch = {
      epoch,
      genesisHeight,
      genesis: digest === null || timeMs === null ? null : { digest, timeMs },
      validators: decodeValidators(row.validators, `epoch ${epoch}`),
      digest: sha256(row.validators),
      rules,
    };
    remember(known, epoch, stored);
    return stored;
  }

  function toTarget({ height, validators, rules }: TargetRow): StoredTarget {
    const before = knownTargets.get(height);
    if (before !== undefined) return before;
    const decoded = decodeValidators(validators, `the target of height ${height}`);
    const stored = { height, validators: decoded, digest: sha256(validators), rules };
    remember(knownTargets, height, stored);
    return stored;
  }

  return {
    at(height) {
      // Height 0 is the genesis of the first epoch, and counts as part of it.
      const row = read(() => statements.epochAt.get(Math.max(1, height))) as EpochRow | undefined;
      if (row === undefined) throw damaged(`the epoch of height ${height} is missing`);
      return toStored(row);
    },
    of(epoch) {
      const row = read(() => statements.epoch.get(epoch)) as EpochRow | undefined;
      return row === undefined ? null : toStored(row);
    },
    page: (from, countMax) => (read(() => statements.epochsFrom.all(from, countMax)) as EpochRow[]).map(toStored),
    latest() {
      const row = read(() => statements.latestEpoch.get()) as EpochRow | undefined;
      return row === undefined ? null : toStored(row);
    },
    targetAt(height) {
      const row = read(() => statements.targetAt.get(height)) as TargetRow | undefined;
      if (row === undefined) throw damaged(`the target of height ${height} is missing`);
      return toTarget(row);
    },
    targetsAfter: (height) => (read(() => statements.targetsAfter.all(height)) as TargetRow[]).map(toTarget),
  };
}

/** Inside an SQL transaction. */
export function insertEpoch(statements: ChainStatements, added: NewEpoch): void {
  const { epoch, genesisHeight, genesis, validators, rules } = added;
  assert((genesis === null) === (rules === null), 'of an epoch all or nothing is known');
  const { digest = null, timeMs = null } = genesis ?? {};
  statements.insertEpoch.run(epoch, genesisHeight, digest, timeMs, encodeValidators(validators), rules);
}

/** Inside an SQL transaction. */
export function insertTarget(statements: ChainStatements, { height, validators, rules }: NewTarget): void {
  statements.insertTarget.run(height, encodeValidators(validators), rules);
}

/**
 * The set as the engine wants it. Where the block an epoch started from is not known, zeros stand in its place: nothing is
 * proposed any more in an epoch that is over, so nobody compares with it.
 */
export function storedToEpochSet(stored: StoredEpoch): EpochSet {
  const { epoch, genesisHeight, genesis, validators, digest, rules } = stored;
  const block = {
    digest: toHash(genesis?.digest ?? new Uint8Array(32)),
    height: toHeight(genesisHeight),
    timeMs: genesis?.timeMs ?? 0,
  };
  return createEpochSet(toEpoch(epoch), validators, digest, block, rules ?? 0);
}

export function epochSetToStored({ epoch, genesis, validators, rules }: EpochSet): NewEpoch {
  const { height: genesisHeight, digest, timeMs } = genesis;
  return { epoch, genesisHeight, genesis: { digest, timeMs }, validators, rules };
}

function remember<T>(known: Map<number, T>, key: number, value: T): void {
  if (known.size >= setsRemembered) known.clear();
  known.set(key, value);
}

function encodeValidators(validators: readonly Validator[]): Uint8Array {
  return encodeCbor(sortValidators(validators).map(validatorToCbor));
}

function decodeValidators(bytes: Uint8Array, what: string): readonly Validator[] {
  const decoded = decodeShape('storage.damaged', bytes, readValidatorSet);
  if (!decoded.ok) throw damaged(`the validators of ${what} cannot be read (${decoded.error.message})`);
  return decoded.value;
}

function damaged(what: string): StorageError {
  return new StorageError('storage.damaged', `${what}: repair it from peers`);
}
