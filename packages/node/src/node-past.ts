/**
 * A life whose chain was founded on a certified state: once the node keeps up with the others it collects what was before, and when all of
 * that lies beside the chain this life ends, so that the two become one (`adoptPast`). The next one begins at once.
 */
import { join } from 'node:path';
import type { CairnError, Channel, Message } from '@cairn-ledger/core';
import type { NodeConfig } from './config/node-config.ts';
import { repairView } from './healing/repair-view.ts';
import type { Log } from './logging.ts';
import type { HealingFacts } from './node-healing.ts';
import { removeDatabase } from './storage/chain-replacement.ts';
import { mergePast, pastPathOf } from './storage/past-merge.ts';
import type { PastSettings } from './threads/messages.ts';
import { createPastCollector, type PastCollector } from './threads/past-collector.ts';

export type PastParts = {
  /** Of the chain; 0 where it has everything. */
  readonly foundedHeight: number;
  readonly settings: PastSettings;
  readonly send: (peer: string, channel: Channel, frame: Uint8Array) => boolean;
  /** Linked ones. */
  readonly peers: () => readonly string[];
  readonly log: Log;
  /** Not before this moment, in milliseconds, ascending. */
  readonly dueMs: number;
  /** Ends the life. */
  readonly end: (error: CairnError) => void;
};

export type Past = {
  /** To be called now and then, as long as the node keeps up. */
  tick(nowMs: number): void;
  onConnected(peer: string): void;
  onDisconnected(peer: string): void;
  takesAnswer(peer: string, message: Message): boolean;
  stop(): Promise<void>;
};

/** After the thread has died, as for want of memory. */
const lostPauseMs = 300_000;

export function createPast({ foundedHeight, settings, send, peers, log, dueMs: firstDueMs, end }: PastParts): Past {
  let collector: PastCollector | null = null;
  let dueMs = firstDueMs;
  let isStopped = false;
  // What a crash may have left behind, once it was part of the chain.
  if (foundedHeight === 0) removeDatabase(pastPathOf(settings.path));

  function begin(): PastCollector {
    const startedMs = performance.now();
    log.info('past.collecting', { belowHeight: foundedHeight });
    return createPastCollector({
      settings,
      send,
      linked: peers(),
      onCollected(bytesFetched) {
        if (isStopped) return;
        log.info('past.collected', { bytesFetched, ms: Math.round(performance.now() - startedMs) });
        end({ code: 'past.collected', message: `everything below height ${foundedHeight} is here` });
      },
      onRefused: (peer, what) => log.warn('repair.refused', { peer, what }),
      onLost() {
        collector = null;
        dueMs = performance.now() + lostPauseMs;
      },
      onProblem: ({ code, message }) => log.warn('past.problem', { code, message }),
    });
  }

  return {
    tick(nowMs) {
      if (foundedHeight > 0 && !isStopped && nowMs >= dueMs) collector ??= begin();
    },
    onConnected: (peer) => collector?.onConnected(peer),
    onDisconnected: (peer) => collector?.onDisconnected(peer),
    takesAnswer: (peer, message) => collector?.takesAnswer(peer, message) ?? false,
    async stop() {
      isStopped = true;
      await collector?.stop();
    },
  };
}

/**
 * Between two lives: what was collected becomes part of the chain. Where that cannot be, as on a full disk, the chain stays as it is, and
 * what was collected is dropped.
 *
 * @returns whether it could
 */
export function adoptPast({ dataDir }: NodeConfig, facts: HealingFacts, log: Log): boolean {
  const startedMs = performance.now();
  const path = join(dataDir, 'chain.db');
  // First: one that begins later than its chain would leave out what was before, and nothing would tell.
  repairView(join(dataDir, 'view.db'));
  const merged = mergePast(path);
  removeDatabase(pastPathOf(path));
  const tookMs = performance.now() - startedMs;
  if (!merged.ok) {
    log.warn('past.refused', { code: merged.error.code, message: merged.error.message });
    return false;
  }
  facts.onRepaired('past-adopted', 0, tookMs);
  log.info('past.adopted', { upToHeight: merged.value, ms: Math.round(tookMs) });
  return true;
}
