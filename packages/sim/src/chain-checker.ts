/**
 * What every executed chain shows of itself (protocol.md sections 2 to 4), judged from its blocks and batches alone: links,
 * heights, block time, listing, expiry, and the checkpoint that each block carries. Depends on no rule of the replica.
 */
import {
  type Batch,
  type Block,
  checkpointDigest,
  type Outcome,
  type ProtocolConstants,
  toHex,
} from '@cairn-ledger/core';
import type { Violations } from './checkers.ts';
import type { VirtualChain } from './virtual-chain.ts';

export class ChainChecker {
  readonly #constants: ProtocolConstants;
  readonly #violations: Violations;
  /** What the fastest clock shows, in milliseconds. */
  readonly #latestWallMs: () => number;
  readonly #outcomes: Outcome[];
  #tip: { readonly digest: string; readonly timeMs: number };
  readonly #floors = new Map<string, number>();
  /** Digest of the set of the present epoch, and its number. */
  #set: string;
  #epoch = 1;

  constructor({ constants, genesis, set }: VirtualChain, latestWallMs: () => number, violations: Violations) {
    this.#constants = constants;
    this.#violations = violations;
    this.#latestWallMs = latestWallMs;
    this.#outcomes = [genesis];
    this.#tip = { digest: toHex(set.genesis.digest), timeMs: set.genesis.timeMs };
    this.#set = toHex(set.digest);
  }

  /** Takes each height from whoever executes it first; that all execute the same is checked elsewhere. */
  onExecuted(block: Block, batches: readonly Batch[], outcome: Outcome): void {
    const { height, parent, timeMs, checkpoint } = block.header;
    if (height !== this.#outcomes.length) return;
    const { checkpointLag, clockDriftMs } = this.#constants;
    this.#claim(toHex(parent) === this.#tip.digest, `block ${height} does not stand on the one before`);
    this.#claim(timeMs > this.#tip.timeMs, `the time of block ${height} is not after the one before`);
    const latestMs = Math.max(this.#tip.timeMs + 1, this.#latestWallMs() + clockDriftMs);
    this.#claim(timeMs <= latestMs, `block ${height} is ${timeMs - latestMs} ms ahead of every clock`);
    const { statement } = this.#outcomes[Math.max(0, height - checkpointLag)]!;
    this.#claim(toHex(checkpoint) === toHex(checkpointDigest(statement)), `block ${height} carries a wrong checkpoint`);
    this.#onSet(block, this.#outcomes[Math.max(0, height - checkpointLag)]!);
    for (const { header } of batches) this.#onListed(header, height);
    this.#outcomes.push(outcome);
    this.#tip = { digest: toHex(block.digest), timeMs };
  }

  /** A block names the next set exactly when the ledger wanted another one L heights before. */
  #onSet({ header: { height, epoch, nextSet } }: Block, { target }: Outcome): void {
    this.#claim(epoch === this.#epoch, `block ${height} is of epoch ${epoch} in epoch ${this.#epoch}`);
    const wanted = toHex(target.digest);
    const named = nextSet === null ? this.#set : toHex(nextSet);
    this.#claim(named === wanted, `block ${height} names another set than the ledger wanted`);
    this.#claim(nextSet === null || named !== this.#set, `block ${height} ends an epoch for nothing`);
    if (nextSet !== null) this.#epoch++;
    this.#set = named;
  }

  #onListed({ epoch, author, seq, base, expiryHeight }: Batch['header'], height: number): void {
    const name = `batch ${seq} of ${author} in block ${height}`;
    const floor = this.#floors.get(`${epoch}/${author}`) ?? 0;
    this.#claim(seq > floor, `${name} is listed after ${floor}`);
    this.#claim(seq <= floor + 1 || base === seq, `${name} leaves a gap above ${floor}`);
    this.#claim(expiryHeight >= height, `${name} is expired`);
    this.#floors.set(`${epoch}/${author}`, Math.max(floor, seq));
  }

  #claim(isTrue: boolean, otherwise: string): void {
    if (!isTrue) this.#violations.add(otherwise);
  }
}
