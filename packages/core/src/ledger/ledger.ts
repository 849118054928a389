/**
 * The ledger: a deterministic state machine behind one small interface (architecture.md, "The engine and the ledger are
 * two things"). It knows members, devices, accounts and rules, and nothing of views, votes and peers.
 *
 * Same state, same block: same results, same writes, on every node and in every release. All it reads is the store, all it
 * does is in what it returns.
 */
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import type { KeyAlgorithm, Verifier } from '../crypto/verifier.ts';
import type { Hash } from '../model/brands.ts';
import { type Genesis, genesisEntries } from '../model/genesis.ts';
import type { KeyRole } from '../model/registered-key.ts';
import { audienceOf, type Transaction } from '../model/transaction.ts';
import { type CairnError, ok, type Result } from '../result.ts';
import type { Moment } from './admission.ts';
import { checkTransaction } from './check.ts';
import { type Execution, executeBlock, type LedgerBlock } from './execute.ts';
import { genesisWrites } from './genesis-state.ts';
import type { Provenance } from './readings.ts';
import type { Store, Write } from './store.ts';
import { createWorkingState } from './working-state.ts';

export type LedgerOptions = {
  readonly genesis: Genesis;
  /** Whether the transaction's signature holds under the registered key; must answer alike on every node. */
  readonly verify: (transaction: Transaction, algorithm: KeyAlgorithm, publicKey: Uint8Array) => boolean;
  /** Checks keys to be registered; noble's unless given. All verifiers agree on it. */
  readonly checkPublicKey?: Verifier['checkPublicKey'];
};

/** What admission found out: whose transaction it is, and the key its signature must hold under. */
export type CheckedTransaction = {
  readonly member: string;
  /** The device of the signing key, or the one a gateway attests for; the part after the slash. */
  readonly device?: string;
  readonly keyRole: KeyRole;
  /** For transactions with readings. */
  readonly provenance?: Provenance;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
};

export interface Ledger {
  /** The first 8 bytes of the ledger hash in base64url: claim aud of every transaction. */
  readonly audience: string;
  /** What height 0 leaves behind: the whole first state, and the entries of the first two leaves. */
  genesis(): { readonly writes: Write[]; readonly leaves: [Hash, Hash] };
  /**
   * Admission: whether a transaction would be accepted in the next block, as far as the state now tells, except for its
   * signature, which the caller verifies with the key returned. Refusals that a waiting transaction may lift (`curable`
   * in errors.ts) are left to execution.
   *
   * @param moment height of the next block, and the time now
   */
  check(store: Store, transaction: Transaction, moment: Moment): Result<CheckedTransaction, CairnError>;
  /** As `check`, for many transactions between two blocks: records are read and decoded once. */
  openChecks(store: Store, moment: Moment): (transaction: Transaction) => Result<CheckedTransaction, CairnError>;
  /** Executes a finalized block on the state its parent left. */
  execute(store: Store, block: LedgerBlock): Execution;
}

export function createLedger({
  genesis,
  verify,
  checkPublicKey = nobleVerifier.checkPublicKey,
}: LedgerOptions): Ledger {
  const leaves = genesisEntries(genesis);
  const audience = audienceOf(leaves[0]);
  const openChecks: Ledger['openChecks'] = (store, moment) => {
    const state = createWorkingState(store);
    return (transaction) => {
      const checked = checkTransaction(state, transaction, moment, { audience, checkPublicKey });
      if (!checked.ok) return checked;
      const { key, source } = checked.value;
      const device = source?.device ?? key.device;
      return ok({
        member: key.member,
        ...(device !== null && { device }),
        keyRole: key.role,
        ...(source !== null && { provenance: source.provenance }),
        algorithm: key.algorithm,
        publicKey: key.publicKey,
      });
    };
  };
  return {
    audience,
    genesis: () => ({ writes: genesisWrites(genesis), leaves }),
    check: (store, transaction, moment) => openChecks(store, moment)(transaction),
    openChecks,
    execute: (store, block) => executeBlock(store, block, { audience, verify, checkPublicKey }),
  };
}
