/** The round of a height that is executed here: what the operator has recorded, unless the members have given up what it was of. */
import type { ChainDb } from '../storage/chain-db.ts';
import { isRestart } from '../storage/restart-block.ts';
import { type RoundRecords, roundAt } from './round-records.ts';

/** Behind a block with which the members ended an epoch nothing was executed when the record was made below it. */
export function recordedRound(chain: ChainDb, records: RoundRecords, height: number, checkpointLag: number): number {
  if (records.length === 0) return 0;
  const { genesisHeight } = chain.epochs.at(height);
  const valid = isRestart(chain, genesisHeight) ? records.filter(({ above }) => above >= genesisHeight) : records;
  return roundAt(valid, height, checkpointLag);
}
