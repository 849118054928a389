/**
 * The view, block by block, held against what the chain says, and at the end of a round the sums of all of it. It is read over a
 * connection of its own. What an index has too much, whoever reads it tells; what it has too little, only this does.
 */
import { StorageError } from '../storage/storage-error.ts';
import { compareBlock } from '../storage/view-check.ts';
import { openViewDb, type ViewDb } from '../storage/view-db.ts';
import type { ChainFile } from './chain-file.ts';

export type ViewLane = {
  count(): number;
  /** Looks at the next block; whether a round ended with it. */
  step(): boolean;
  close(): void;
};

type Sums = { height: number; transactions: number; accepted: number; readings: number };

/** @param onDamage at the first thing that is not what it must be */
export function createViewLane(
  { chain }: ChainFile,
  path: string,
  onDamage: (what: string, height: number | null) => void,
): ViewLane {
  let view: ViewDb | null = null;
  let sums: Sums | null = null;

  function openView(): ViewDb | null {
    if (view !== null) return view;
    const opened = openViewDb(path, { readOnly: true });
    if (opened.ok) view = opened.value;
    else onDamage(opened.error.message, null);
    return view;
  }

  /** The first height that the view has rows of: what a founded chain begins with is not in it. */
  function beginning(): Sums {
    const founded = chain.foundedHeight();
    return { height: founded === 0 ? 0 : founded + 1, transactions: 0, accepted: 0, readings: 0 };
  }

  function look(opened: ViewDb, at: Sums): boolean {
    const progress = opened.progress();
    if (at.height <= progress.height) {
      const block = compareBlock(chain, opened, at.height);
      if (typeof block === 'string') {
        onDamage(block, at.height);
        return true;
      }
      at.height++;
      at.transactions += block.transactions.length;
      for (const { leafIndex, readings } of block.transactions) {
        if (leafIndex === null) continue;
        at.accepted++;
        at.readings += readings?.count ?? 0;
      }
    }
    if (at.height <= progress.height) return false;
    const areEqual =
      progress.transactions === at.transactions &&
      progress.accepted === at.accepted &&
      progress.readings === at.readings;
    if (!areEqual) onDamage('the sums of the view are not those of the chain', null);
    return true;
  }

  return {
    count: () => Math.max(1, (chain.tip()?.height ?? 0) + 1),
    step() {
      const opened = openView();
      if (opened === null) return true;
      sums ??= beginning();
      const at = sums;
      try {
        // The view is written after the chain: what it has, the chain has.
        const hasEnded = opened.consistently(() => look(opened, at));
        if (hasEnded) sums = null;
        return hasEnded;
      } catch (cause) {
        if (!(cause instanceof StorageError) || cause.code !== 'storage.damaged') throw cause;
        onDamage(cause.message, at.height);
        return true;
      }
    },
    close() {
      view?.close();
      view = null;
    },
  };
}
