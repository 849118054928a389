/**
 * The audit that goes on while a node runs (protocol.md section 6): a bounded slice of what lies on disk at every tick, read back
 * and held against what proves it. Recent heights come round within a minute, everything within a day.
 *
 * It runs in the ledger thread, between blocks, since that is where the hashes of the state tree are: they have just been compared
 * with what a quorum signed, so a bucket on disk that differs from them is damaged, and is named at once. It reads over a
 * connection of its own, so that nothing comes from the cache of the one that writes.
 */
import {
  type Block,
  blockFromParts,
  type CheckpointStatement,
  checkpointDigest,
  decodeCheckpointStatement,
  equalBytes,
  type Hash,
  isStatePart,
  type StatePart,
  type StateTree,
  stateBucketDepth,
  stateBucketEntriesMax,
  type Verifier,
} from '@cairn-ledger/core';
import type { Finding, FindingClass, Place } from '../audit/finding.ts';
import { StorageError } from '../storage/storage-error.ts';
import { type ChainFile, openChainFile } from './chain-file.ts';
import { damageOfEpochs, isEpochOf } from './epoch-lane.ts';
import { createJournalLane, type JournalLane } from './journal-lane.ts';
import { epochOfHeight, type KnownEpoch, type SyncAnchor, storedEpochs } from './known-epochs.ts';
import { type HeightTask, mendHeight } from './mend-height.ts';
import { leafReader } from './mend-in-place.ts';
import { createTileLane, type TileLane } from './tile-lane.ts';
import { createViewLane, type ViewLane } from './view-lane.ts';

export type BackgroundAuditOptions = {
  /** Of chain.db. */
  readonly path: string;
  /** Folder of the journal; null: it is not looked at. */
  readonly journalDir: string | null;
  /** Of view.db; null: it is not looked at. */
  readonly viewPath: string | null;
  readonly anchor: SyncAnchor;
  readonly verifier: Verifier;
  /** Of the height that is committed whenever `tick` is called. */
  readonly stateTree: Pick<StateTree, 'childrenOf'>;
  /** Milliseconds, ascending. */
  readonly now: () => number;
  /** How often `tick` is called. */
  readonly tickMs: number;
  /** Called once: at the first thing that is not what it must be. Nothing is looked at after it. */
  readonly onDamage: (finding: Finding) => void;
};

export type AuditRounds = {
  readonly heights: number;
  readonly state: number;
  readonly tiles: number;
  readonly journal: number;
  readonly view: number;
};

export type BackgroundAudit = {
  /** One slice. Not to be called again before it has settled. */
  tick(): Promise<void>;
  /** How often everything of a kind has been looked at. */
  rounds(): AuditRounds;
  close(): void;
};

/** Heights below the tip that come round every minute. */
export const recentHeights = 64;
const recentMs = 60_000;
/** Half of a day, so that a slow machine keeps the promise of a whole one. */
const roundMs = 43_200_000;
const bucketCount = 65_536;
/** Work of one tick, in milliseconds, beyond the first unit of each kind. */
const workMsMax = 10;

