/**
 * Blocks with which the members ended an epoch (protocol.md section 6, "Restart"): no quorum has finalized them, and their
 * statement is of a round of its own.
 */
import { restartRound } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';

export function isRestart(chain: Pick<ChainDb, 'checkpoint'>, height: number): boolean {
  return chain.checkpoint(height)?.round === restartRound;
}
