/** All mutants, in the protocol's order. */
import { agreementMutants } from './agreement.ts';
import { batchMutants } from './batches.ts';
import { checkpointMutants } from './checkpoints.ts';
import { epochMutants } from './epochs.ts';
import type { Mutant } from './mutant.ts';
import { recoveryMutants } from './recovery.ts';
import { timerMutants } from './timers.ts';

export const catalogue: readonly Mutant[] = [
  ...batchMutants,
  ...agreementMutants,
  ...timerMutants,
  ...recoveryMutants,
  ...checkpointMutants,
  ...epochMutants,
];
