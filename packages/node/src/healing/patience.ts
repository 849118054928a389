/**
 * When repair is of no use: it found nothing to mend, several times in a row, and the node failed by the same again. Then the cause is
 * not what is kept, but memory or software, and starting anew for ever would only keep a node away that could serve.
 */

/** What a node is then fenced for. */
export type GivenUpReason = 'diverged' | 'damaged';

export type Patience = {
  /** A repair for an error has ended; why the node stays fenced from here on, null where it is worth another try. */
  onRepaired(code: string, what: string): GivenUpReason | null;
  /** The node has lived well for a while. */
  onGoodLife(): void;
};

/** Repairs in a row that found nothing to mend: one more would find as little. */
export const fruitlessMax = 3;

export function createPatience(): Patience {
  let fruitless = 0;
  return {
    onRepaired(code, what) {
      fruitless = what === 'nothing' ? fruitless + 1 : 0;
      if (fruitless < fruitlessMax) return null;
      if (code === 'node.diverged') return 'diverged';
      return code === 'node.damaged' ? 'damaged' : null;
    },
    onGoodLife() {
      fruitless = 0;
    },
  };
}
