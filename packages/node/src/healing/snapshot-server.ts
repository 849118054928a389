/**
 * What a node answers to peers that lack state or history (protocol.md section 7). It lives in the ledger thread, beside the
 * state tree, so every answer is small: a page of at most 1 MiB, found without looking at more than it holds.
 *
 * The chain moves on while a peer fetches. So the server holds at most two *snapshots*: a read-only connection inside one read
 * transaction, and a copy of the tree's hashes as they were. SQLite keeps the old pages in its log as long as somebody may
 * read them; a snapshot therefore ends when nobody has used it for a minute, after ten minutes, and when the log has grown
 * too long. Who asks for more of it is told so, and goes on with a newer one: what has not changed it need not fetch again.
 *
 * Everything is checked against the hashes on the way out: damage is told (`onDamage`), and never passed on.
 */
import { statSync } from 'node:fs';
import {
  type Block,
  type Certificate,
  type CheckpointSignature,
  type CheckpointStatement,
  decodeCertificate,
  decodeCheckpointStatement,
  type FloorClaim,
  type FrozenStateTree,
  isChange,
  isStatePart,
  type Message,
  rightEdgeOf,
  type Snapshot,
  type StatePart,
  type StateTree,
  snapshotBlocksMax,
  snapshotSignaturesMax,
  stateBucketDepth,
  stateBucketEntriesMax,
  statePageBytesMax,
  statePageEntriesMax,
  type Tile,
  type TilePlace,
  tileCountAt,
  toHash,
  toHeight,
  toValidatorIndex,
} from '@cairn-ledger/core';
import type { ChainDb } from '../storage/chain-db.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { storedToEpochSet } from '../storage/epoch-table.ts';
import { batchesPerBlockMax } from '../storage/transaction-place.ts';
import { storedToBlock } from '../threads/serve-from-storage.ts';
import { type ChainFile, holdHeight, openChainFile } from './chain-file.ts';
import { isStoredTileTrue } from './stored-tile.ts';

export type SnapshotServer = {
  /** The answer to a request of a sync; null where there is none, or it is no such request. */
  serve(request: Message): Message | null;
  /** To be called every few seconds: ends snapshots that are not used, too old, or keep too much of the log. */
  prune(): void;
  /** How many are open. */
  count(): number;
  close(): void;
};

export type SnapshotServerOptions = {
  readonly path: string;
  /** The connection that writes, between two blocks. */
  readonly chain: ChainDb;
  /** Of the height of `chain`'s tip. */
  readonly stateTree: Pick<StateTree, 'freeze'>;
  readonly checkpointLag: number;
  /** Milliseconds, ascending. */
  readonly now: () => number;
  /** Something that was asked for is not what it must be. */
  readonly onDamage?: (what: string) => void;
};

export const snapshotsMax = 2;
export const snapshotIdleMs = 60_000;
const snapshotAgeMaxMs = 600_000;
/** A snapshot gives its place to a newer one when nobody has used it for so long. */
const snapshotKeptMs = 5_000;
/** A new one is not worth its price while there is one so near the tip. */
const heightsNear = 64;
const logBytesMax = 512 << 20;
/** Work on one answer, in milliseconds; one part is always looked at. */
const workMsMax = 5;
const snapshotMessageBytesMax = 4 << 20;

type Held = {
  readonly file: ChainFile;
  readonly tree: FrozenStateTree;
  readonly height: number;
  readonly openedMs: number;
  usedMs: number;
};