export function createBackgroundAudit(options: BackgroundAuditOptions): BackgroundAudit {
  const { path, anchor, verifier, stateTree, now, tickMs, onDamage } = options;
  let isDamaged = false;
  let file: ChainFile | null = null;
  let epochs: readonly KnownEpoch[] = [];
  let tiles: TileLane | null = null;
  let view: ViewLane | null = null;
  const journal: JournalLane | null =
    options.journalDir === null
      ? null
      : createJournalLane(options.journalDir, (what, where) => damage('journal', what, where));
  /** The next one of each kind. */
  const next = { height: -1, recent: -1, bucket: 0 };
  const rounds = { heights: 0, state: 0, tiles: 0, journal: 0, view: 0 };

  function damage(kind: FindingClass, what: string, where: Place, code = 'audit.differs'): void {
    if (isDamaged) return;
    isDamaged = true;
    onDamage({ class: kind, code, what, where });
  }

  /** How many of `total` are due in one tick, when all are to come round in time. */
  function dueOf(total: number, withinMs: number): number {
    return Math.max(1, Math.min(total, Math.ceil((total * tickMs) / withinMs)));
  }

  function openFile(): ChainFile | null {
    if (file !== null) return file;
    const opened = openChainFile(path, { readOnly: true });
    if (!opened.ok) {
      damage('database', opened.error.message, { file: path }, opened.error.code);
      return null;
    }
    file = opened.value;
    return file;
  }

  async function tick(): Promise<void> {
    if (isDamaged) return;
    const startedMs = now();
    const hasTime = (): boolean => !isDamaged && now() - startedMs < workMsMax;
    try {
      const opened = openFile();
      const tip = opened?.chain.tip();
      if (opened == null || tip == null || tip.height < 1) return;
      const first = Math.max(1, opened.chain.firstHeight() ?? 1);
      // All of a slice of the state must be of the height of the tree.
      lookAtState(opened, hasTime);
      lookAtTiles(opened, hasTime);
      await lookAtHeights(opened, first, tip.height, hasTime);
      lookAtView(opened, hasTime);
      if (journal !== null && !isDamaged) rounds.journal += await journal.tick(tickMs / roundMs);
    } catch (cause) {
      if (!(cause instanceof StorageError)) throw cause;
      damage('database', cause.message, { file: path }, cause.code);
    }
  }

  function lookAtState(opened: ChainFile, hasTime: () => boolean): void {
    opened.chain.consistently(() => {
      let left = dueOf(bucketCount, roundMs);
      do {
        lookAtBucket(opened, next.bucket.toString(16).padStart(stateBucketDepth, '0'));
        next.bucket = (next.bucket + 1) % bucketCount;
        if (next.bucket === 0) rounds.state++;
        left--;
      } while (left > 0 && hasTime());
    });
  }

  function lookAtBucket(opened: ChainFile, at: string): void {
    const nibbles = [...at].map((nibble) => Number.parseInt(nibble, 16));
    if (stateTree.childrenOf(nibbles) !== null) {
      for (let nibble = 0; nibble < 16; nibble++) lookAtBucket(opened, at + nibble.toString(16));
      return;
    }
    const expected = stateTree.childrenOf(nibbles.slice(0, -1))![nibbles.at(-1)!]!;
    const part: StatePart = { type: 'bucket', path: at, entries: opened.stateRows(at) };
    const isTrue = part.entries.length <= stateBucketEntriesMax && isStatePart(part, expected);
    if (!isTrue) damage('state', `bucket ${at} of the state is not what it must be`, { table: 'state', key: at });
  }

  function lookAtTiles(opened: ChainFile, hasTime: () => boolean): void {
    tiles ??= createTileLane(opened, (what, key) => damage('history', what, { table: 'history_tiles', key }));
    let left = dueOf(tiles.count(), roundMs);
    do {
      if (tiles.step()) rounds.tiles++;
      left--;
    } while (left > 0 && hasTime());
  }

  function lookAtView(opened: ChainFile, hasTime: () => boolean): void {
    if (options.viewPath === null || isDamaged) return;
    view ??= createViewLane(opened, options.viewPath, (what, height) =>
      damage('view', what, height === null ? { file: 'view.db' } : { file: 'view.db', height }),
    );
    let left = dueOf(view.count(), roundMs);
    do {
      if (view.step()) rounds.view++;
      left--;
    } while (left > 0 && hasTime());
  }

  async function lookAtHeights(opened: ChainFile, first: number, tip: number, hasTime: () => boolean): Promise<void> {
    epochs =
      epochs.length === 0 || opened.chain.epochs.of(epochs.length + 1) !== null
        ? storedEpochs(anchor, opened.chain, verifier)
        : epochs;
    const recentFirst = Math.max(first, tip - recentHeights + 1);
    let left = dueOf(recentHeights, recentMs);
    do {
      if (next.recent < recentFirst || next.recent > tip) next.recent = recentFirst;
      await lookAtHeight(opened, next.recent++, first, tip);
      left--;
    } while (left > 0 && hasTime());
    left = dueOf(tip - first + 1, roundMs);
    do {
      if (next.height < first || next.height > tip) {
        next.height = first;
        lookAtEpochs(opened);
      }
      await lookAtHeight(opened, next.height, first, tip);
      if (next.height === tip) rounds.heights++;
      next.height++;
      left--;
    } while (left > 0 && hasTime());
  }

  function lookAtEpochs(opened: ChainFile): void {
    const what = opened.chain.consistently(() => {
      // Pages that nothing else reads while a node runs: one that cannot be read is told.
      opened.chain.floors(opened.chain.epochs.latest()?.epoch ?? 0);
      opened.chain.openBoundaries();
      opened.chain.lowestUncertified();
      return damageOfEpochs(opened, anchor, { verifier });
    });
    if (what !== null) damage('block', what, { table: 'epochs' });
  }

  async function lookAtHeight(opened: ChainFile, height: number, first: number, tip: number): Promise<void> {
    const { chain } = opened;
    const lag = anchor.genesis.parameters.checkpointLag;
    if (epochOfHeight(epochs, height).epoch !== chain.epochs.at(height).epoch) return;
    const block = blockAt(opened, height);
    if (block === null) return;
    const above = height === tip ? null : blockAt(opened, height + 1);
    if (above !== null && !equalBytes(above.header.parent, block.digest))
      return damage(
        'block',
        `block ${height} is not the one that block ${height + 1} stands on`,
        { height },
        'audit.unlinked',
      );
    const statement = statementAt(opened, height);
    if (statement === null) return;
    const naming = height + lag > tip ? null : blockAt(opened, height + lag);
    if (naming !== null && !equalBytes(naming.header.checkpoint, checkpointDigest(statement)))
      return damage(
        'checkpoint',
        `the checkpoint of height ${height} is not the one that block ${height + lag} names`,
        { height },
      );
    const founded = chain.foundedHeight();
    const before = height - 1 >= first || height === 1 ? statementAt(opened, height - 1) : null;
    const task: HeightTask = {
      source: opened,
      ledgerHash: anchor.ledgerHash,
      epochs,
      verifier,
      peers: null,
      pages: null,
      firstWhole: before === null ? height + 1 : founded === 0 ? 0 : founded + 1,
      topHeight: tip,
      leafAt: leafReader(opened),
      onDamage: (kind, at, what) => damage(kind, what, { height: at }),
    };
    await mendHeight(task, block, statement, before?.historySize ?? 0);
    if (!isIndexed(opened, block))
      return damage('database', `nothing leads to block ${height} or to one of its batches`, { height });
    if (block.header.nextSet !== null && !isEpochOf(opened, block, above))
      damage('block', `epoch ${block.header.epoch + 1} is not the one that block ${height} begins`, {
        table: 'epochs',
      });
  }

  function blockAt({ chain }: ChainFile, height: number): Block | null {
    const stored = chain.blockByHeight(height);
    const block = stored === null ? null : blockFromParts(stored.header, stored.body);
    const isTrue = block?.ok === true && block.value.header.height === height && isDigest(block.value, stored!.digest);
    if (isTrue) return block.value;
    const code = stored === null ? 'audit.missing' : 'audit.bad-digest';
    damage('block', `block ${height} is not what was written`, { height }, code);
    return null;
  }

  function statementAt({ chain }: ChainFile, height: number): CheckpointStatement | null {
    const stored = chain.checkpoint(height);
    const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
    if (statement?.ok && statement.value.height === height) return statement.value;
    damage('checkpoint', `the checkpoint of height ${height} cannot be read`, { height }, 'audit.malformed');
    return null;
  }

  return {
    tick,
    rounds: () => ({ ...rounds }),
    close() {
      journal?.close();
      view?.close();
      file?.close();
      file = null;
    },
  };
}

/** Whether they are found by their digests; so the pages of these indexes, and of the news, are read as well. */
function isIndexed({ chain }: ChainFile, { digest, header, batches }: Block): boolean {
  chain.newsOf(header.height);
  const isHeld = header.height > chain.foundedHeight();
  return (
    chain.blockByDigest(digest)?.height === header.height &&
    (!isHeld || batches.every((batch) => chain.batchByDigest(batch.digest) !== null))
  );
}

function isDigest({ digest }: Block, stored: Uint8Array): boolean {
  return equalBytes(digest as Hash, stored);
}
