/**
 * Work of which several pieces are under way at once, begun in order: what takes its time is mostly waiting for peers. What each piece has
 * to tell is told in the order in which they were begun, as if one had followed the other.
 */

export type Flight = {
  /** Tells now, or as soon as all that was begun before has ended. */
  tell(said: () => void): void;
};

export type Flights = {
  /** The next piece: what it says until it ends is told in its turn. One whose work is never begun is to be ended by `drop`. */
  next(): Flight;
  /** Begins its work once there is room. Throws what an earlier one has failed by. */
  begin(flight: Flight, weight: number, work: () => Promise<void>): Promise<void>;
  /** No work for it. */
  drop(flight: Flight): void;
  /** Waits until all have ended. Throws what the first one has failed by. */
  end(): Promise<void>;
  /** One has failed: the others are not to change anything any more. */
  readonly isFailed: boolean;
};

type Turn = Flight & { said: (() => void)[]; isOver: boolean };

/**
 * @param weightMax of all together; one that weighs more flies alone
 */
export function createFlights(countMax: number, weightMax: number): Flights {
  const turns: Turn[] = [];
  const open = new Set<Promise<void>>();
  let weightOpen = 0;
  let failure: { readonly cause: unknown } | null = null;

  function close(flight: Flight): void {
    (flight as Turn).isOver = true;
    while (turns[0]?.isOver === true) {
      turns.shift();
      const [first] = turns;
      for (const said of first?.said.splice(0) ?? []) said();
    }
  }

  function throwIfFailed(): void {
    if (failure !== null) throw failure.cause;
  }

  return {
    next() {
      const turn: Turn = {
        said: [],
        isOver: false,
        tell(said) {
          if (turns[0] === turn) said();
          else turn.said.push(said);
        },
      };
      turns.push(turn);
      return turn;
    },
    async begin(flight, weight, work) {
      while (open.size > 0 && (open.size >= countMax || weightOpen + weight > weightMax)) await Promise.race(open);
      throwIfFailed();
      weightOpen += weight;
      const under = work()
        .catch((cause: unknown) => {
          failure ??= { cause };
        })
        .finally(() => {
          open.delete(under);
          weightOpen -= weight;
          close(flight);
        });
      open.add(under);
    },
    drop: close,
    async end() {
      await Promise.all(open);
      throwIfFailed();
    },
    get isFailed() {
      return failure !== null;
    },
  };
}
