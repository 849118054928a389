/**
 * How epochs ended, where that is still to be had: the signatures of a boundary's checkpoint prove the epoch behind it to whoever
 * comes next, and a node that was away, or went on too soon, may lack them. One peer after the other is asked, a few seconds
 * apart, while anything is open; answers that nobody asked for are dropped.
 */
import { type EpochProof, type Message, toEpoch } from '@cairn-ledger/core';

export type BoundaryAsker = {
  /** To be called now and then. Milliseconds, ascending. */
  tick(nowMs: number): void;
  onEpochs(peer: string, proofs: readonly EpochProof[]): void;
};

export type BoundaryAskerPorts = {
  /** The first epoch of whose end no proof is kept; null where all are. */
  readonly openEpoch: () => number | null;
  /** Linked ones. */
  readonly peers: () => readonly string[];
  readonly send: (peer: string, request: Message) => void;
  /** Verifies and stores what is still lacking. */
  readonly keep: (proofs: readonly EpochProof[]) => void;
};

/** Those who are in the epoch behind a boundary ask each other for its signatures already, and mostly have them by then. */
const askEveryMs = 5_000;

export function createBoundaryAsker(ports: BoundaryAskerPorts): BoundaryAsker {
  /** When the next peer is asked; null while nothing is open. */
  let dueMs: number | null = null;
  let turn = 0;
  let asked: string | null = null;
  return {
    tick(nowMs) {
      const epoch = ports.openEpoch();
      if (epoch === null) {
        dueMs = null;
        asked = null;
        return;
      }
      dueMs ??= nowMs + askEveryMs;
      const peers = ports.peers();
      if (nowMs < dueMs || peers.length === 0) return;
      dueMs = nowMs + askEveryMs;
      asked = peers[turn++ % peers.length]!;
      ports.send(asked, { type: 'request-epochs', from: toEpoch(epoch) });
    },
    onEpochs(peer, proofs) {
      if (peer !== asked) return;
      asked = null;
      if (proofs.length > 0) ports.keep(proofs);
    },
  };
}
