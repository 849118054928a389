/**
 * Exactly once: no transaction stands twice in one epoch of a node's chain, unless it was handed over, and its heights follow each other. That equal heights
 * hold equal blocks is told by the agreement checker. Read from the disks at the end, whatever was told on the way.
 */
import type { Violations } from '../checkers.ts';
import { namesIn } from '../submitter.ts';
import type { VirtualNode } from '../virtual-node.ts';

export function checkExecutedOnce(
  nodes: readonly VirtualNode[],
  violations: Violations,
  mayRepeat: (name: string) => boolean = () => false,
): void {
  for (const { place, disk } of nodes) {
    const placeOf = new Map<string, { readonly height: number; readonly epoch: number }>();
    disk.executed.forEach(({ block, batches }, i) => {
      const { height, epoch } = block.header;
      if (height !== i + 1) violations.add(`node ${place} keeps height ${height} in place ${i + 1}`);
      for (const name of namesIn(batches)) {
        const before = placeOf.get(name);
        if (before === undefined) placeOf.set(name, { height, epoch });
        // What was not ordered when an epoch ended is sealed again by its author, and by those it was handed over to.
        else if (before.epoch === epoch && !mayRepeat(name))
          violations.add(`node ${place} executed "${name}" at ${before.height} and at ${height}`);
      }
    });
  }
}
