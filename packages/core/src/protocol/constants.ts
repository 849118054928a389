/**
 * Constants of protocol.md section 8. Those of a network stand in its genesis; the rest are limits of every node.
 */

export type ProtocolConstants = {
  /** Bound assumed for delay, durable write, fetch and verification together, in milliseconds. */
  readonly deltaMs: number;
  /** How long an idle leader waits before it proposes an empty block, in milliseconds. */
  readonly heartbeatMs: number;
  /** How far a block's time may be ahead of the own clock, in milliseconds. */
  readonly clockDriftMs: number;
  /** L: nobody notarizes a block at h before the checkpoint of h - L is certified for it. */
  readonly checkpointLag: number;
  /** Heights for which certificates and unlisted batches are kept. */
  readonly retentionHeights: number;
};

export const defaultConstants: ProtocolConstants = {
  deltaMs: 500,
  heartbeatMs: 10_000,
  clockDriftMs: 5_000,
  checkpointLag: 4,
  retentionHeights: 10_000,
};

export const retryMs = (constants: ProtocolConstants): number => 4 * constants.deltaMs;
export const skipTimeoutMs = (constants: ProtocolConstants): number => 10 * constants.deltaMs;

/** Past views of which certificates are kept, as evidence. At 20 validators that is about 1 MiB, at most twice that. */
export const pastViewsMax = 1_024;
/** Unordered batches kept of one author. */
export const unorderedBatchesMax = 64;
export const unorderedBytesMax = 16 << 20;
/** A batch is sealed when its oldest transaction has waited this long, in milliseconds... */
export const sealAfterMs = 10;
/** ...longer, up to this, while own batches wait to be ordered... */
export const sealAfterMaxMs = 100;
/** ...or holds this many bytes... */
export const sealBytes = 256 << 10;
/** ...or this many transactions. */
export const sealTransactions = 1000;
/** Acknowledgements are coalesced when one was sent less than this long ago, in milliseconds. */
export const acknowledgeAfterMs = 20;
/** A leader lists batches in a block no sooner than this after the parent's time, in milliseconds: fuller blocks under load. */
export const proposalSpacingMs = 25;
