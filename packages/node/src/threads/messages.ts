/**
 * What the threads of one node say to each other (architecture.md, "Threads of one node process"). Messages are plain
 * data; byte arrays are moved, not copied, where the sender has no more use for them.
 *
 *     main (agreement) --> ledger: execute, keep certified checkpoints, answer peers from storage
 *     main (agreement) --> verification: device signatures of a batch
 *     edge <--> main (agreement): submitted transactions and whether they are safe; status
 *     ledger --> edge: what was executed and certified
 *     past <--> main (agreement): what is asked of peers, and their answers, while the chain lacks its past
 */
import type { CairnError, EpochTarget, Hash, LeaderHint, ProvenFault } from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import type { HostPort, LogLevel, NodeConfig } from '../config/node-config.ts';
import type { NodeStatus } from '../http/edge-port.ts';
import type { Roster } from '../membership/roster.ts';
import type { MetricSamples } from '../metrics.ts';
import type { RoundRecords } from '../recertify/round-records.ts';
import type { Restarts } from '../restart/restart-files.ts';
import type { StoredEpoch } from '../storage/epoch-table.ts';

/** One byte for each transaction of a batch. */
export const verdict = { unknownKey: 0, valid: 1, invalid: 2 } as const;

// --- ledger thread ----------------------------------------------------------------------------------------------------

export type LedgerSettings = {
  readonly dataDir: string;
  readonly genesis: Uint8Array;
  readonly self: { readonly id: string; readonly linkKey: Uint8Array };
  /** Written by the ledger thread, see storage/state-hashes.ts. */
  readonly stateHashes: SharedArrayBuffer;
  /** By the epoch that each ends. */
  readonly restarts: Restarts;
  readonly rounds: RoundRecords;
};

export type ToLedger =
  /** A batch is held durably. `checks`: its device signatures are to be checked in this thread. */
  | { readonly type: 'prepare'; readonly batch: Uint8Array; readonly checks: boolean }
  /** A batch that was prepared is not going to be executed soon. */
  | { readonly type: 'forget'; readonly digest: Uint8Array }
  | {
      readonly type: 'execute';
      readonly block: Uint8Array;
      /** View of the finalization, 0 where only a descendant has one. */
      readonly view: number;
      readonly finalization: Uint8Array | null;
      /** Batches that were not prepared, by place in the block; null for those that were. */
      readonly batches: readonly (Uint8Array | null)[];
      /** Verdicts of verification threads, by place in the block; null where this thread checks. */
      readonly verdicts: readonly (Uint8Array | null)[];
      readonly misbehaviour: readonly ProvenFault[];
    }
  | {
      readonly type: 'keep-certified';
      readonly height: number;
      readonly round: number;
      readonly signatures: Uint8Array;
    }
  /** A peer's answer to `request-epochs`, encoded: what is still lacking of it is kept, once it verifies. */
  | { readonly type: 'keep-epochs'; readonly answer: Uint8Array }
  | { readonly type: 'serve'; readonly request: Uint8Array; readonly number: number }
  | { readonly type: 'stop' };

export type StoredOutcome = {
  readonly statement: Uint8Array;
  readonly timeMs: number;
  readonly target: EpochTarget;
};

/** Where the chain stands, for a replica that starts in the epoch of the block above the tip. */
export type StoredOrigin = {
  readonly epoch: StoredEpoch;
  /** The epoch before; null in the first one. */
  readonly previous: {
    readonly epoch: StoredEpoch;
    /** Highest number listed of each author in it, by index; 0 for none. */
    readonly floors: readonly number[];
    /** Whether a quorum's signatures of its boundary's checkpoint are kept. */
    readonly isCertified: boolean;
  } | null;
  /** Of the last executed block, the tip. */
  readonly digest: Uint8Array;
  readonly height: number;
  readonly timeMs: number;
  /** Of the epoch, by index of the author. */
  readonly floors: readonly { readonly seq: number; readonly digest: Uint8Array | null }[];
  /** Of the highest block of the epoch that has one of its own. */
  readonly finalization: Uint8Array | null;
  readonly outcomes: readonly StoredOutcome[];
  readonly certifiedHeight: number;
  /** Where the chain begins, if it was founded on a certified state; else 0. */
  readonly foundedHeight: number;
  /** Ids of validators. */
  readonly accused: readonly string[];
  readonly suspended: readonly string[];
};

export type FromLedger =
  | { readonly type: 'ready'; readonly origin: StoredOrigin; readonly roster: Roster }
  /** Before the `executed` of the block that has changed it. */
  | { readonly type: 'roster'; readonly roster: Roster }
  | {
      readonly type: 'executed';
      readonly outcome: StoredOutcome;
      readonly leaderHints: readonly LeaderHint[];
    }
  | { readonly type: 'served'; readonly number: number; readonly answer: Uint8Array | null }
  | {
      readonly type: 'metrics';
      readonly samples: MetricSamples;
      /** The first epoch of whose end no proof is kept; null where all are. */
      readonly openEpoch: number | null;
      /** Device signatures checked in this thread. */
      readonly checks: { readonly checked: number; readonly invalid: number };
    }
  /** What is on disk is not what was written. Once. */
  | { readonly type: 'damaged'; readonly finding: Finding }
  | { readonly type: 'failed'; readonly error: CairnError }
  | { readonly type: 'stopped' };

