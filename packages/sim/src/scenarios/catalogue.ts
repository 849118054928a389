/**
 * The scenarios that every ledger of this kind has met, and where each one is played. Those that need a part of Cairn that
 * is not built yet say which.
 */

export type Scenario = {
  readonly number: number;
  readonly what: string;
  /** Files with tests whose titles begin with the number, or hold the words of `titled`. */
  readonly places: readonly { readonly file: string; readonly titled?: string }[];
  /** What of it waits, and for what; null when nothing does. */
  readonly waitsFor: string | null;
};

const here = 'packages/sim/src/scenarios';
const leaders = [{ file: `${here}/leaders.test.ts` }];
const links = [{ file: `${here}/links-and-timers.test.ts` }];
const hostile = [{ file: `${here}/hostile-messages.test.ts` }];
const catching = [{ file: `${here}/catching-up.test.ts` }];
const restarts = [{ file: `${here}/restarts.test.ts` }];
const setChanges = [{ file: `${here}/set-changes.test.ts` }];

export const scenarios: readonly Scenario[] = [
  { number: 1, what: 'a leader equivocates to split its recipients', places: leaders, waitsFor: null },
  { number: 2, what: 'twins vote twice over a partition', places: links, waitsFor: null },
  {
    number: 3,
    what: "yesterday's disk, then votes",
    places: [...restarts, ...setChanges],
    waitsFor: null,
  },
  { number: 4, what: 'only one node saw a certificate before the view change', places: links, waitsFor: null },
  { number: 5, what: 'mutated messages', places: hostile, waitsFor: null },
  { number: 6, what: 'a validator index out of range', places: hostile, waitsFor: null },
  { number: 7, what: 'a bitmap length unlike its bit count', places: hostile, waitsFor: null },
  {
    number: 8,
    what: 'a part index unlike its proof',
    // Blocks travel whole. What comes in parts are pages of the chain; what has an index and a proof are Merkle paths.
    places: [
      ...catching,
      { file: 'packages/core/src/crypto/merkle.test.ts', titled: 'a proof that verifies, and at no other place' },
    ],
    waitsFor: null,
  },
  {
    number: 9,
    what: 'duplicate signers, too few signers, a certificate of an old set',
    // That of an old set is part of 18.
    places: hostile,
    waitsFor: null,
  },
  { number: 10, what: 'a sync peer claims a height, then a lower one', places: catching, waitsFor: null },
  { number: 11, what: 'one block delivered twice during catch-up', places: catching, waitsFor: null },
  { number: 12, what: 'a view change while committing', places: leaders, waitsFor: null },
  { number: 13, what: 'a fuzzed view-change message', places: hostile, waitsFor: null },
  { number: 14, what: 'an empty payload', places: leaders, waitsFor: null },
  {
    number: 15,
    what: 'a restart of n - Q or more nodes with empty disks',
    places: restarts,
    waitsFor: 'all disks empty: to begin anew takes a document signed by the members, which is not built',
  },
  { number: 16, what: 'timers that doubled to an hour after an outage', places: links, waitsFor: null },
  { number: 17, what: 'a node that can send but not receive', places: links, waitsFor: null },
  {
    number: 18,
    what: 'a set change during a view change, a quorum counted over the wrong epoch',
    places: setChanges,
    waitsFor: null,
  },
  { number: 19, what: "evidence that depends on the finder's clock", places: hostile, waitsFor: null },
  {
    number: 20,
    what: 'a parameter change that would halt the chain',
    places: [{ file: 'packages/core/src/ledger/proposals.test.ts', titled: 'scenario 20' }],
    waitsFor: null,
  },
  { number: 21, what: 'an oversized proposal', places: leaders, waitsFor: null },
  { number: 22, what: 'a rolled-back pending transaction revived by a new leader', places: leaders, waitsFor: null },
  { number: 23, what: 'a lagging node that cannot catch up under load', places: catching, waitsFor: null },
  {
    number: 24,
    what: 'a crash in the middle of compaction or snapshot',
    places: [
      ...restarts,
      { file: 'packages/node/src/journal/compaction.test.ts', titled: 'scenario 24' },
      {
        file: 'packages/node/src/storage/chain-replacement.test.ts',
        titled: 'a crash leaves the old chain while the new one is a draft',
      },
    ],
    waitsFor: null,
  },
  {
    number: 25,
    what: 'a subscriber that loses, repeats or rewinds events over a partition',
    places: [{ file: 'packages/node/src/http/events.test.ts', titled: 'scenario 25' }],
    waitsFor: null,
  },
];

/** What the simulator has found since, by the same numbers on. */
export const found: readonly Scenario[] = [
  {
    number: 26,
    what: 'a finalization that got lost on its way to one node while the others are idle',
    places: [{ file: `${here}/found.test.ts` }],
    waitsFor: null,
  },
  {
    number: 27,
    what: 'a disk that is put back to between two votes of one view',
    places: [{ file: `${here}/found.test.ts` }],
    waitsFor: null,
  },
  { number: 28, what: 'a leaver that is switched off when its epoch is over', places: setChanges, waitsFor: null },
  { number: 29, what: 'two fenced of four', places: setChanges, waitsFor: null },
  { number: 30, what: 'a node that was away for two changes of the set', places: setChanges, waitsFor: null },
  {
    number: 31,
    what: 'a restart by the members, after two of four lost their records',
    places: setChanges,
    waitsFor: null,
  },
  {
    number: 32,
    what: 'results that a bug made differ, executed again in another round',
    places: [{ file: `${here}/rounds.test.ts` }],
    waitsFor: null,
  },
];
