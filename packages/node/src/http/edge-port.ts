/**
 * What HTTP needs from the rest of the node: submit transactions, look things up, and be told of news. The edge thread
 * provides it over the mempool and the databases opened read-only; tests provide a fake.
 *
 * A look-up answers `null` when there is nothing under that name or number. `null` in a field means "not known yet" or
 * "does not apply". Bytes that come out here may be views into larger buffers: HTTP copies what it keeps.
 */
import type { CairnError, Result } from '@cairn-ledger/core';
import type { MembershipPort } from './membership-port.ts';
import type { LocalNews, News } from './news.ts';

export type Provenance = 'device-signed' | 'gateway-attested';

/** The answer to one submitted transaction. `retryAfterMs` is when the node expects to have room again. */
export type SubmitOutcome =
  | { readonly type: 'accepted'; readonly id: Uint8Array }
  | { readonly type: 'known'; readonly id: Uint8Array }
  | { readonly type: 'rejected'; readonly id?: Uint8Array | undefined; readonly error: CairnError }
  | { readonly type: 'busy'; readonly error: CairnError; readonly retryAfterMs: number };

export type TransactionStatus = {
  readonly id: Uint8Array;
  /** `pending` until its block is executed. */
  readonly status: 'pending' | 'accepted' | 'rejected';
  /** Why it was rejected: a code of the catalogue. */
  readonly code: string | null;
  readonly message: string | null;
  readonly height: number | null;
  /** Place among the transactions of its block, 0-based. */
  readonly position: number | null;
  /** Place in the history tree, 0-based; only accepted transactions have one. */
  readonly leafIndex: number | null;
  /** The checkpoint of its height holds a quorum of signatures here, so that a receipt can be given. */
  readonly certified: boolean;
  readonly provenance: Provenance | null;
  /** The transaction exactly as ordered. */
  readonly bytes: Uint8Array | null;
};

export type BlockTransaction = {
  readonly id: Uint8Array;
  /** `ok`, or why it was rejected. */
  readonly code: string;
  readonly leafIndex: number | null;
};

export type BlockView = {
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly rules: number;
  readonly digest: Uint8Array;
  readonly parent: Uint8Array;
  readonly timeMs: number;
  /** Digest of the next epoch's set; null unless this is the last block of its epoch. */
  readonly nextSet: Uint8Array | null;
  readonly batches: readonly { readonly author: string; readonly seq: number; readonly digest: Uint8Array }[];
  readonly transactionCount: number;
  /** In order of position; only when asked for. */
  readonly transactions: readonly BlockTransaction[] | null;
};

export type CheckpointView = {
  readonly height: number;
  readonly epoch: number;
  readonly round: number;
  readonly historySize: number;
  readonly historyRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly validatorSet: Uint8Array;
  readonly certified: boolean;
  /** The COSE signatures held, each with the protected header that it signs (wire-format.md section 4). */
  readonly signatures: readonly {
    readonly validator: string;
    readonly protected: Uint8Array;
    readonly signature: Uint8Array;
  }[];
};

export type ValidatorView = {
  readonly id: string;
  readonly member: string;
  readonly linkKey: Uint8Array;
  readonly votingKey: Uint8Array;
  readonly checkpointKey: Uint8Array;
  readonly addresses: readonly string[];
  readonly host?: string | undefined;
  readonly operator?: string | undefined;
};

export type EpochView = {
  readonly epoch: number;
  /** The first height of the epoch; genesis counts as the start of epoch 1. */
  readonly fromHeight: number;
  /** Its last one; null of the present epoch. */
  readonly toHeight: number | null;
  /** Null where it is not known here: the epoch was over before this node's chain begins. */
  readonly rules: number | null;
  readonly validatorSet: Uint8Array;
  readonly validators: readonly string[];
  readonly quorum: number;
  /** Encoded EpochProof that it ended and who came next; null while it goes on, or the signatures are not held here. */
  readonly proof: Uint8Array | null;
};

export type PeerView = {
  readonly id: string;
  readonly connected: boolean;
  /** What the peer last said it had finalized. */
  readonly height: number | null;
  readonly roundTripMs: number | null;
};

/**
 * `repairing`: fetches from peers what is damaged or missing here. `syncing`: executes what it has missed. `observing`: follows, and
 * is no validator of this epoch. `fenced`: signs nothing, see `fenced`.
 */
export const nodeModes = ['starting', 'repairing', 'syncing', 'observing', 'active', 'fenced', 'stopping'] as const;
export type NodeMode = (typeof nodeModes)[number];

export type NodeStatus = {
  readonly ledger: { readonly name: string; readonly hash: Uint8Array };
  readonly node: { readonly id: string; readonly member: string; readonly version: string };
  readonly mode: NodeMode;
  /** Why it signs nothing: `diverged`, `damaged`, `rolled-back`, `operator`; null unless fenced. */
  readonly fencedFor: string | null;
  /** Within a few heights of the highest finalized height that a peer has proven. */
  readonly inSync: boolean;
  readonly epoch: number;
  readonly view: number;
  readonly rules: number;
  readonly finalizedHeight: number;
  readonly executedHeight: number;
  readonly certifiedHeight: number;
  /** Block time of the executed height. */
  readonly blockTimeMs: number;
  readonly historySize: number;
  readonly historyRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly transactions: number;
  readonly readings: number;
  readonly mempool: { readonly transactions: number; readonly sizeBytes: number };
  readonly validators: number;
  readonly quorum: number;
  /** Ids of validators whose views are skipped: proven faulty. */
  readonly suspended: readonly string[];
  readonly uptimeMs: number;
  readonly peers: readonly PeerView[];
};

