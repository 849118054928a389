/**
 * State sync (protocol.md section 7): a node without a chain, or with one that is damaged, takes over the state of a height that a
 * quorum has certified, and the little of the history that it takes to go on. It costs what the state has, not what was
 * executed to get there.
 *
 *     genesis -> epochs -> snapshot, certified by a quorum of the present set -> state from its root down
 *             -> right edge of the history -> floors -> chain.importSnapshot
 *
 * Any peer may lie about anything. What it says is believed as far as it is proven; then another peer is asked, and what was
 * fetched stays, as far as it has the hashes that the next snapshot wants.
 */
import {
  type CairnError,
  type EpochTarget,
  encodeCertificate,
  encodeCheckpointStatement,
  equalBytes,
  fail,
  ok,
  type Result,
  readTarget,
  type Tile,
  toHeight,
  type Verifier,
  viewOfVote,
} from '@cairn-ledger/core';
import type { Floor } from '../storage/chain-db.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import type { ChainSnapshot, SnapshotBlock, SnapshotEpoch } from '../storage/snapshot-import.ts';
import { fetchFloors, fetchRightEdge } from './fetch-history.ts';
import { type FetchedState, fetchState, type LocalState, rowsOf, storeOf } from './fetch-state.ts';
import {
  anchorEpochs,
  type BoundaryBlock,
  fetchBoundary,
  followToPresent,
  isRestarted,
  type KnownEpoch,
  type SyncAnchor,
} from './known-epochs.ts';
import type { PartCache } from './part-cache.ts';
import { isNothing, isTrue, isWrong, type Peers } from './peers.ts';
import type { OnProgress } from './report.ts';
import { type VerifiedSnapshot, verifySnapshot } from './verify-snapshot.ts';

export type SyncOptions = {
  readonly anchor: SyncAnchor;
  readonly peers: Peers;
  readonly verifier: Verifier;
  /** Keeps what was fetched, also over a restart. */
  readonly cache: PartCache;
  /** A state that lies here and may be damaged: what of it is true is not fetched. */
  readonly local?: LocalState | null;
  /** No snapshot below this height is of use. */
  readonly from?: number;
  readonly onProgress?: OnProgress;
  /** How long to wait before asking everybody again, in milliseconds. */
  readonly pauseMs?: number;
  /** How often everybody is asked. */
  readonly roundsMax?: number;
};

export type SyncedState = {
  readonly height: number;
  readonly snapshot: ChainSnapshot;
  readonly verified: VerifiedSnapshot;
  readonly epochs: readonly KnownEpoch[];
  readonly stateParts: number;
};

const pauseMsDefault = 1_000;
const roundsMaxDefault = 60;

/**
 * Fetches and verifies; writes nothing but the cache.
 *
 * Errors: `snapshot.unavailable`: nobody could be asked, or all that could be had was not true; the last reason is in the message.
 * Throws `TwoFutures`, and the reason of the peers' signal.
 */
export async function syncState(options: SyncOptions): Promise<Result<SyncedState, CairnError>> {
  const { peers, pauseMs = pauseMsDefault, roundsMax = roundsMaxDefault } = options;
  let epochs = anchorEpochs(options.anchor);
  let reason = 'no peer is linked';
  for (let round = 0; round < roundsMax; round++) {
    if (round > 0) await pause(pauseMs, peers.signal);
    progress(options, 'epochs', epochs.length, null);
    const followed = await followToPresent(options.anchor, epochs, peers, options.verifier);
    if (followed === null) {
      reason = 'no peer leads to the validator set that is trusted';
      continue;
    }
    epochs = followed;
    for (const peer of peers.inOrder()) {
      const synced = await syncFrom(peer, epochs, options);
      if (typeof synced !== 'string') return ok(synced);
      reason = synced;
    }
  }
  return fail({ code: 'snapshot.unavailable', message: `the state could not be had from any peer: ${reason}` });
}

/** From one peer; why not, as text. */
async function syncFrom(
  peer: string,
  epochs: readonly KnownEpoch[],
  options: SyncOptions,
): Promise<SyncedState | string> {
  const { anchor, peers, verifier, cache, local = null } = options;
  const verified = await offeredBy(peer, epochs, options);
  if (typeof verified === 'string') return verified;
  const { height, statement } = verified;
  progress(options, 'snapshot', height, null);
  const root = statement.stateRoot;
  const onParts = (parts: number): void => progress(options, 'state', parts, null);
  const state = await fetchState({ height, root }, { peer, peers, cache, local, onProgress: onParts });
  if (state === null) return `${peer} does not give the state of height ${height} to the end`;
  const target = readTarget(storeOf(state, cache));
  // Between a change of the target and its boundary nothing proves at which height it changed.
  const beforeBoundary = `height ${height} lies before a boundary`;
  if (!equalBytes(target.digest, verified.next.digest)) return beforeBoundary;
  progress(options, 'history', 0, null);
  const tiles = await fetchRightEdge(statement.historySize, statement.historyRoot, peers);
  if (tiles === null) return 'no peer has the history';
  progress(options, 'floors', 0, null);
  const floors = await fetchFloors(verified, peers);
  const last = await lastEpoch(anchor, epochs, verified, target, peers, verifier);
  if (last === null) return 'no peer has the block that the present epoch began from';
  if (target.rules !== last.rules) return beforeBoundary;
  const found = { verified, target, tiles, floors, last, state };
  const snapshot = chainSnapshotOf(found, epochs, cache);
  return { height, snapshot, verified, epochs, stateParts: state.partsFetched };
}

