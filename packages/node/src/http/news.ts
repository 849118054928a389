/**
 * News that people are told besides blocks and verdicts. Those of the ledger follow from a block, so they are the same on
 * every node and kept with it; those of the node are what it alone has seen, and are forgotten when it stops.
 */

export const newsKinds = [
  'fault-proven',
  'suspended',
  'cleared',
  'attested',
  'member-added',
  'proposal-opened',
  'proposal-voted',
  'proposal-closed',
  'parameters-changed',
  'validator-admitted',
  'validator-ready',
  'ready-lapsed',
  'target-changed',
  'epoch-began',
] as const;
export type NewsKind = (typeof newsKinds)[number];

/** Plain JSON: ids and digests in hexadecimal. */
export type News = { readonly kind: NewsKind; readonly data: Readonly<Record<string, unknown>> };

export const localKinds = ['node-mode', 'attack'] as const;
export type LocalKind = (typeof localKinds)[number];

/** `node-mode`: { from, mode }. `attack`: { peer, code, backoffMs }, a peer that was cut off for what it sent. */
export type LocalNews = {
  readonly kind: LocalKind;
  readonly timeMs: number;
  readonly data: Readonly<Record<string, unknown>>;
};

export const eventKinds = ['block', 'transaction', 'status', ...newsKinds, ...localKinds] as const;
export type EventKind = (typeof eventKinds)[number];