export type AccountView = {
  readonly id: string;
  readonly balances: readonly { readonly asset: string; readonly amount: bigint; readonly decimals: number }[];
};

export type KeyView = {
  readonly kid: Uint8Array;
  readonly algorithm: string;
  readonly role: string;
  readonly publicKey: Uint8Array;
  readonly registeredHeight: number;
  readonly revokedHeight: number | null;
};

export type MemberView = { readonly id: string; readonly name: string; readonly keys: readonly KeyView[] };

export type DeviceView = {
  /** `member/device`. */
  readonly id: string;
  readonly member: string;
  readonly device: string;
  readonly keys: readonly KeyView[];
};

/** As core resolves it. A number's text is the exact decimal, in the grammar of JSON numbers: it goes out as it came in. */
export type ReadingValue =
  | { readonly type: 'number'; readonly text: string }
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  /** Only a sum was sent. */
  | { readonly type: 'none' };

export type ReadingView = {
  readonly device: string;
  readonly name: string;
  readonly unit: string | null;
  /** Whole milliseconds since 1970, rounded. */
  readonly timeMs: number;
  /** Seconds since 1970, exact. */
  readonly timeText: string;
  readonly value: ReadingValue;
  /** Exact decimal text of the SenML sum. */
  readonly sumText: string | null;
  readonly provenance: Provenance;
  readonly transaction: Uint8Array;
  readonly height: number;
};

export type Page<T> = { readonly items: readonly T[]; readonly next: string | null };
export type PageRequest = { readonly limit: number; readonly cursor: string | null };
/** Times in milliseconds since 1970: from (inclusive), to (exclusive). */
export type ReadingsRequest = PageRequest & { readonly fromMs: number | null; readonly toMs: number | null };

/** News for `/v1/events`. A block is told once it is executed; a status whenever it has changed. */
export type EdgeEvent =
  | { readonly type: 'block'; readonly height: number }
  | { readonly type: 'status'; readonly status: NodeStatus }
  | { readonly type: 'local'; readonly news: LocalNews };

export type EdgePort = MembershipPort & {
  /** One outcome per transaction, in order. The port may keep the buffers. */
  submit(transactions: readonly Uint8Array[]): Promise<readonly SubmitOutcome[]>;
  transaction(id: Uint8Array): Promise<TransactionStatus | null>;
  /** The receipt bundle. Errors: `http.not-found`, `history.not-held`, `http.not-certified`, `http.no-receipt`. */
  receipt(id: Uint8Array): Promise<Result<Uint8Array, CairnError>>;
  /** Resolves once the transaction is rejected or certified; at the time-out or the signal with what is known then. */
  waitFor(id: Uint8Array, timeoutMs: number, signal: AbortSignal): Promise<TransactionStatus | null>;
  /** The lowest height that this node has all of: 0, or above the height that its chain was founded at. */
  heldFrom(): number;
  block(height: number, withTransactions: boolean): Promise<BlockView | null>;
  /** Everything held of a height, as bytes (storage/held-height.ts); null when it is not held here. */
  heldHeight(height: number, withEdge: boolean): Promise<Uint8Array | null>;
  /** What the ledger tells of a block, in its order; null when the height is not held here. */
  news(height: number): Promise<readonly News[] | null>;
  /** The lowest height above this one that has news; of a stretch that is not held, its last. Null when there is none. */
  nextNews(height: number): Promise<number | null>;
  /** Null when the height is not executed here. */
  checkpoint(height: number): Promise<CheckpointView | null>;
  /** The highest certified one; null before the first. */
  latestCheckpoint(): Promise<CheckpointView | null>;
  /** Ascending from an epoch on; `next` is where the next page begins. */
  epochs(from: number, limit: number): Promise<{ readonly items: readonly EpochView[]; readonly next: number | null }>;
  /** How an epoch ended (`EpochView.proof`). */
  epochProof(epoch: number): Promise<Uint8Array | null>;
  /** Of the present epoch, sorted by id. */
  validators(): Promise<readonly ValidatorView[]>;
  status(): NodeStatus;
  members(): Promise<readonly MemberView[]>;
  account(id: string): Promise<AccountView | null>;
  accounts?(page: PageRequest): Promise<Result<Page<AccountView>, CairnError>>;
  device(id: string): Promise<DeviceView | null>;
  devices?(page: PageRequest): Promise<Result<Page<DeviceView>, CairnError>>;
  /** In order of time. Null when the device is unknown; `http.bad-cursor` for a cursor that is not one of its own. */
  readings(device: string, request: ReadingsRequest): Promise<Result<Page<ReadingView>, CairnError> | null>;
  genesis(): Uint8Array;
  onEvent(listener: (event: EdgeEvent) => void): () => void;
  /** Metrics of the whole node, Prometheus text. */
  metrics(): Promise<string>;
};
