/**
 * Bounded memory: whatever a replica holds stays below limits that follow from the protocol's constants (section 8) and
 * from how far it is from the last finalized view. Looked at now and then, so that peaks are seen.
 */

import type { Violations } from '../checkers.ts';
import type { VirtualNode } from '../virtual-node.ts';

/** Votes are taken for so many views ahead of the own one (protocol.md R8). */
const viewsAhead = 8;
/** Finalized blocks that wait, those handed to the ledger, and the last executed one. */
const finalizedBlocksMax = 256 + 128 + 8 + 2;
const unorderedBatchesMax = 64;
const batchesInBlock = 64;
const wantedMax = 512;
const pastViewsMax = 1_024 + 64;
/** Right below and above the executed height, the certified one, and far ahead of each validator. */
const checkpointHeightsNear = 32 + 32 + 3;
const checkpointHeightsFar = 8;
/** Kinds of proof. */
const proofKinds = 3;

export type Peaks = Record<string, number>;

export class MemoryChecker {
  readonly #violations: Violations;
  readonly peaks: Peaks = {};

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  look(node: VirtualNode): void {
    if (node.driver === null) return;
    const { replica } = node.driver;
    const n = node.driver.set.validators.length;
    const { view, lastFinalizedView } = replica.status();
    const viewsMax = view - lastFinalizedView + 1 + viewsAhead;
    const { wanted, checkpointHeights, pastViews } = replica.sizes();
    // Of each open view two blocks at most: what was proposed, and what was notarized instead.
    const blocksMax = 2 * viewsMax + finalizedBlocksMax;
    const held = countRecords(replica.liveRecords());
    this.#claim(node, 'views', [...replica.agreement.liveViews()].length, viewsMax);
    this.#claim(node, 'past views', pastViews, pastViewsMax);
    this.#claim(node, 'blocks', held.block ?? 0, blocksMax);
    this.#claim(node, 'batches', held.batch ?? 0, n * unorderedBatchesMax + blocksMax * batchesInBlock);
    this.#claim(node, 'proofs', held.evidence ?? 0, n * proofKinds);
    this.#claim(node, 'certificates', held.certificate ?? 0, 2 * pastViewsMax + 3 * viewsMax);
    this.#claim(node, 'wanted', wanted, wantedMax);
    this.#claim(node, 'checkpoint heights', checkpointHeights, checkpointHeightsNear + n * checkpointHeightsFar);
  }

  #claim(node: VirtualNode, what: string, count: number, countMax: number): void {
    this.peaks[what] = Math.max(this.peaks[what] ?? 0, count);
    if (count > countMax) this.#violations.add(`node ${node.place} holds ${count} ${what}, more than ${countMax}`);
  }
}

function countRecords(records: Iterable<{ readonly type: string }>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of records) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
