/** All adversaries by name. */
import type { Adversary, AdversaryParts } from './adversary.ts';
import { createBatchEquivocator } from './batch-equivocator.ts';
import { createEquivocator } from './equivocator.ts';
import { createSilentLeader } from './silent-leader.ts';
import { createSkipper } from './skipper.ts';
import { createTeaser } from './teaser.ts';

export type AdversaryName =
  | 'batch-equivocator'
  | 'equivocator'
  | 'silent-leader'
  | 'skipper'
  | 'teaser'
  /** Two honest nodes with one key: it takes a second place in the network, and no other words. */
  | 'twin';

const makers: Readonly<Record<AdversaryName, ((parts: AdversaryParts) => Adversary) | null>> = {
  'batch-equivocator': createBatchEquivocator,
  equivocator: createEquivocator,
  'silent-leader': createSilentLeader,
  skipper: createSkipper,
  teaser: createTeaser,
  twin: null,
};

export const adversaryNames = Object.keys(makers) as readonly AdversaryName[];

/** Null for a twin, whose words are an honest node's. */
export function createAdversary(name: AdversaryName, parts: AdversaryParts): Adversary | null {
  return makers[name]?.(parts) ?? null;
}
