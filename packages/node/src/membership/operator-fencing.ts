/** The operator takes the node out, and back: noted on the disk before it takes effect, so that it lasts over restarts. */
import type { CairnError } from '@cairn-ledger/core';
import type { Driver } from '../driver/driver.ts';
import { liftOperatorFence, noteOperatorFence, operatorFenceReason } from './operator-fence.ts';

export type OperatorFencingParts = {
  readonly dataDir: string;
  readonly driver: Driver;
  /** Why the operator can change nothing at present; null when he can. */
  readonly refusal: () => CairnError | null;
  /** Writes, or says why not. */
  readonly onDisk: (write: () => void) => CairnError | null;
  readonly onLifted: () => void;
};

export type OperatorFencing = {
  fence(reason: string): CairnError | null;
  /** Error: `node.not-liftable`, for a fence that is not the operator's. */
  unfence(): CairnError | null;
};

export function createOperatorFencing(parts: OperatorFencingParts): OperatorFencing {
  const { dataDir, driver, refusal, onDisk, onLifted } = parts;
  return {
    fence(reason) {
      const error = refusal() ?? onDisk(() => noteOperatorFence(dataDir, reason));
      if (error === null) driver.fence('operator');
      return error;
    },
    unfence() {
      if (refusal() !== null || driver.fencedFor === null) return refusal();
      if (operatorFenceReason(dataDir) === null)
        return { code: 'node.not-liftable', message: `the node is fenced because it is ${driver.fencedFor}` };
      const error = onDisk(() => liftOperatorFence(dataDir));
      if (error !== null) return error;
      onLifted();
      driver.unfence('operator');
      return null;
    },
  };
}
