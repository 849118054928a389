/** What is checked of agreement.pml: bounds that hold, and rules without which they do not. */
import type { Definitions } from './spin.ts';

export type Check = { readonly name: string; readonly definitions: Definitions };
export type Mutant = { readonly rule: string; readonly definitions: Definitions; readonly finding: string };

/** The Byzantine one of four leads every fourth view: which ones, as bits. */
const rotations = [1, 2, 3, 4].map((first) => ({ first, views: (1 << first) | (1 << (first + 4)) }));

function ofRotation(first: number): Definitions {
  return { BYZANTINE_VIEWS: rotations.find((each) => each.first === first)!.views };
}

/** In every run of the tests: within a minute. */
export const quickChecks: readonly Check[] = [
  ...rotations.map(({ first, views }) => ({
    name: `2 views, and the calm run after them, the Byzantine one leads view ${first}`,
    definitions: { VIEWS: 2, CALM: true as const, BYZANTINE_VIEWS: views },
  })),
  {
    name: '2 views, and the calm run after them, the Byzantine one leads both',
    definitions: { VIEWS: 2, CALM: true, BYZANTINE_VIEWS: 0b110 },
  },
  { name: '3 views, the Byzantine one leads view 1', definitions: { VIEWS: 3, ...ofRotation(1) } },
];

/** `npm run model`: the full bound. */
export const fullChecks: readonly Check[] = [
  ...quickChecks,
  ...[2, 3, 4].map((first) => ({
    name: `3 views, the Byzantine one leads view ${first}`,
    definitions: { VIEWS: 3, ...ofRotation(first) },
  })),
  ...rotations.map(({ first, views }) => ({
    name: `3 views, and the calm run after them, the Byzantine one leads view ${first}`,
    definitions: { VIEWS: 3, CALM: true as const, BYZANTINE_VIEWS: views },
  })),
  {
    name: '3 views, L = 2, and the calm run, the Byzantine one leads view 1',
    definitions: { VIEWS: 3, CALM: true, checkpointLag: 2, ...ofRotation(1) },
  },
  { name: '3 views, the Byzantine one leads all of them', definitions: { VIEWS: 3, BYZANTINE_VIEWS: 0b1110 } },
  {
    name: 'n = 5, f = 1, Q = 4: 2 views, the Byzantine one leads both',
    definitions: { VIEWS: 2, HONEST: 4, QUORUM: 4, BYZANTINE_VIEWS: 0b110 },
  },
];

const onlyForks = { PROPERTY: 4 };

/** Rules of docs/protocol.md section 10, each removed, and the assertion that breaks then. */
export const mutants: readonly Mutant[] = [
  {
    rule: 'a nullification for every view between (R3)',
    definitions: { VIEWS: 3, WITHOUT_GAP_CHECK: true, ...onlyForks, ...ofRotation(1) },
    finding: 'finalizedAreOnOneChain',
  },
  {
    rule: 'no finalize after nullify (R6)',
    definitions: { VIEWS: 3, WITHOUT_NULLIFY_FORBIDS_FINALIZE: true, ...onlyForks, ...ofRotation(1) },
    finding: 'finalizedAreOnOneChain',
  },
  {
    rule: 'no finalize after nullify (R6), as a proof of fault',
    definitions: { VIEWS: 2, WITHOUT_NULLIFY_FORBIDS_FINALIZE: true, PROPERTY: 1 },
    finding: 'honestIsNotProvenFaulty',
  },
  {
    rule: 'no nullify after the own finalize (R5)',
    definitions: { VIEWS: 2, WITHOUT_FINALIZE_FORBIDS_NULLIFY: true, PROPERTY: 3 },
    finding: 'finalizationExcludesNullification',
  },
  {
    rule: 'nullify persisted before it is sent',
    definitions: { VIEWS: 3, WITHOUT_NULLIFY_PERSISTED: true, ...onlyForks, ...ofRotation(1) },
    finding: 'finalizedAreOnOneChain',
  },
  {
    rule: 'Q = n - f (2f + 1 used with n = 5)',
    definitions: { VIEWS: 2, HONEST: 4, QUORUM: 3, PROPERTY: 2 },
    finding: 'oneNotarizedProposalPerView',
  },
  {
    rule: 'a held certificate stands against another Notarize (R3, R6)',
    definitions: { VIEWS: 2, WITHOUT_OWN_NOTARIZE_STANDS: true },
    finding: 'honestIsNotProvenFaulty',
  },
  {
    rule: 'the checkpoint of h - L is certified before a new block at h',
    definitions: { VIEWS: 2, WITHOUT_LAG: true },
    finding: 'staysNearTheCheckpoint',
  },
  {
    rule: 're-proposal while h - L is not certified (R2, R3)',
    definitions: { VIEWS: 2, CALM: true, WITHOUT_REPROPOSAL: true },
    finding: 'calmViewIsFinalized',
  },
  {
    rule: 'passing certificates on, R7',
    definitions: { VIEWS: 2, CALM: true, WITHOUT_PASS_ON: true },
    finding: 'calmViewIsFinalized',
  },
  {
    rule: 'certifying goes on after nullify (R4)',
    definitions: { VIEWS: 2, CALM: true, WITHOUT_KEEP_CERTIFYING: true },
    finding: 'everybodyLeavesTheView',
  },
];
