/** What nodes answer, as the JSON of their OpenAPI document. Digests and ids are lower-case hex, amounts decimal text. */

export type Verdict = 'pending' | 'accepted' | 'rejected';
export type Provenance = 'device-signed' | 'gateway-attested';

export type TransactionAnswer = {
  readonly id: string;
  readonly status: Verdict;
  /** A receipt can be had. */
  readonly certified: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly height?: number;
  readonly position?: number;
  readonly leafIndex?: number;
  readonly provenance?: Provenance;
  /** The transaction exactly as ordered, base64url. */
  readonly bytes?: string;
  /** Receipt bundle, base64url; only when the request waited for it. */
  readonly receipt?: string;
};

/** The outcome of one transaction of several. */
export type OutcomeAnswer = {
  readonly id?: string;
  readonly status: Verdict | 'busy';
  readonly certified?: boolean;
  readonly height?: number;
  readonly code?: string;
  readonly message?: string;
};

export type PeerAnswer = {
  readonly id: string;
  readonly connected: boolean;
  readonly height?: number;
  readonly roundTripMs?: number;
};

export type StatusAnswer = {
  readonly ledger: { readonly name: string; readonly hash: string };
  readonly node: { readonly id: string; readonly member: string; readonly version: string };
  readonly mode: 'starting' | 'repairing' | 'syncing' | 'observing' | 'active' | 'fenced' | 'stopping';
  /** Why it signs nothing, where it is fenced. */
  readonly fencedFor?: string;
  readonly inSync: boolean;
  readonly epoch: number;
  readonly view: number;
  readonly rules: number;
  readonly finalizedHeight: number;
  readonly executedHeight: number;
  readonly certifiedHeight: number;
  readonly blockTime: string;
  /** The lowest height that the node has all of; missing from nodes that do not tell. */
  readonly heldFrom?: number;
  readonly historySize: number;
  readonly historyRoot: string;
  readonly stateRoot: string;
  readonly transactions: number;
  readonly readings: number;
  readonly mempool: { readonly transactions: number; readonly sizeBytes: number };
  readonly validators: number;
  readonly quorum: number;
  /** Ids of validators whose views are skipped: proven faulty. */
  readonly suspended: readonly string[];
  readonly uptimeMs: number;
  readonly peers: readonly PeerAnswer[];
};

export type ValidatorAnswer = {
  readonly id: string;
  readonly member: string;
  readonly linkKey: string;
  readonly votingKey: string;
  readonly checkpointKey: string;
  readonly addresses: readonly string[];
  readonly host?: string;
  readonly operator?: string;
};

export type KeyAnswer = {
  readonly kid: string;
  readonly algorithm: string;
  readonly role: string;
  readonly publicKey: string;
  readonly registeredHeight: number;
  readonly revokedHeight?: number;
};

export type DeviceAnswer = {
  readonly id: string;
  readonly member: string;
  readonly device: string;
  readonly keys: readonly KeyAnswer[];
};
export type MemberAnswer = { readonly id: string; readonly name: string; readonly keys: readonly KeyAnswer[] };

export type AccountAnswer = {
  readonly id: string;
  readonly balances: readonly { readonly asset: string; readonly amount: string; readonly decimals: number }[];
};

export type ReadingAnswer = {
  readonly device: string;
  readonly name: string;
  readonly unit: string | null;
  /** Rounded down to milliseconds. */
  readonly time: string;
  /** Seconds since 1970, exact. */
  readonly seconds: string;
  /** A number as its exact text. */
  readonly value: { readonly type: 'number'; readonly text: string } | string | boolean | null;
  /** A data value, base64url; `value` is null then. */
  readonly data?: string;
  readonly provenance: Provenance;
  readonly transaction: string;
  readonly height: number;
};

export type ReadingsPage = {
  readonly readings: readonly ReadingAnswer[];
  readonly next: string | null;
  /**
   * The lowest height that the node has all of: readings in lower blocks are missing from this page. 0: nothing is missing, or
   * the node is of a release that does not tell.
   */
  readonly heldFrom: number;
};
