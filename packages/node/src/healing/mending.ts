/** What every kind of repair has in common: whom it asks, what it believes, what it tells. */
import type { Verifier } from '@cairn-ledger/core';
import type { FindingClass } from '../audit/finding.ts';
import type { KnownEpoch, SyncAnchor } from './known-epochs.ts';
import type { PartCache } from './part-cache.ts';
import type { Peers } from './peers.ts';
import type { HealingStage } from './report.ts';

export type Mending = {
  readonly anchor: SyncAnchor;
  readonly epochs: readonly KnownEpoch[];
  readonly peers: Peers;
  readonly verifier: Verifier;
  readonly cache: PartCache;
  /** What was found to be damaged; `height` null: it belongs to none. */
  readonly onDamage: (kind: FindingClass, height: number | null, what: string) => void;
  readonly onWritten: (table: string, count: number) => void;
  readonly onProgress: (stage: HealingStage, done: number, total: number | null) => void;
};
