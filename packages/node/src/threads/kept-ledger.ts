/** Ledger thread: opens what a node keeps of its ledger, as every start does, and holds it against what was signed. */
import { join } from 'node:path';
import type { Genesis, Hash } from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { repairView } from '../healing/repair-view.ts';
import { createRosterKeeper, type RosterKeeper } from '../membership/roster.ts';
import { recordedRound } from '../recertify/recorded-round.ts';
import type { RoundRecords } from '../recertify/round-records.ts';
import { restartChain } from '../restart/restart-chain.ts';
import type { Restarts } from '../restart/restart-files.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { openViewDb, type ViewDb } from '../storage/view-db.ts';
import { followChain } from '../storage/view-follow.ts';
import { type ChainExecutor, createChainExecutor } from './chain-executor.ts';
import type { StoredOrigin } from './messages.ts';
import { originOf } from './stored-origin.ts';

export type KeptLedgerOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  /** Id and link key of this node. */
  readonly self: { readonly id: string; readonly linkKey: Uint8Array };
  readonly stateHashes: SharedArrayBuffer;
  /** By the epoch that each ends. */
  readonly restarts: Restarts;
  readonly rounds: RoundRecords;
};

export type KeptLedger = {
  readonly chain: ChainDb;
  readonly executor: ChainExecutor;
  readonly view: ViewDb;
  readonly origin: StoredOrigin;
  readonly rosters: RosterKeeper;
  /** The round of a height that is executed. */
  roundAt(height: number): number;
  close(): void;
};

/** @throws StorageError, or a NodeFailed with its code; nothing stays open then */
export function openKeptLedger(options: KeptLedgerOptions): KeptLedger {
  const { dataDir, genesis, ledgerHash, self, stateHashes, restarts, rounds } = options;
  const lag = genesis.parameters.checkpointLag;
  const chain = orThrow(openChainDb(join(dataDir, 'chain.db'), { ledgerHash }));
  let view: ViewDb | null = null;
  try {
    const executor = createChainExecutor(genesis, ledgerHash, chain, stateHashes);
    orThrow(restartChain(chain, executor, restarts, lag, sodiumVerifier));
    const opened = openView(join(dataDir, 'view.db'), chain);
    view = opened;
    const origin = originOf(chain, lag);
    const rosters = createRosterKeeper(executor.store, chain.epochs, self);
    const close = (): void => {
      opened.close();
      chain.close();
    };
    const roundAt = (height: number): number => recordedRound(chain, rounds, height, lag);
    return { chain, executor, view: opened, origin, rosters, roundAt, close };
  } catch (cause) {
    view?.close();
    chain.close();
    throw cause;
  }
}

/** One that cannot be read is made anew: it is a function of the chain. */
function openView(path: string, chain: ChainDb): ViewDb {
  const open = () => {
    const opened = openViewDb(path);
    return opened.ok ? followChain(opened.value, chain) : opened;
  };
  const opened = open();
  if (opened.ok || opened.error.code !== 'storage.damaged') return orThrow(opened);
  repairView(path);
  return orThrow(open());
}