export function createSnapshotServer(options: SnapshotServerOptions): SnapshotServer {
  const { path, chain, stateTree, checkpointLag, now, onDamage } = options;
  let held: Held[] = [];

  function end(snapshot: Held): void {
    snapshot.file.close();
    held = held.filter((each) => each !== snapshot);
  }

  function prune(): void {
    const nowMs = now();
    for (const each of [...held])
      if (nowMs - each.usedMs >= snapshotIdleMs || nowMs - each.openedMs >= snapshotAgeMaxMs) end(each);
    if (held.length > 0 && logBytesOf(path) > logBytesMax) for (const each of [...held]) end(each);
  }

  function open(): Held | null {
    if (held.length >= snapshotsMax) {
      const oldest = [...held].sort((a, b) => a.usedMs - b.usedMs)[0]!;
      if (now() - oldest.usedMs < snapshotKeptMs) return null;
      end(oldest);
    }
    const opened = openChainFile(path, { readOnly: true });
    if (!opened.ok) return null;
    const file = opened.value;
    const height = holdHeight(file);
    if (height !== chain.tip()?.height) {
      file.close();
      return null;
    }
    const snapshot = { file, tree: stateTree.freeze(), height, openedMs: now(), usedMs: now() };
    held.push(snapshot);
    return snapshot;
  }

  /** The newest that can be proven. Where the tip has gone far beyond it, or there is none, the tip is held as well. */
  function offer(from: number): Snapshot | null {
    prune();
    const tipHeight = chain.tip()?.height ?? -1;
    if (tipHeight < Math.max(from, checkpointLag + 1)) return null;
    const offers = (): Snapshot | null => {
      for (const each of [...held].sort((a, b) => b.height - a.height)) {
        const snapshot = each.height < from ? null : snapshotOf(each);
        if (snapshot === null) continue;
        each.usedMs = now();
        return snapshot;
      }
      return null;
    };
    const first = offers();
    if (first !== null && first.height + heightsNear >= tipHeight) return first;
    if (held.some(({ height }) => height === tipHeight) || open() === null) return first;
    return offers();
  }

  /** Null while it cannot be proven: not certified yet, or in the middle of a change of the target. */
  function snapshotOf({ height, file }: Held): Snapshot | null {
    const set = storedToEpochSet(file.chain.epochs.at(height + 1));
    if (isChange(set, file.chain.epochs.targetAt(height))) return null;
    const proven = provenStatements(height);
    if (proven === null) return null;
    const first = height - checkpointLag;
    const last = chain.finalizedFrom(Math.max(height, proven.namedUpTo));
    if (last === null || last.height - first >= snapshotBlocksMax) return null;
    const blocks: Block[] = [];
    const finalizations: Certificate[] = [];
    let bytes = 0;
    for (let at = first; at <= last.height; at++) {
      const stored = chain.blockByHeight(at);
      const block = storedToBlock(stored);
      if (block === null) return null;
      blocks.push(block);
      bytes += block.headerBytes.length + block.bodyBytes.length;
      if (bytes > snapshotMessageBytesMax) return null;
      if (at !== height && at !== last.height) continue;
      // Who starts from here starts in the view of this finalization.
      const finalization = stored!.finalization === null ? null : decodeCertificate(stored!.finalization);
      if (finalization === null || !finalization.ok) return null;
      finalizations.push(finalization.value);
    }
    const { statements, signatures } = proven;
    const floors = floorsOf(file, set.epoch);
    return { height: toHeight(height), statements, signatures, blocks, finalizations, floors };
  }

  /** The statements of the last heights; those without a quorum's signatures must be named by a block up to `namedUpTo`. */
  function provenStatements(height: number) {
    const statements: CheckpointStatement[] = [];
    const signatures: CheckpointSignature[] = [];
    let namedUpTo = 0;
    for (let at = height; at >= height - checkpointLag; at--) {
      const stored = chain.checkpoint(at);
      const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
      if (statement === null || !statement.ok || stored!.round !== statement.value.round) return null;
      statements.unshift(statement.value);
      const own = decodeSignatures(stored!.signatures);
      if (own !== null && signatures.length + own.length <= snapshotSignaturesMax) signatures.push(...own);
      else if (at === height) return null;
      else namedUpTo = Math.max(namedUpTo, at + checkpointLag);
    }
    return { statements, signatures, namedUpTo };
  }

  function state(height: number, paths: readonly string[]): StatePart[] | null {
    prune();
    const snapshot = held.find((each) => each.height === height);
    if (snapshot === undefined) return null;
    snapshot.usedMs = now();
    const startedMs = now();
    const parts: StatePart[] = [];
    let bytes = 0;
    let entries = 0;
    for (const at of paths) {
      const part = partOf(snapshot, at);
      if (part === null) break;
      bytes += bytesOfPart(part);
      entries += part.type === 'bucket' ? part.entries.length : 16;
      if (parts.length > 0 && (bytes > statePageBytesMax || entries > statePageEntriesMax)) break;
      parts.push(part);
      if (now() - startedMs >= workMsMax) break;
    }
    return parts;
  }

  function partOf({ tree, file }: Held, path: string): StatePart | null {
    const nibbles = [...path].map((nibble) => Number.parseInt(nibble, 16));
    const children = tree.childrenOf(nibbles);
    if (children !== null) return { type: 'node', path, children };
    if (path.length < stateBucketDepth) return null;
    const expected = tree.childrenOf(nibbles.slice(0, -1))?.[nibbles.at(-1)!];
    if (expected === undefined) return null;
    const entries = file.stateRows(path);
    const part: StatePart = { type: 'bucket', path, entries };
    if (entries.length <= stateBucketEntriesMax && isStatePart(part, expected)) return part;
    onDamage?.(`the state bucket ${path} is not what it was`);
    return null;
  }

  function tiles(size: number, places: readonly TilePlace[]): Tile[] | null {
    if (size < 1 || size > (chain.tip()?.historySize ?? 0)) return null;
    const found: Tile[] = [];
    for (const place of places.length === 0 ? rightEdgeOf(size) : places) {
      const count = tileCountAt(place, size);
      const hashes = count === 0 ? null : chain.tiles.get(place.level, place.index);
      if (hashes === null || hashes.length < count * 32) return null;
      if (!isStoredTileTrue(chain, place, hashes)) {
        onDamage?.(`tile ${place.level}/${place.index} of the history is not what it was`);
        return null;
      }
      found.push({ level: place.level, index: place.index, hashes: hashes.slice(0, count * 32) });
    }
    return found;
  }

  function outcome(height: number): Message | null {
    const stored = chain.checkpoint(height);
    const block = chain.blockByHeight(height);
    const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
    const isHeld = block !== null && statement?.ok && height > chain.foundedHeight();
    return {
      type: 'outcome',
      height: toHeight(height),
      outcome: isHeld ? { statement: statement.value, verdicts: block.verdicts } : null,
    };
  }

  return {
    serve(request) {
      switch (request.type) {
        case 'request-snapshot':
          return { type: 'snapshot', snapshot: offer(request.from) };
        case 'request-state':
          return { type: 'state', height: request.height, parts: state(request.height, request.paths) };
        case 'request-tiles':
          return { type: 'tiles', size: request.size, tiles: tiles(request.size, request.places) };
        case 'request-outcome':
          return outcome(request.height);
        default:
          return null;
      }
    },
    prune,
    count: () => held.length,
    close() {
      for (const each of [...held]) end(each);
    },
  };
}

function floorsOf({ chain, database }: ChainFile, epoch: number): FloorClaim[] {
  const place = database.sqlite.prepare('SELECT id FROM batches WHERE digest = ? ORDER BY id DESC LIMIT 1');
  return chain.floors(epoch).map(({ author, seq, digest }) => {
    const row = place.get(digest) as { id: number } | undefined;
    // Not held where the chain was founded above it.
    const height = row === undefined ? 0 : Math.floor(row.id / batchesPerBlockMax);
    return { author: toValidatorIndex(author), seq, digest: toHash(digest), height: toHeight(height) };
  });
}

function bytesOfPart(part: StatePart): number {
  if (part.type === 'node') return part.children.length * 34;
  return part.entries.reduce((total, { key, value }) => total + key.length + value.length + 8, 0);
}

function logBytesOf(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
