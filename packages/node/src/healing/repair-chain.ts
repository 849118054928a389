/**
 * Repair of chain.db (protocol.md section 6): finds what is not what a quorum signed or an author sealed, fetches exactly that from
 * peers, and writes it once it is verified. To be run while no other part of the node has the file open.
 *
 * A file that SQLite cannot read, or a state that can no longer be had for its own height, is replaced (rebuild-chain.ts): so
 * nothing is missing afterwards; the old file stays beside it.
 */
import { existsSync } from 'node:fs';
import { type CairnError, fail, ok, type Result, type Verifier } from '@cairn-ledger/core';
import type { FindingClass } from '../audit/finding.ts';
import { finishReplacement } from '../storage/chain-replacement.ts';
import { mendHeader } from '../storage/file-header.ts';
import { type ChainFile, mendFormatNumber, openChainFile } from './chain-file.ts';
import { orNull } from './chain-top.ts';
import { anchorEpochs, followToPresent, type SyncAnchor, TwoFutures } from './known-epochs.ts';
import { mendInPlace } from './mend-in-place.ts';
import type { Mending } from './mending.ts';
import { openPartCache } from './part-cache.ts';
import type { Peers } from './peers.ts';
import { rebuildChain } from './rebuild-chain.ts';
import type { HealingReport, OnProgress } from './report.ts';

export type RepairOptions = {
  /** Of chain.db. */
  readonly path: string;
  readonly anchor: SyncAnchor;
  readonly peers: Peers;
  readonly verifier: Verifier;
  readonly onDamage?: (kind: FindingClass, height: number | null, what: string) => void;
  readonly onProgress?: OnProgress;
  readonly pauseMs?: number;
  readonly roundsMax?: number;
  /** How long a new chain waits for what was before the state it is founded on, in milliseconds. */
  readonly pastMs?: number;
  /** The chain is whole, and nobody gives the blocks that come next: a newer state takes its place, where there is one. */
  readonly isBehind?: boolean;
  /** The file is about to be moved: nobody else may have it open from then on. */
  readonly onReplacing?: () => void;
};

export type ChainRepair = HealingReport & {
  /** What was found to be damaged, up to `damagesMax`; `damageCount` counts all. */
  readonly damages: readonly { readonly kind: FindingClass; readonly height: number | null; readonly what: string }[];
  readonly damageCount: number;
  /** Why the file was replaced; null where it was not. */
  readonly replacedFor: string | null;
  /** Whether the chain has everything from the genesis on, or from where it was founded. */
  readonly isComplete: boolean;
};

export const damagesMax = 100;
/** Of asking everybody for a newer state, a second apart. */
const behindRoundsMax = 10;

/**
 * Errors: `snapshot.unavailable` where the file must be replaced and no peer gives what it takes, `repair.no-peers` where nobody
 * proves who the present validators are, `storage.failed`. Throws the reason of the peers' signal, and `TwoFutures`. What was
 * mended until then stays mended.
 */
