/** What is pending (protocol.md section 2): acknowledged here, and listed by no block on the chain looked at. */
import type { HeldBatch } from './author-chain.ts';

/** The batches pending on one chain of blocks, and when the oldest became so, in milliseconds. */
export type Pending = { readonly batches: readonly HeldBatch[]; readonly sinceMs: number | null };

export const nothingPending: Pending = { batches: [], sinceMs: null };
