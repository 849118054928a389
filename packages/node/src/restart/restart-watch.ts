/**
 * What a running node does about epochs that the members have ended (protocol.md section 6, "Restart"). In such an epoch it signs
 * nothing any more. It goes on following as far as the document says; there this life ends, and the next one begins in the epoch
 * that the document begins. A node that was given no document, and whose peers have gone on, says so.
 */
import type { CairnError } from '@cairn-ledger/core';
import type { SigningMark } from '../driver/signing-mark.ts';
import type { Log } from '../logging.ts';
import type { Restarts } from './restart-files.ts';

export type RestartWatch = {
  /** The present epoch, at the start and each time one begins. */
  onEpoch(epoch: number): void;
  /** Whether a finalized block may be executed: above the height that the members named none may, and one ends this life. */
  admits(height: number): boolean;
  onExecuted(height: number, finalizedHeight: number): void;
  /** A peer has spoken of a later epoch. Milliseconds, ascending. */
  onLaterEpoch(peer: string, epoch: number, nowMs: number): void;
};

export type RestartWatchParts = {
  readonly restarts: Restarts;
  readonly log: Log;
  readonly fence: () => void;
  readonly end: (error: CairnError) => void;
};

/** A node follows into the next epoch within moments, so one that is told of it for so long lacks what leads there. */
const laterEpochMs = 30_000;

export function createRestartWatch({ restarts, log, fence, end }: RestartWatchParts): RestartWatch {
  let present = 0;
  let toldSinceMs: number | null = null;

  function lastHeight(): number | null {
    const header = restarts.get(present)?.restart.block.header;
    return header === undefined ? null : header.height - 1;
  }

  function refuse(height: number): void {
    const message = `block ${height} of epoch ${present} is final here, and the restart document ends the epoch below it`;
    end({ code: 'restart.finalized-above', message });
  }

  return {
    onEpoch(epoch) {
      present = epoch;
      toldSinceMs = null;
      const height = lastHeight();
      if (height === null) return;
      log.warn('restart.waiting', { epoch, height });
      fence();
    },
    admits(height) {
      const last = lastHeight();
      if (last === null || height <= last) return true;
      refuse(height);
      return false;
    },
    onExecuted(height, finalizedHeight) {
      if (height !== lastHeight()) return;
      if (finalizedHeight > height) return refuse(finalizedHeight);
      end({ code: 'restart.due', message: `epoch ${present} ends here, as the members have decided` });
    },
    onLaterEpoch(peer, epoch, nowMs) {
      toldSinceMs ??= nowMs;
      if (nowMs - toldSinceMs < laterEpochMs) return;
      toldSinceMs = nowMs;
      log.warn('epoch.later', { epoch: present, peer, peerEpoch: epoch });
    },
  };
}

/**
 * The mark beside the keys for an epoch in which it knows of nothing yet, and which the members have begun: what was signed in the
 * epochs before is over, also where it was more than the chain holds that goes on. Null where the mark stays.
 *
 * @param isUnknown nothing is known of what was signed before, and it was not noted that the record is lost
 */
export function markAfterRestart(
  { epoch, genesis }: { readonly epoch: number; readonly genesis: { readonly height: number } },
  restarts: Restarts,
  mark: SigningMark,
  isUnknown: boolean,
): SigningMark | null {
  const header = restarts.get(epoch - 1)?.restart.block.header;
  if (header === undefined || header.height !== genesis.height || mark.epoch >= epoch || isUnknown) return null;
  return { epoch, view: 0, seq: 0, checkpointHeight: header.height };
}
