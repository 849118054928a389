/** Who has signed which result of one height (protocol.md section 4), the first statement of each validator and round. */
import { toHex } from '../../bytes/hex.ts';
import type { ValidatorIndex } from '../../model/brands.ts';
import { type CheckpointStatement, checkpointDigest } from '../../model/checkpoint.ts';
import type { CheckpointSignature } from '../../model/checkpoint-signature.ts';

/** Rounds of one height in which signatures of one validator are kept: each is a command of its operator. */
const roundsPerSignerMax = 8;

type Row = { readonly signature: CheckpointSignature; readonly name: string };

/** A statement that somebody has signed. `name` is its digest in hexadecimal. */
export type Counted = { readonly statement: CheckpointStatement; readonly name: string; readonly count: number };

export class Tally {
  readonly #bySigner = new Map<ValidatorIndex, Row[]>();

  get isEmpty(): boolean {
    return this.#bySigner.size === 0;
  }

  has(signer: ValidatorIndex): boolean {
    return this.#bySigner.has(signer);
  }

  /** What a validator has signed in a round. */
  of(signer: ValidatorIndex, round: number): CheckpointSignature | undefined {
    return this.#rowsOf(signer).find(({ signature }) => signature.statement.round === round)?.signature;
  }

  /** All that a validator has signed. */
  allOf(signer: ValidatorIndex): CheckpointSignature[] {
    return this.#rowsOf(signer).map(({ signature }) => signature);
  }

  isFull(signer: ValidatorIndex): boolean {
    return this.#rowsOf(signer).length >= roundsPerSignerMax;
  }

  add(signature: CheckpointSignature): void {
    const row = { signature, name: toHex(checkpointDigest(signature.statement)) };
    const rows = this.#bySigner.get(signature.signer);
    if (rows === undefined) this.#bySigner.set(signature.signer, [row]);
    else rows.push(row);
  }

  drop(signer: ValidatorIndex): void {
    this.#bySigner.delete(signer);
  }

  all(): CheckpointSignature[] {
    return [...this.#bySigner.values()].flat().map(({ signature }) => signature);
  }

  /** How many have signed each statement, the latest round first. */
  counts(): Counted[] {
    const counts = new Map<string, Counted>();
    for (const rows of this.#bySigner.values())
      for (const { name, signature } of rows) {
        const count = (counts.get(name)?.count ?? 0) + 1;
        counts.set(name, { name, statement: signature.statement, count });
      }
    return [...counts.values()].sort((a, b) => b.statement.round - a.statement.round);
  }

  countOf(name: string): number {
    return this.signaturesOf(name).length;
  }

  /** Of one statement, by ascending signer. */
  signaturesOf(name: string): CheckpointSignature[] {
    return [...this.#bySigner.values()]
      .flat()
      .filter((row) => row.name === name)
      .map(({ signature }) => signature)
      .sort((a, b) => a.signer - b.signer);
  }

  #rowsOf(signer: ValidatorIndex): readonly Row[] {
    return this.#bySigner.get(signer) ?? [];
  }
}
