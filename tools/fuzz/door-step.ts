/**
 * A step of the fuzzer at the door: a few small numbers, which say what to say, to whom, and which of the edges at hand to
 * take. Small numbers mean the plainest choice, so fast-check shrinks towards what is easy to read.
 */
import fc from 'fast-check';

export const says = [
  'notarize',
  'nullify',
  'finalize',
  'proposal',
  'proposal-in-turn',
  'certificate',
  'certificate-heard',
  'batch',
  'batch-in-turn',
  'batch-twin',
  'acknowledgement',
  'checkpoint',
  'checkpoints',
  'status',
  'request-certificates',
  'request-block',
  'request-batch',
  'request-checkpoint',
  'request-boundary',
  'request-chain',
  'block',
  'chain',
  'evidence',
  'replay',
  'mutant',
] as const;
const happenings = ['pass', 'pass', 'submit', 'cut', 'join', 'restart'] as const;

export type Step = {
  readonly does: (typeof says)[number] | (typeof happenings)[number];
  /** Which Byzantine validator, and which honest one it concerns. */
  readonly from: number;
  readonly to: number;
  /** Choices, each taken modulo what there is to choose from. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** A message may be one of many of its kind, each a little different. */
  readonly times: number;
};

/** Messages are said twelve times as often as anything else happens. */
export const anyStep: fc.Arbitrary<Step> = fc.record(
  {
    does: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...says) },
      { weight: 1, arbitrary: fc.constantFrom(...happenings) },
    ),
    from: fc.nat(3),
    to: fc.nat(9),
    a: fc.nat(255),
    b: fc.nat(255),
    c: fc.nat(65_535),
    times: fc.oneof(
      { weight: 15, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }) },
    ),
  },
  { noNullPrototype: true },
);
