/**
 * Exactly once: no transaction that honest authors seal stands twice in one epoch of a node's chain, unless it was handed over; no batch
 * at all is listed twice; and heights follow each other. What is the same for all nodes the agreement checker tells. Read from the
 * disks at the end, whatever was told on the way.
 */
import { type Batch, toHex } from '@cairn-ledger/core';
import type { Violations } from '../checkers.ts';
import { namesIn } from '../submitter.ts';
import type { VirtualNode } from '../virtual-node.ts';

export type OnceRules = {
  /** Transactions that several nodes may seal: they were handed over. */
  readonly mayRepeat: (name: string) => boolean;
  /** Whoever is Byzantine may seal anything as often as it likes: the ledger refuses what it has seen. */
  readonly isByzantine: (epoch: number, author: number) => boolean;
};

const anyAuthor: OnceRules = { mayRepeat: () => false, isByzantine: () => false };

export function checkExecutedOnce(
  nodes: readonly VirtualNode[],
  violations: Violations,
  rules: OnceRules = anyAuthor,
): void {
  for (const { place, disk } of nodes) {
    const placeOf = new Map<string, { readonly height: number; readonly epoch: number }>();
    disk.executed.forEach(({ block, batches }, i) => {
      const { height, epoch } = block.header;
      if (height !== i + 1) violations.add(`node ${place} keeps height ${height} in place ${i + 1}`);
      for (const name of batches.flatMap((batch) => namesOf(batch, rules))) {
        const before = placeOf.get(name);
        if (before === undefined) placeOf.set(name, { height, epoch });
        // What was not ordered when an epoch ended is sealed again by its author, and by those it was handed over to.
        else if (before.epoch === epoch && !rules.mayRepeat(name))
          violations.add(`node ${place} executed "${name}" at ${before.height} and at ${height}`);
      }
    });
  }
}

function namesOf(batch: Batch, { isByzantine }: OnceRules): string[] {
  const itself = `batch ${toHex(batch.digest)}`;
  return isByzantine(batch.header.epoch, batch.header.author) ? [itself] : [itself, ...namesIn([batch])];
}
