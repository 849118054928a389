/**
 * What Byzantine nodes agree among themselves: the honest ones are two halves, and each half is told another story. Every
 * proposal of a conspirator has a second version for the second half, and the others sign both.
 */
import { type Block, type Proposal, toHex } from '@cairn-ledger/core';

export type Conspiracy = {
  /** Half of each validator, 0 or 1. Conspirators are of the first one. */
  readonly halves: readonly number[];
  /** The version of a proposal for the second half, by name of the first. */
  readonly second: Map<string, { readonly proposal: Proposal; readonly block: Block }>;
  /** The block of the second half, by digest of that of the first. */
  readonly secondDigests: Map<string, Block>;
};

export function createConspiracy(halves: readonly number[]): Conspiracy {
  return { halves, second: new Map(), secondDigests: new Map() };
}

export function nameOfProposal({ view, digest }: Proposal): string {
  return `${view}/${toHex(digest)}`;
}
