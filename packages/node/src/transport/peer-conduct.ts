/**
 * What follows when messages of a peer are refused (protocol.md section 6, level 0): each is counted by its code, the first
 * ones are logged, and a peer that goes on is disconnected, for longer each time.
 *
 * An honest peer sends nothing that is refused, but one of a newer version may say things that are not understood here:
 * that much is borne for ever. No more is decided here than with whom to talk; exclusion is for the ledger.
 */
import type { CairnError } from '@cairn-ledger/core';
import { createRateLimit } from '../http/rate-limit.ts';
import type { PeerId } from './transport.ts';

export type ConductLimits = {
  /** Refused messages that are borne: a steady rate, and as many at once. */
  readonly refusalsPerSecond: number;
  readonly refusalsBurst: number;
  readonly backoffMsFirst: number;
  readonly backoffMsMax: number;
  /** After so long without being disconnected a peer begins anew. */
  readonly forgottenAfterMs: number;
  /** Refusals of one peer that are logged: a log must not fill the disk. */
  readonly linesPerSecond: number;
  readonly linesBurst: number;
};

export const CONDUCT_LIMITS: ConductLimits = {
  refusalsPerSecond: 2,
  refusalsBurst: 200,
  backoffMsFirst: 1_000,
  backoffMsMax: 60_000,
  forgottenAfterMs: 600_000,
  linesPerSecond: 0.1,
  linesBurst: 20,
};

export type ConductPorts = {
  readonly disconnect: (peer: PeerId, reason: string, backoffMs: number) => void;
  /** @param unlogged refusals of this peer since the last one that was logged */
  readonly onLogged: (peer: PeerId, error: CairnError, unlogged: number) => void;
  readonly onDisconnected: (peer: PeerId, error: CairnError, backoffMs: number) => void;
};

export type PeerConduct = {
  /** @param nowMs of a clock that never goes back */
  onRefused(peer: PeerId, error: CairnError, nowMs: number): void;
};

type Record = { unlogged: number; backoffMs: number; disconnectedMs: number };

export function createPeerConduct(ports: ConductPorts, limits: ConductLimits = CONDUCT_LIMITS): PeerConduct {
  const refusals = createRateLimit(limits.refusalsPerSecond, limits.refusalsBurst);
  const lines = createRateLimit(limits.linesPerSecond, limits.linesBurst);
  const records = new Map<PeerId, Record>();

  function backOff(record: Record, nowMs: number): number {
    const isForgotten = nowMs - record.disconnectedMs >= limits.forgottenAfterMs;
    record.backoffMs =
      record.backoffMs === 0 || isForgotten
        ? limits.backoffMsFirst
        : Math.min(limits.backoffMsMax, record.backoffMs * 2);
    record.disconnectedMs = nowMs;
    return record.backoffMs;
  }

  return {
    onRefused(peer, error, nowMs) {
      const record = records.get(peer) ?? { unlogged: 0, backoffMs: 0, disconnectedMs: nowMs };
      records.set(peer, record);
      if (lines.take(peer, nowMs) === 0) {
        ports.onLogged(peer, error, record.unlogged);
        record.unlogged = 0;
      } else {
        record.unlogged++;
      }
      if (refusals.take(peer, nowMs) === 0) return;
      const backoffMs = backOff(record, nowMs);
      ports.disconnect(peer, error.code, backoffMs);
      ports.onDisconnected(peer, error, backoffMs);
    },
  };
}
