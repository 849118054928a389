/** Mutants of the checkpoints: protocol.md section 4. */
import type { Mutant } from './mutant.ts';

const checkpoints = 'packages/core/src/protocol/checkpoints/checkpoints.ts';
const blockRules = 'packages/core/src/protocol/agreement/block-rules.ts';

const sizes = [4, 5] as const;

export const checkpointMutants: readonly Mutant[] = [
  {
    name: 'checkpoints-not-asked-for',
    rule: 'a node asks every peer for the lowest uncertified height',
    edits: [
      {
        file: checkpoints,
        find: "#ask(to: 'all' | readonly ValidatorIndex[]): void {",
        replace: "#ask(to: 'all' | readonly ValidatorIndex[]): void {\n    if (to !== null) return;",
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'checkpoint-signatures-neither-sent-again-nor-asked-for',
    rule: 'checkpoint signatures are resent and requestable',
    edits: [
      { file: checkpoints, find: 'if (signatures.length > 0) this.#send(to, signatures);', replace: '' },
      {
        file: checkpoints,
        find: "#ask(to: 'all' | readonly ValidatorIndex[]): void {",
        replace: "#ask(to: 'all' | readonly ValidatorIndex[]): void {\n    if (to !== null) return;",
      },
    ],
    profile: 'lossy',
    nodes: sizes,
  },
  {
    name: 'checkpoints-not-signed-after-a-restart',
    rule: 'section 3, Recovery: checkpoint signatures are put back and sent again',
    edits: [
      {
        file: checkpoints,
        find: 'if (height > 0 && (height >= this.certifiedHeight || height === this.#owedHeight)) this.#sign(outcome);',
        replace: '',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'checkpoint-certified-by-f-plus-one',
    rule: 'Q equal statements make a certified checkpoint',
    edits: [
      {
        file: checkpoints,
        find: 'if (count >= this.#setOf(height).quorum) this.#onQuorum',
        replace: 'if (count >= this.#setOf(height).faultsMax + 1) this.#onQuorum',
      },
    ],
    profile: 'result-liars',
    nodes: [4],
  },
  {
    name: 'checkpoint-of-block-not-compared',
    rule: 'R3: checkpoint h - L certified for this node, and the same as in the block',
    edits: [
      {
        file: blockRules,
        find: 'const isTrue = equalBytes(due.checkpoint, header.checkpoint) && isSameDigest',
        replace: 'const isTrue = isSameDigest',
      },
    ],
    profile: 'benders',
    nodes: [4],
  },
];
