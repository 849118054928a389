/**
 * Begins the journal anew once it has grown: what still matters is written behind everything else, made durable, and then
 * the segments before it may go. A crash at any moment leaves one or both of them whole.
 */
import type { CairnError } from '@cairn-ledger/core';
import type { Journal } from './journal.ts';

/** Growth since the last time that makes it worth while. */
export const compactionBytes = 24 << 20;
/** Written before the disk is waited for: far below what a journal lets wait. */
const pieceBytes = 4 << 20;

export type LiveRecord = { readonly type: number; readonly payload: Uint8Array };

export type Compaction = {
  /** Starts when the journal has grown enough and none is under way. `live` is read at once, and encoded piece by piece. */
  runIfDue(live: () => Iterable<() => LiveRecord>): void;
  /** Resolves when none is under way. */
  idle(): Promise<void>;
};

export function createCompaction(
  journal: Journal,
  onFailed: (error: CairnError) => void,
  growthBytes = compactionBytes,
): Compaction {
  let underWay: Promise<void> | null = null;
  let sizeAfterBytes = 0;

  async function run(records: readonly (() => LiveRecord)[], firstSequence: number): Promise<void> {
    let pending = 0;
    for (const record of records) {
      const { type, payload } = record();
      journal.append(type, payload);
      pending += payload.length;
      if (pending < pieceBytes) continue;
      await journal.sync();
      pending = 0;
    }
    await journal.sync();
    await journal.prune(firstSequence);
    sizeAfterBytes = journal.sizeBytes;
  }

  return {
    idle: async () => underWay ?? undefined,
    runIfDue(live) {
      if (underWay !== null || journal.failure !== null || journal.sizeBytes < sizeAfterBytes + growthBytes) return;
      underWay = run([...live()], journal.nextSequence).then(
        () => {
          underWay = null;
        },
        (error: CairnError) => onFailed(error),
      );
    },
  };
}
