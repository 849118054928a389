/** All adversaries by name. */
import type { Adversary, AdversaryParts } from './adversary.ts';
import { createAmnesiac } from './amnesiac.ts';
import { createBatchEquivocator } from './batch-equivocator.ts';
import { createBender } from './bender.ts';
import { createCensor } from './censor.ts';
import { createCertificateForger } from './certificate-forger.ts';
import { createConspirator } from './conspirator.ts';
import { createEquivocator } from './equivocator.ts';
import { createFramer } from './framer.ts';
import { createLister } from './lister.ts';
import { createLyingSyncer } from './lying-syncer.ts';
import { createMutator } from './mutator.ts';
import { createResultLiar } from './result-liar.ts';
import { createSelectiveSender } from './selective-sender.ts';
import { createSilentLeader } from './silent-leader.ts';
import { createSkipper } from './skipper.ts';
import { createSlowDripper } from './slow-dripper.ts';
import { createStaleReplayer } from './stale-replayer.ts';
import { createTeaser } from './teaser.ts';
import { createWithholder } from './withholder.ts';

const makers = {
  amnesiac: createAmnesiac,
  'batch-equivocator': createBatchEquivocator,
  bender: createBender,
  censor: createCensor,
  'certificate-forger': createCertificateForger,
  conspirator: createConspirator,
  equivocator: createEquivocator,
  framer: createFramer,
  lister: createLister,
  'lying-syncer': createLyingSyncer,
  mutator: createMutator,
  'selective-sender': createSelectiveSender,
  'silent-leader': createSilentLeader,
  skipper: createSkipper,
  'slow-dripper': createSlowDripper,
  'stale-replayer': createStaleReplayer,
  teaser: createTeaser,
  /** Two honest nodes with one key: it takes a second place in the network, and no other words. */
  twin: null,
  withholder: createWithholder,
} satisfies Readonly<Record<string, ((parts: AdversaryParts) => Adversary) | null>>;

/** Of certain profiles only: more than f of them stand against each other without a fork. */
const otherMakers = { 'result-liar': createResultLiar };

export type AdversaryName = keyof typeof makers | keyof typeof otherMakers;

/** Those that worlds draw from. */
export const adversaryNames = Object.keys(makers) as readonly AdversaryName[];

/** Null for a twin, whose words are an honest node's. */
export function createAdversary(name: AdversaryName, parts: AdversaryParts): Adversary | null {
  if (name in otherMakers) return otherMakers[name as keyof typeof otherMakers](parts);
  return makers[name as keyof typeof makers]?.(parts) ?? null;
}
