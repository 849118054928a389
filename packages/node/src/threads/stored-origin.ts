/**
 * Where the chain stands: told by the ledger thread, and made into what a replica starts from by the main thread. A replica
 * starts in the epoch of the block above the tip.
 */
import {
  type CairnError,
  type Certificate,
  decodeCertificate,
  decodeCheckpointStatement,
  type Outcome,
  type ReplicaOrigin,
  type Result,
  readSuspensionsOf,
  toHash,
  toHeight,
  toValidatorIndex,
  type ValidatorIndex,
} from '@cairn-ledger/core';
import type { ChainDb } from '../storage/chain-db.ts';
import { storedToEpochSet } from '../storage/epoch-table.ts';
import { isRestart } from '../storage/restart-block.ts';
import { damageOf, StorageError } from '../storage/storage-error.ts';
import type { StoredOrigin, StoredOutcome } from './messages.ts';

export type ChainOrigin = Omit<ReplicaOrigin, 'ledgerHash' | 'constants'>;

/** Outcomes of the last heights that a starting replica is told: at least these, and more than the checkpoint lag. */
const outcomesAtStart = 64;

/**
 * Ledger thread: what a replica needs to go on.
 *
 * @param checkpointLag L: the last L + 1 outcomes are told, or all
 * @throws StorageError
 */
export function originOf(chain: ChainDb, checkpointLag: number): StoredOrigin {
  const [tip, epoch] = [chain.tip(), chain.epochs.latest()];
  const firstHeight = chain.firstHeight();
  if (tip === null || firstHeight === null || epoch === null)
    throw new StorageError('storage.damaged', 'the chain has no block or no epoch: repair it from peers');
  const suspensions = readSuspensionsOf(chain.store, epoch.validators);
  const outcomes: StoredOutcome[] = [];
  const first = Math.max(firstHeight, tip.height - Math.max(outcomesAtStart, checkpointLag));
  for (let height = first; height <= tip.height; height++) outcomes.push(outcomeAt(chain, height));
  return {
    epoch,
    previous: previousOf(chain, epoch.epoch - 1),
    digest: tip.digest,
    height: tip.height,
    timeMs: tip.timeMs,
    floors: floorsOf(chain, epoch).map(({ seq, digest }) => ({ seq, digest })),
    finalization: chain.latestFinalized(epoch.genesisHeight)?.finalization ?? null,
    outcomes,
    certifiedHeight: Math.max(chain.latestCertified()?.height ?? 0, vouchedHeightOf(chain, epoch)),
    foundedHeight: chain.foundedHeight(),
    accused: suspensions.flatMap(({ cause, validator }) => (cause === 'proven-fault' ? [validator] : [])),
    suspended: suspensions.map(({ validator }) => validator),
  };
}

/** Of what an epoch that was restarted began with the members have vouched for the result. */
function vouchedHeightOf(chain: ChainDb, { genesisHeight }: StoredOrigin['epoch']): number {
  return isRestart(chain, genesisHeight) ? genesisHeight : 0;
}

function previousOf(chain: ChainDb, number: number): StoredOrigin['previous'] {
  const epoch = chain.epochs.of(number);
  if (epoch === null) return null;
  const boundary = chain.epochs.of(number + 1)!.genesisHeight;
  return {
    epoch,
    floors: floorsOf(chain, epoch).map(({ seq }) => seq),
    isCertified: chain.certifiedBetween(boundary, boundary) !== null,
  };
}

function floorsOf(
  chain: ChainDb,
  { epoch, validators }: StoredOrigin['epoch'],
): { readonly seq: number; readonly digest: Uint8Array | null }[] {
  const floors = chain.floors(epoch);
  return validators.map((_, author) => floors.find((row) => row.author === author) ?? { seq: 0, digest: null });
}

function outcomeAt(chain: ChainDb, height: number): StoredOutcome {
  const [block, checkpoint] = [chain.blockByHeight(height), chain.checkpoint(height)];
  if (block === null || checkpoint === null)
    throw new StorageError('storage.damaged', `block ${height} or its checkpoint is missing: repair it from peers`);
  return { statement: checkpoint.statement, timeMs: block.timeMs, target: chain.epochs.targetAt(height) };
}

/**
 * Main thread.
 *
 * @param selfId id of this node
 * @throws StorageError where the database holds what cannot be decoded
 */
export function readOrigin(stored: StoredOrigin, selfId: string): ChainOrigin {
  let finalization: Certificate | null = null;
  if (stored.finalization !== null) finalization = orDamaged(decodeCertificate(stored.finalization), 'certificate');
  const set = storedToEpochSet(stored.epoch);
  const indexOf = new Map(set.validators.map(({ id }, index) => [id, toValidatorIndex(index)]));
  return {
    set,
    selfId,
    previous: readPrevious(stored.previous, selfId),
    executed: {
      digest: toHash(stored.digest),
      height: toHeight(stored.height),
      timeMs: stored.timeMs,
      // The epoch behind a boundary block starts from it, so it ends nothing there.
      isBoundary: false,
    },
    floors: stored.floors.map(({ seq, digest }) => ({ seq, digest: digest === null ? null : toHash(digest) })),
    finalization,
    outcomes: stored.outcomes.map(readOutcome),
    certifiedHeight: toHeight(stored.certifiedHeight),
    accused: indicesOf(stored.accused, indexOf),
    suspended: indicesOf(stored.suspended, indexOf),
  };
}

/** @throws StorageError where its statement cannot be decoded */
export function readOutcome({ statement, timeMs, target }: StoredOutcome): Outcome {
  return { statement: orDamaged(decodeCheckpointStatement(statement), 'checkpoint'), timeMs, target };
}

function orDamaged<T>(decoded: Result<T, CairnError>, kind: 'certificate' | 'checkpoint'): T {
  if (decoded.ok) return decoded.value;
  throw damageOf(kind, `a stored ${kind} cannot be read (${decoded.error.message})`);
}

function readPrevious(previous: StoredOrigin['previous'], selfId: string): ReplicaOrigin['previous'] {
  if (previous === null) return null;
  const { epoch, floors, isCertified } = previous;
  const self = epoch.validators.findIndex(({ id }) => id === selfId);
  return { set: storedToEpochSet(epoch), ownFloor: floors[self] ?? 0, isCertified };
}

/** Those of the present set. */
function indicesOf(ids: readonly string[], indexOf: ReadonlyMap<string, ValidatorIndex>): ValidatorIndex[] {
  return ids.flatMap((id) => indexOf.get(id) ?? []);
}
