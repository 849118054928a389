/**
 * What a gateway needs of the ledger: hand in transactions, and learn what became of them. The port of a node's edge
 * (`EdgePort`) fits as it is; `client-ledger.ts` makes one out of a client of HTTP nodes.
 */

import type { CairnError, Result } from '@cairn-ledger/core';

export type LedgerPort = {
  /** One outcome per transaction, in order; safe to repeat. Rejects when no node can be reached. */
  submit(transactions: readonly Uint8Array[]): Promise<readonly SubmitOutcome[]>;
  /** Resolves once the transaction is rejected or certified; at the time-out or the signal with what is known then. */
  waitFor(id: Uint8Array, timeoutMs: number, signal: AbortSignal): Promise<TransactionVerdict | null>;
  /** The receipt bundle of a certified transaction. */
  receipt(id: Uint8Array): Promise<Result<Uint8Array, CairnError>>;
  /**
   * The highest counter the ledger has seen of a key, null when none. Asked once, when an outbox does not know the key
   * (a new gateway, or one whose disk was replaced); without it counting starts at the present time.
   */
  highestCounter?(kid: Uint8Array): Promise<bigint | null>;
};

export type SubmitOutcome =
  | { readonly type: 'accepted'; readonly id: Uint8Array }
  | { readonly type: 'known'; readonly id: Uint8Array }
  | { readonly type: 'rejected'; readonly id?: Uint8Array | undefined; readonly error: CairnError }
  | { readonly type: 'busy'; readonly error: CairnError; readonly retryAfterMs: number };

export type TransactionVerdict = {
  readonly status: 'pending' | 'accepted' | 'rejected';
  readonly certified: boolean;
  readonly code: string | null;
  readonly message: string | null;
  readonly height: number | null;
  readonly position: number | null;
  readonly leafIndex: number | null;
  readonly provenance: 'device-signed' | 'gateway-attested' | null;
};
