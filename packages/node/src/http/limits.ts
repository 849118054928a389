/** Everything that HTTP accepts has a limit; these are the defaults. */

export type HttpLimits = {
  /** One transaction: wire-format.md section 3. */
  readonly transactionSizeBytesMax: number;
  readonly sequenceSizeBytesMax: number;
  readonly sequenceCountMax: number;
  /** Bodies of the calls on membership. */
  readonly jsonSizeBytesMax: number;
  readonly headersSizeBytesMax: number;
  /** All headers must have arrived within this time after the first byte; it ends slow trickles. */
  readonly headersTimeoutMs: number;
  /** The whole request, likewise. */
  readonly requestTimeoutMs: number;
  /** A connection on which nothing moves. Longer than `waitMsMax`, or waiting would be cut. */
  readonly idleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
  /** Of one address, or of one /64 of IPv6. */
  readonly connectionsPerAddressMax: number;
  /** Longest `Prefer: wait`. */
  readonly waitMsMax: number;
  /** Transactions that requests may be waiting for at once; beyond it, requests are answered without waiting. */
  readonly waitersMax: number;
  readonly subscribersMax: number;
  readonly subscribersPerClientMax: number;
  /** Of one client, by token or address: steady rate, and how much of it may come at once. */
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  /** Wrong tokens of one address. */
  readonly failuresPerSecond: number;
  readonly failuresBurst: number;
  readonly pageSizeMax: number;
};

export const defaultLimits: HttpLimits = {
  transactionSizeBytesMax: 65_535,
  sequenceSizeBytesMax: 1_048_576,
  sequenceCountMax: 1_000,
  jsonSizeBytesMax: 16_384,
  headersSizeBytesMax: 16_384,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 30_000,
  connectionsMax: 1_024,
  connectionsPerAddressMax: 256,
  waitMsMax: 30_000,
  waitersMax: 20_000,
  subscribersMax: 64,
  subscribersPerClientMax: 16,
  requestsPerSecond: 10_000,
  requestsBurst: 20_000,
  failuresPerSecond: 2,
  failuresBurst: 20,
  pageSizeMax: 10_000,
};
