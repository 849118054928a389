/**
 * What happens in a world, told to whoever watches: the readable trace, the scenarios' transcripts, the traces for the
 * model. Watching changes nothing, and costs nothing where nobody does.
 */
import type { Batch, Block, EpochSet, Fact, JournalRecord, Outcome } from '@cairn-ledger/core';

/** Nodes are named by their place in the world; peers of a link by validator index. */
export type WorldEvent =
  | { readonly type: 'started'; readonly node: number; readonly recordsCount: number }
  | { readonly type: 'crashed'; readonly node: number }
  | { readonly type: 'connected' | 'disconnected'; readonly a: number; readonly b: number }
  /** `isLost`: a fault keeps it from arriving. */
  | {
      readonly type: 'sent';
      readonly from: number;
      readonly to: number;
      readonly frame: Uint8Array;
      readonly isLost: boolean;
    }
  | { readonly type: 'received'; readonly from: number; readonly to: number; readonly frame: Uint8Array }
  /** Appended to the journal, durable with the next sync: what a node has decided, and what it now holds. */
  | { readonly type: 'recorded'; readonly node: number; readonly record: JournalRecord }
  /** The bytes under a signature of the voting key: of a vote or a batch. */
  | { readonly type: 'signed'; readonly node: number; readonly bytes: Uint8Array }
  | { readonly type: 'sealed'; readonly node: number; readonly batch: Batch }
  | { readonly type: 'executed'; readonly node: number; readonly block: Block; readonly outcome: Outcome }
  | { readonly type: 'fact'; readonly node: number; readonly fact: Fact }
  | { readonly type: 'refused'; readonly node: number; readonly peer: number; readonly text: string }
  | { readonly type: 'epoch'; readonly node: number; readonly set: EpochSet }
  | { readonly type: 'unfenced'; readonly node: number }
  | { readonly type: 'fenced' | 'failed'; readonly node: number; readonly text: string }
  | { readonly type: 'fault-begins' | 'fault-ends'; readonly fault: string };

export type Observer = (event: WorldEvent, nowMs: number) => void;
