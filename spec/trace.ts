/** A simulator run as a Promela process that hands its steps to the model of agreement.pml, one by one. */
import type { ModelStep, ModelTrace } from '../packages/sim/src/model-trace/model-trace.ts';

/** Epoch and L of simulated worlds (packages/core/src/protocol/constants.ts). */
const epoch = 1;

export function traceToPromela({ validatorsCount, faulty, viewsMax, steps }: ModelTrace, lag: number): string {
  const leader = `((${epoch} + (v)) % ${validatorsCount})`;
  const faultsMax = faulty === null ? 0 : 1;
  const definitions = {
    TRACE: '',
    HONEST: validatorsCount - faultsMax,
    FAULTS: faultsMax,
    QUORUM: validatorsCount - Math.floor((validatorsCount - 1) / 3),
    VIEWS: viewsMax,
    checkpointLag: lag,
    'isByzantine(v)': faulty === null ? 0 : `(${leader} == ${faulty})`,
    'leaderOf(v)': faulty === null ? leader : `(${leader} - (${leader} > ${faulty}))`,
  };
  return [
    ...Object.entries(definitions).map(([name, value]) => `#define ${name} ${value}`),
    '#include "agreement.pml"',
    'active proctype world() {',
    ...steps.map(stepToPromela),
    '}',
    '',
  ].join('\n');
}

function stepToPromela({ rule, who, view, parentView, kind, height }: ModelStep): string {
  return `  steps!${[rule, who, view, parentView, kind, height].join(', ')};`;
}
