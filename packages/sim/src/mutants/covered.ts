/**
 * Rules that others cover in this code: without one of them no world breaks a promise or stands still, so these mutants are
 * not among those that must be found. `npm run sim:mutants -- --covered` runs their worlds; one that is found there is a
 * rule that nothing covers any more, and belongs into the catalogue.
 */
import type { Mutant } from './mutant.ts';

export type CoveredMutant = Mutant & {
  /** What makes up for the rule. */
  readonly coveredBy: string;
};

const agreement = 'packages/core/src/protocol/agreement/agreement.ts';
const viewState = 'packages/core/src/protocol/agreement/view-state.ts';
const passOn = 'packages/core/src/protocol/agreement/pass-on.ts';
const replica = 'packages/core/src/protocol/replica.ts';
const checkpoints = 'packages/core/src/protocol/checkpoints/checkpoints.ts';

export const covered: readonly CoveredMutant[] = [
  {
    name: 'later-notarize-stands-against-certificate',
    rule: "R3: a held certificate stands against the leader's later Notarize",
    coveredBy:
      'R6 finalizes no view in which this node notarized something else (`finalize-another-than-notarized` is found)',
    edits: [
      {
        file: viewState,
        find: 'if (state.proposal === null) {',
        replace: 'if (state.proposal === null || (state.leaderVote === signed && state.own.notarize === null)) {',
      },
    ],
    profile: 'equivocators',
    nodes: [4],
  },
  {
    name: 'certificates-not-passed-on',
    rule: 'R4, R5, R6: a certificate is broadcast once',
    coveredBy: 'votes reach everybody, and who is behind is helped (R7, Status)',
    edits: [
      {
        file: passOn,
        find: 'this.#send(lacking, certificate);\n    const isFinalization',
        replace: 'const isFinalization',
      },
    ],
    profile: 'jumps',
    nodes: [4],
  },
  {
    name: 'nothing-sent-again-on-connecting',
    rule: 'section 3, Recovery and R7: what matters is sent to who connects',
    coveredBy: 'Status and R7: who is behind is sent what it lacks',
    edits: [{ file: replica, find: 'this.agreement.resendTo(peer);', replace: '' }],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'own-votes-not-sent-again-after-a-restart',
    rule: 'Recovery: resend',
    coveredBy: 'views whose votes are lost are nullified, and a later one finalizes them',
    edits: [
      {
        file: agreement,
        find: 'for (const vote of ownVotesOf(state, this.#context)) {',
        replace: 'for (const vote of ownVotesOf(state, this.#context).slice(9)) {',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'checkpoint-signatures-not-sent-again',
    rule: 'signatures are sent again on connecting and every tRetry',
    coveredBy: 'checkpoints are asked for (both removed: `checkpoint-signatures-neither-sent-again-nor-asked-for`)',
    edits: [{ file: checkpoints, find: 'if (signatures.length > 0) this.#send(to, signatures);', replace: '' }],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'highest-checkpoint-asked-for',
    rule: 'the lowest uncertified height is asked for',
    coveredBy: 'cumulative certification (decision 0007): a higher certified height certifies all below it',
    edits: [
      {
        file: checkpoints,
        find: 'toHeight(this.certifiedHeight + 1);',
        replace: 'toHeight(Math.max(this.#executedHeight, this.certifiedHeight + 1));',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'newest-certified-not-answered',
    rule: 'the answer is all signatures held',
    coveredBy: 'later heights are certified and asked for, and certify those below',
    edits: [
      { file: checkpoints, find: 'if (height < this.certifiedHeight) signatures', replace: 'if (false) signatures' },
    ],
    profile: 'behind',
    nodes: [4],
  },
  {
    name: 'signatures-ahead-not-kept',
    rule: 'signatures for heights not yet executed here are kept',
    coveredBy: 'they are asked for when their height is executed',
    edits: [
      {
        file: checkpoints,
        find: 'if (height <= this.#executedHeight + heightsNear) return true;',
        replace:
          'if (height <= this.#executedHeight) return true;\n      if (height > this.#executedHeight) return false;',
      },
    ],
    profile: 'any',
    nodes: [4],
  },
];
