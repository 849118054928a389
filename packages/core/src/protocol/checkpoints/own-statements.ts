/**
 * Which results a validator has signed before this start (protocol.md section 4): of each height and round one statement, ever, and
 * none of a round below one that it has signed.
 */
import { equalBytes } from '../../bytes/hex.ts';
import { type CheckpointStatement, checkpointDigest } from '../../model/checkpoint.ts';

export class OwnStatements {
  readonly #byPlace = new Map<string, CheckpointStatement>();

  note(statement: CheckpointStatement): void {
    this.#byPlace.set(placeOf(statement), statement);
  }

  /** Whether another one of the same epoch, height and round was signed. What was signed in another epoch is of a block that a restart has given up. */
  contradicts(statement: CheckpointStatement): boolean {
    const signed = this.#byPlace.get(placeOf(statement));
    return signed !== undefined && !equalBytes(checkpointDigest(signed), checkpointDigest(statement));
  }

  /** Whether it may be signed: neither another one of its round was, nor any of a later round of its height. */
  allows(statement: CheckpointStatement): boolean {
    if (this.contradicts(statement)) return false;
    for (const { epoch, height, round } of this.#byPlace.values())
      if (epoch === statement.epoch && height === statement.height && round > statement.round) return false;
    return true;
  }

  /** Takes out what is of no use any more. */
  forget(isDone: (signed: CheckpointStatement) => boolean): void {
    for (const [place, signed] of this.#byPlace) if (isDone(signed)) this.#byPlace.delete(place);
  }

  values(): Iterable<CheckpointStatement> {
    return this.#byPlace.values();
  }
}

function placeOf({ epoch, height, round }: CheckpointStatement): string {
  return `${epoch}/${height}/${round}`;
}
