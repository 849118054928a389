/**
 * Exactly once: no transaction is executed twice on a node's chain, and its heights follow each other. That equal heights
 * hold equal blocks is told by the agreement checker. Read from the disks at the end, whatever was told on the way.
 */
import type { Violations } from '../checkers.ts';
import { namesIn } from '../submitter.ts';
import type { VirtualNode } from '../virtual-node.ts';

export function checkExecutedOnce(nodes: readonly VirtualNode[], violations: Violations): void {
  for (const { place, disk } of nodes) {
    const heightOf = new Map<string, number>();
    disk.executed.forEach(({ block, batches }, i) => {
      const { height } = block.header;
      if (height !== i + 1) violations.add(`node ${place} keeps height ${height} in place ${i + 1}`);
      for (const name of namesIn(batches)) {
        const before = heightOf.get(name);
        if (before === undefined) heightOf.set(name, height);
        else violations.add(`node ${place} executed "${name}" at ${before} and at ${height}`);
      }
    });
  }
}
