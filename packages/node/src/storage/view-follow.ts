/** Brings the view to where the chain is: what it lacks is read from chain.db; a view of another chain is made anew. */
import { equalBytes, ok, type Result } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { StorageError } from './storage-error.ts';
import { storedToView } from './view-block.ts';
import { openViewDb, removeViewFiles, type ViewBlock, type ViewDb } from './view-db.ts';

/** One commit while catching up. */
const commitTransactions = 5000;
const commitBlocks = 1000;

/**
 * @param view open for writing; closed when it had to be made anew
 * @returns the view, at the height of the chain
 */
export function followChain(view: ViewDb, chain: ChainDb): Result<ViewDb, StorageError> {
  try {
    const { height, digest } = view.progress();
    // Where the chain was founded later than the view reaches, what lies between can't be had.
    const isOfThisChain = height === -1 || (height >= chain.foundedHeight() && isAt(chain, height, digest));
    if (isOfThisChain) return catchUp(view, chain);
    view.close();
    removeViewFiles(view.path);
    const opened = openViewDb(view.path);
    return opened.ok ? catchUp(opened.value, chain) : opened;
  } catch (cause) {
    if (cause instanceof StorageError) return { ok: false, error: cause };
    throw cause;
  }
}

function isAt(chain: ChainDb, height: number, digest: Uint8Array | null): boolean {
  const stored = chain.blockByHeight(height);
  return stored !== null && digest !== null && equalBytes(stored.digest, digest);
}

function catchUp(view: ViewDb, chain: ChainDb): Result<ViewDb, StorageError> {
  const tip = chain.tip();
  if (tip === null) return ok(view);
  const founded = chain.foundedHeight();
  let blocks: ViewBlock[] = [];
  let transactions = 0;
  for (let height = Math.max(founded, view.progress().height + 1); height <= tip.height; height++) {
    const stored = chain.blockByHeight(height);
    if (stored === null) throw new StorageError('storage.damaged', `block ${height} is missing: repair it from peers`);
    // What was in the block that the chain was founded at is not held: the view begins behind it.
    const isBeginning = founded > 0 && height === founded;
    const block = isBeginning ? { height, digest: stored.digest, transactions: [] } : storedToView(chain, stored);
    blocks.push(block);
    transactions += block.transactions.length;
    if (transactions < commitTransactions && blocks.length < commitBlocks && height < tip.height) continue;
    const applied = view.applyBlocks(blocks);
    if (!applied.ok) return applied;
    [blocks, transactions] = [[], 0];
  }
  return ok(view);
}