async function offeredBy(
  peer: string,
  epochs: readonly KnownEpoch[],
  { anchor, peers, verifier, from = 0 }: SyncOptions,
): Promise<VerifiedSnapshot | string> {
  const { ledgerHash, genesis } = anchor;
  const { checkpointLag } = genesis.parameters;
  let isNewer = false;
  const offered = await peers.askOne(peer, { type: 'request-snapshot', from: toHeight(from) }, (answer) => {
    if (answer.type !== 'snapshot' || answer.snapshot === null) return isNothing;
    if (answer.snapshot.height < from) return isWrong('a snapshot below the height that was asked for');
    const verdict = verifySnapshot(answer.snapshot, { ledgerHash, checkpointLag, epochs, verifier });
    isNewer = verdict.type === 'newer';
    if (verdict.type === 'newer') return isNothing;
    return verdict.type === 'true' ? isTrue(verdict.value) : isWrong(verdict.what);
  });
  if (offered.type === 'true') return offered.value;
  if (isNewer) return `${peer} is in a later epoch than anybody proves to have begun`;
  return offered.type === 'wrong' ? `${peer}: ${offered.what}` : `${peer} has no snapshot now`;
}

type LastEpoch = {
  readonly genesis: { readonly digest: Uint8Array; readonly timeMs: number };
  readonly rules: number;
  /** The block it began from, whole; null for epoch 1, and where nobody has its finalization. */
  readonly boundary: BoundaryBlock | null;
};

/** What the epoch of the next block began from, and its rules. */
async function lastEpoch(
  anchor: SyncAnchor,
  epochs: readonly KnownEpoch[],
  { next, heights, height, blocksAbove }: VerifiedSnapshot,
  target: EpochTarget,
  peers: Peers,
  verifier: Verifier,
): Promise<LastEpoch | null> {
  const { genesis, ledgerHash } = anchor;
  if (next.epoch === 1)
    return { genesis: { digest: ledgerHash, timeMs: genesis.timeMs }, rules: genesis.rules, boundary: null };
  const given = isRestarted(next) ? anchor.restarts?.get(next.epoch - 1)?.restart.block : undefined;
  if (given !== undefined) {
    const { timeMs, rules } = given.header;
    return { genesis: { digest: given.digest, timeMs }, rules, boundary: null };
  }
  const blocks = [...heights.map(({ block }) => block), ...blocksAbove];
  const held = heights.find(({ block }) => block.header.height === next.genesisHeight);
  const isHeld = held !== undefined && held.finalization !== null;
  const boundary = isHeld
    ? { block: held.block, finalization: held.finalization }
    : (next.boundary?.block ?? (await fetchBoundary(anchor, epochs, next.epoch, peers, verifier)));
  const block = boundary?.block ?? held?.block;
  if (block === undefined) return null;
  const isAtBoundary = next.genesisHeight === height;
  const ofEpoch = blocks.find(({ header }) => header.epoch === next.epoch && header.height > next.genesisHeight);
  const rules = isAtBoundary ? target.rules : ofEpoch!.header.rules;
  return { genesis: { digest: block.digest, timeMs: block.header.timeMs }, rules, boundary };
}

type Found = {
  readonly verified: VerifiedSnapshot;
  readonly target: EpochTarget;
  readonly tiles: readonly Tile[];
  readonly floors: readonly Floor[];
  readonly last: LastEpoch;
  readonly state: FetchedState;
};

function chainSnapshotOf(found: Found, epochs: readonly KnownEpoch[], cache: PartCache): ChainSnapshot {
  const { verified, target, tiles, floors, last, state } = found;
  const { heights, next } = verified;
  const blocks = heights.map((each): SnapshotBlock => {
    const { block, statement, signatures } = each;
    // An epoch's last block is shown with its own to whoever asks how the epoch ended.
    const isBoundary = last.boundary !== null && equalBytes(last.boundary.block.digest, block.digest);
    const finalization = each.finalization ?? (isBoundary ? last.boundary!.finalization : null);
    return {
      header: block.headerBytes,
      body: block.bodyBytes,
      view: finalization === null ? 0 : viewOfVote(finalization.vote),
      finalization: finalization === null ? null : encodeCertificate(finalization),
      statement: encodeCheckpointStatement(statement),
      signatures: signatures === null ? null : encodeSignatures(signatures),
    };
  });
  const known = epochs.slice(0, next.epoch).map(({ epoch, genesisHeight, validators, boundary }): SnapshotEpoch => {
    const isLast = epoch === next.epoch;
    const block = isLast ? last.boundary : (boundary?.block ?? null);
    return {
      epoch,
      genesisHeight,
      validators,
      genesis: isLast ? last.genesis : null,
      rules: isLast ? last.rules : null,
      isDecided: boundary === null && epoch > 1,
      boundary:
        boundary === null
          ? null
          : {
              statement: encodeCheckpointStatement(boundary.statement),
              signatures: encodeSignatures(boundary.signatures),
              block: block === null ? null : { ...block, finalization: encodeCertificate(block.finalization) },
            },
    };
  });
  // No change is under way, so the ledger has wanted this set since before the epoch began.
  const firstHeight = heights[0]!.block.header.height;
  const targets = [{ height: firstHeight, validators: target.validators, rules: target.rules }];
  return {
    blocks,
    epochs: known,
    targets,
    floors,
    state: { [Symbol.iterator]: () => rowsOf(state, cache)[Symbol.iterator]() },
    tiles,
  };
}

function progress(
  { onProgress, peers }: SyncOptions,
  stage: Parameters<OnProgress>[0]['stage'],
  done: number,
  total: number | null,
): void {
  onProgress?.({ stage, done, total, bytesFetched: peers.bytesFetched() });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