export async function repairChain(options: RepairOptions): Promise<Result<ChainRepair, CairnError>> {
  const { path, anchor, peers, verifier, pauseMs, roundsMax, pastMs } = options;
  const startedMs = performance.now();
  const rows: Record<string, number> = {};
  const damages: { kind: FindingClass; height: number | null; what: string }[] = [];
  let damageCount = 0;
  finishReplacement(path);
  const epochs = await followToPresent(anchor, anchorEpochs(anchor), peers, verifier);
  if (epochs === null) {
    return fail({ code: 'repair.no-peers', message: 'no linked peer proves who the present validators are' });
  }
  const cache = openPartCache(`${path}.parts`);
  const mending: Mending = {
    anchor,
    epochs,
    peers,
    verifier,
    cache,
    onDamage(kind, height, what) {
      damageCount++;
      if (damages.length < damagesMax) damages.push({ kind, height, what });
      options.onDamage?.(kind, height, what);
    },
    onWritten(table, count) {
      rows[table] = (rows[table] ?? 0) + count;
    },
    onProgress: (stage, done, total) =>
      options.onProgress?.({ stage, done, total, bytesFetched: peers.bytesFetched() }),
  };
  const report = (changes: Pick<ChainRepair, 'what' | 'height' | 'replacedFor' | 'isComplete'>): ChainRepair => ({
    ...changes,
    rows,
    damages,
    damageCount,
    bytesFetched: peers.bytesFetched(),
    tookMs: performance.now() - startedMs,
  });

  const opened = openReadable(path, mending);
  const file = opened?.file ?? null;
  const endInPlace = (): Result<ChainRepair, CairnError> => {
    const height = file!.chain.tip()!.height;
    file!.close();
    cache.remove();
    const what = damageCount === 0 ? 'nothing' : 'chain-repaired';
    return ok(report({ what, height, replacedFor: null, isComplete: true }));
  };
  const isBehind = options.isBehind === true && opened?.isSound === true && opened.file.chain.tip() !== null;
  try {
    const whyIfDamaged = async (): Promise<string | null> =>
      opened?.isSound === true ? await tryInPlace(opened.file, mending) : 'SQLite cannot read all of it';
    const why = isBehind ? 'no peer gives the blocks that come next' : await whyIfDamaged();
    if (why === null) return endInPlace();
    if (!isBehind) mending.onDamage('database', null, `${path} is replaced: ${why}`);
    const rebuilt = await rebuildChain(path, file, mending, {
      ...(pauseMs !== undefined && { pauseMs }),
      ...(roundsMax !== undefined && { roundsMax }),
      pastMs,
      ...(isBehind && { from: file!.chain.tip()!.height + 1, roundsMax: roundsMax ?? behindRoundsMax }),
      onReplacing: () => options.onReplacing?.(),
    });
    // It lives on with what it has, and goes on asking for blocks.
    if (!rebuilt.ok && isBehind && rebuilt.error.code === 'snapshot.unavailable') return endInPlace();
    if (!rebuilt.ok) return rebuilt;
    cache.remove();
    const { height, isComplete } = rebuilt.value;
    return ok(report({ what: 'chain-replaced', height, replacedFor: why, isComplete }));
  } finally {
    orNull(() => file?.close());
    orNull(() => cache.close());
  }
}

/** Null where SQLite cannot read it, or says itself that its pages do not belong together. */
function openReadable(
  path: string,
  { onDamage }: Mending,
): { readonly file: ChainFile; readonly isSound: boolean } | null {
  if (!existsSync(path)) return null;
  if (orNull(() => mendHeader(path)) === true)
    onDamage('database', null, `the header of ${path} is not what it must be`);
  if (orNull(() => mendFormatNumber(path)) === true) onDamage('database', null, `${path} had another format number`);
  const opened = openChainFile(path, { readOnly: false });
  if (!opened.ok) {
    // Of another release: that is for its operator to decide.
    if (opened.error.code !== 'storage.damaged') throw opened.error;
    return null;
  }
  const file = opened.value;
  const { sqlite } = file.database;
  const isSound = (): boolean => {
    const row = sqlite.prepare('PRAGMA integrity_check(1)').get() as { integrity_check: string };
    return row.integrity_check === 'ok';
  };
  if (orNull(isSound) === true) return { file, isSound: true };
  onDamage('database', null, `the pages of ${path} do not belong together`);
  const isMended = (): boolean => {
    sqlite.exec('REINDEX');
    return isSound();
  };
  // What of it can be read is of use, row by row, even if it must be replaced.
  return { file, isSound: orNull(isMended) === true };
}

/** Null when everything is true now; else why it must be replaced. */
async function tryInPlace(file: ChainFile, mending: Mending): Promise<string | null> {
  try {
    return await mendInPlace(file, mending);
  } catch (cause) {
    mending.peers.signal.throwIfAborted();
    if (cause instanceof TwoFutures) throw cause;
    if (!(cause instanceof Error)) throw cause;
    // A page that cannot be read, or written: what it held is had from elsewhere.
    return cause.message;
  }
}
