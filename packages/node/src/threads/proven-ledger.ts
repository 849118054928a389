/** Edge thread: opens what is read for those who ask, each read held against what was signed (proven-chain.ts, checked-state.ts). */
import { join } from 'node:path';
import type { Genesis, Hash, ListingStore } from '@cairn-ledger/core';
import { createRememberingVerifier } from '../crypto/remembering-verifier.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import type { Restarts } from '../restart/restart-files.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { createCheckedStore, hashesOfBuckets } from '../storage/checked-state.ts';
import { readStateHashes } from '../storage/state-hashes.ts';
import { openViewDb, type ViewDb } from '../storage/view-db.ts';
import { createProvenChain, type ProvenChain } from './proven-chain.ts';
import { createReceiptCheck, type ReceiptCheck } from './receipt-check.ts';

export type ProvenLedgerOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  /** Filled by the ledger thread. */
  readonly stateHashes: SharedArrayBuffer;
  /** By the epoch that each ends. */
  readonly restarts: Restarts;
};

export type ProvenLedger = {
  readonly store: ListingStore;
  readonly chain: ProvenChain;
  readonly view: ViewDb;
  readonly isReceiptSound: ReceiptCheck;
  close(): void;
};

/** @throws NodeFailed where one of the databases cannot be opened; the other is closed then */
export function openProvenLedger(options: ProvenLedgerOptions): ProvenLedger {
  const { dataDir, genesis, ledgerHash } = options;
  const verifier = createRememberingVerifier(sodiumVerifier);
  const file = orThrow(openChainDb(join(dataDir, 'chain.db'), { readOnly: true, ledgerHash }));
  try {
    const hashes = hashesOfBuckets(readStateHashes(options.stateHashes), (bucket) => file.stateBucket(bucket));
    const store = createCheckedStore(file.store, hashes);
    const chain = createProvenChain(file, { genesis, ledgerHash, restarts: options.restarts, verifier, store });
    const view = orThrow(openViewDb(join(dataDir, 'view.db'), { readOnly: true }));
    const close = (): void => {
      view.close();
      file.close();
    };
    return { store, chain, view, isReceiptSound: createReceiptCheck(chain, ledgerHash, verifier), close };
  } catch (cause) {
    file.close();
    throw cause;
  }
}
