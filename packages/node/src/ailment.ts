/** What has gone wrong in a life of a node, by what mends it. */
import type { CairnError } from '@cairn-ledger/core';

/**
 * `journal`: it is set aside, and the node asks to be taken back. `chain`: what is kept is mended from what peers have. `behind`: nothing
 * is damaged, and a newer state is looked for. `restart`: the next life begins in the epoch that the members have decided. `past`: what was
 * before the chain's founding is there, and becomes part of it.
 */
export type Ailment = 'journal' | 'chain' | 'behind' | 'restart' | 'past';

/** Failures in a row of which nobody knows whether repair helps. */
const guessesMax = 3;

/**
 * What may be mended by the node itself; null for what needs people.
 *
 * @param failures lives in a row that have ended so before this one
 */
export function ailmentOf({ code }: CairnError, failures: number): Ailment | null {
  switch (code) {
    case 'journal.damaged':
      return 'journal';
    case 'storage.damaged':
    case 'node.damaged':
    case 'node.diverged':
      return 'chain';
    case 'node.behind':
      return 'behind';
    case 'restart.due':
      return 'restart';
    case 'past.collected':
      return 'past';
    case 'node.chain-failed':
      // Perhaps what is stored led the ledger thread astray, perhaps it is a bug.
      return failures < guessesMax ? 'chain' : null;
    default:
      return null;
  }
}