/** News for the edge thread, straight from the ledger thread. */
export type LedgerNews =
  | {
      readonly type: 'executed';
      readonly height: number;
      readonly timeMs: number;
      /** Of the finalization of its own; 0 where it has none. */
      readonly view: number;
      /** Digests of the block and of the own checkpoint statement. */
      readonly block: Hash;
      readonly checkpoint: Hash;
      /** Ids of all transactions of the block, 32 bytes each, in order. */
      readonly ids: Uint8Array;
    }
  | { readonly type: 'certified'; readonly height: number };

// --- verification threads ---------------------------------------------------------------------------------------------

export type VerificationSettings = { readonly chainPath: string; readonly stateHashes: SharedArrayBuffer };

export type ToVerification =
  | { readonly type: 'verify'; readonly number: number; readonly batch: Uint8Array }
  | { readonly type: 'stop' };
export type FromVerification = { readonly type: 'verified'; readonly number: number; readonly verdicts: Uint8Array };

// --- thread that collects the past of a founded chain ------------------------------------------------------------------

export type PastSettings = {
  /** Of chain.db. */
  readonly path: string;
  readonly genesis: Uint8Array;
  /** By the epoch that each ends. */
  readonly restarts: Restarts;
};

export type ToPast =
  /** Who is linked from now on. */
  | { readonly type: 'peers'; readonly ids: readonly string[] }
  /** Null: none came. */
  | { readonly type: 'answer'; readonly number: number; readonly frame: Uint8Array | null }
  | { readonly type: 'stop' };

export type FromPast =
  | { readonly type: 'ask'; readonly number: number; readonly peer: string; readonly request: Uint8Array }
  /** Nobody waits for this answer any more. */
  | { readonly type: 'abandon'; readonly number: number }
  /** All of it lies beside the chain. Once, and the last. */
  | { readonly type: 'collected'; readonly bytesFetched: number }
  /** A peer said what no honest one says. */
  | { readonly type: 'refused'; readonly peer: string; readonly what: string }
  /** It goes on by itself, a little later. */
  | { readonly type: 'problem'; readonly error: CairnError };

// --- edge thread ------------------------------------------------------------------------------------------------------

export type EdgeSettings = {
  readonly dataDir: string;
  readonly genesis: Uint8Array;
  readonly stateHashes: SharedArrayBuffer;
  readonly validatorId: string;
  readonly logLevel: LogLevel;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly tls?: { readonly certPath: string; readonly keyPath: string };
    readonly tokensPath?: string;
  };
  readonly mqtt?: NonNullable<NodeConfig['mqtt']>;
  readonly keysDir: string;
  /** By the epoch that each ends. */
  readonly restarts: Restarts;
  /** Where peers reach this node, and addresses that take the place of those on the ledger. */
  readonly listen: HostPort;
  readonly peers: Readonly<Record<string, readonly string[]>>;
  readonly status: NodeStatus;
};

/** What became of transactions handed over: durable in a sealed batch, no room, or why none are taken. */
export type HandedOver = 'safe' | 'busy' | CairnError;

export type ToEdge =
  | { readonly type: 'status'; readonly status: NodeStatus }
  /** Handed over by a peer. */
  | { readonly type: 'admit'; readonly transactions: readonly Uint8Array[] }
  | { readonly type: 'submitted'; readonly number: number; readonly outcome: HandedOver }
  | { readonly type: 'metrics'; readonly number: number; readonly samples: readonly MetricSamples[] }
  /** A peer was cut off for what it sent. */
  | { readonly type: 'attack'; readonly peer: string; readonly code: string; readonly backoffMs: number }
  /** What became of a `fence` or `unfence`: null when it was done. */
  | { readonly type: 'operated'; readonly number: number; readonly error: CairnError | null }
  | { readonly type: 'stop' };

export type FromEdge =
  | { readonly type: 'listening'; readonly port: number; readonly url: string }
  /** Admitted transactions, one after the other in `bytes`; answered once they are durable in a sealed batch. */
  | { readonly type: 'submit'; readonly number: number; readonly bytes: Uint8Array; readonly lengths: Uint32Array }
  | { readonly type: 'metrics'; readonly number: number }
  /** The operator takes this node out, or takes that back; answered once it holds. */
  | { readonly type: 'fence'; readonly number: number; readonly reason: string }
  | { readonly type: 'unfence'; readonly number: number }
  /** What was to be read is not what was written; nothing of it was answered. */
  | { readonly type: 'damaged'; readonly finding: Finding }
  | { readonly type: 'failed'; readonly error: CairnError }
  | { readonly type: 'stopped' };
