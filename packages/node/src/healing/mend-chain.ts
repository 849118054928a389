/**
 * The chain of a database from its tip down to where it begins, held against what its tip must be: every block is proven by the one
 * above it, every result by a block that names it. So damage is found wherever it is, and only that is fetched.
 *
 * The walk down waits for blocks alone. What belongs to a height is mended while it goes on, of several heights at once: each takes
 * a few answers one after the other, and a peer gives many at a time.
 */
import {
  type Block,
  type CheckpointStatement,
  checkpointDigest,
  equalBytes,
  type Genesis,
  type Hash,
  type Verifier,
} from '@cairn-ledger/core';
import type { FindingClass } from '../audit/finding.ts';
import { orThrow } from '../failure.ts';
import type { Floor } from '../storage/chain-db.ts';
import type { ChainRows, WholeEpoch } from '../storage/chain-rows.ts';
import type { NewTarget } from '../storage/epoch-table.ts';
import { batchesPerBlockMax } from '../storage/transaction-place.ts';
import { type BlockPages, createBlockPages } from './block-pages.ts';
import type { ChainFile } from './chain-file.ts';
import { type ChainTop, orNull } from './chain-top.ts';
import { createFlights, type Flight } from './flights.ts';
import { genesisOutcome } from './genesis-outcome.ts';
import { isRestarted, type KnownEpoch } from './known-epochs.ts';
import { type HeightTask, mendBlock, mendCertified, mendHeight, mendStatement } from './mend-height.ts';
import type { Peers } from './peers.ts';

export type ChainMend = {
  readonly source: ChainFile | null;
  /** In its place, for what is stored of a height; absent: it is the source of all. */
  readonly sourceAt?: (height: number) => ChainFile | null;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  readonly epochs: readonly KnownEpoch[];
  readonly verifier: Verifier;
  readonly peers: Peers | null;
  readonly top: ChainTop;
  /** 0: everything from the genesis on is held. Else the heights up to this one are held without batches and verdicts. */
  readonly foundedHeight: number;
  /** The lowest block that is held; 0 where everything is. */
  readonly firstHeight: number;
  /** Results that are proven already, by height. */
  readonly known: ReadonlyMap<number, CheckpointStatement>;
  readonly leafAt: (index: number) => Uint8Array | null;
  /** Where what is true goes. Null: damage is only told. */
  readonly target: ChainRows | null;
  /** Everything is written, not only what differs: into a new file. */
  readonly writesAll: boolean;
  readonly onDamage: (kind: FindingClass, height: number, what: string) => void;
  readonly onWritten: (table: 'blocks' | 'batches' | 'checkpoints', count: number) => void;
  readonly onHeight: (height: number) => void;
};

export type MendedChain = {
  /** Heights at which something could not be had. */
  readonly unmended: readonly number[];
  /** Of all epochs, as far down as the chain is held. */
  readonly floors: readonly Floor[];
  /** Blocks that epochs begin from, by height, and the first one above each. */
  readonly boundaries: ReadonlyMap<number, Block>;
  readonly rulesByEpoch: ReadonlyMap<number, number>;
};

/** Heights that are mended at once: with a few requests each they keep three peers busy. */
export const heightsAtOnceMax = 16;
/** Batches that these may list together: they take no more memory than those of one block. */
export const batchesAtOnceMax = batchesPerBlockMax;
/** The walk lets others have their turn so often, answers of peers among them. */
const walkMs = 10;

/** Throws the reason of the peers' signal, and what the database throws, once nothing of it is under way any more. */
export async function mendChain(mend: ChainMend): Promise<MendedChain> {
  const { top, genesis, target, writesAll, firstHeight, foundedHeight, onWritten } = mend;
  const lag = genesis.parameters.checkpointLag;
  const pages: BlockPages | null = mend.peers === null ? null : createBlockPages(mend.peers, mend.epochs);
  const firstWhole = foundedHeight === 0 ? 0 : foundedHeight + 1;
  const task: HeightTask = { ...mend, pages, topHeight: top.height, firstWhole };
  const flights = createFlights(heightsAtOnceMax, batchesAtOnceMax);
  /** Headers at and above the height under way: they name the results below. */
  const naming = new Map<number, Block>(top.above.map((block) => [block.header.height, block]));
  const unmended: number[] = [];
  const floors = new Map<string, Floor>();
  const boundaries = new Map<number, Block>();
  const rulesByEpoch = new Map<number, number>();
  const lowest = Math.max(1, firstHeight);

  let isDown: boolean;
  try {
    isDown = await walk();
  } catch (cause) {
    // Nobody is to write into a file that is given up.
    await flights.end().catch(() => undefined);
    throw cause;
  }
  await flights.end();
  unmended.sort((a, b) => b - a);
  if (isDown && firstHeight === 0) mendGenesis();
  return { unmended, floors: [...floors.values()], boundaries, rulesByEpoch };

  /** False where it ends early: a block cannot be had, and so nothing below it. */
  async function walk(): Promise<boolean> {
    let digest: Hash = top.digest;
    let statement: Promise<CheckpointStatement | null> = Promise.resolve(top.statement);
    let restedMs = performance.now();
    for (let height = top.height; height >= lowest; height--) {
      mend.peers?.signal.throwIfAborted();
      mend.onHeight(height);
      const flight = flights.next();
      const own = ofFlight(flight, height);
      const block = await mendBlock(own, height, digest);
      if (block === null || block.header.height !== height) {
        flights.drop(flight);
        for (let at = height; at >= lowest; at--) unmended.push(at);
        return false;
      }
      naming.set(height, block);
      naming.delete(height + lag + 1);
      noteBlock(block);
      const isNamed = height === 1 || height > firstHeight;
      const below = isNamed ? statementOf(own, height - 1) : Promise.resolve(null);
      // Whoever awaits it hears of its failure.
      below.catch(() => undefined);
      const above = statement;
      await flights.begin(flight, block.batches.length, () => mendOne(own, block, above, below));
      digest = block.header.parent;
      statement = below;
      if (performance.now() - restedMs < walkMs) continue;
      await new Promise(setImmediate);
      restedMs = performance.now();
    }
    return true;
  }

  function ofFlight(flight: Flight, height: number): HeightTask {
    const source = mend.sourceAt === undefined ? mend.source : mend.sourceAt(height);
    return { ...task, source, onDamage: (...damage) => flight.tell(() => mend.onDamage(...damage)) };
  }

  function noteBlock(block: Block): void {
    const { epoch, height, rules, nextSet } = block.header;
    rulesByEpoch.set(epoch, rules);
    if (nextSet !== null) boundaries.set(height, block);
    for (const { author, seq, digest: batch } of [...block.batches].reverse()) {
      const name = `${epoch}/${author}`;
      if (!floors.has(name)) floors.set(name, { epoch, author, seq, digest: batch });
    }
  }

  /** Named by the block L above it; the last ones, which nothing names yet, by a quorum's signatures. */
  function statementOf(own: HeightTask, height: number): Promise<CheckpointStatement | null> {
    if (height === 0) return Promise.resolve(genesisOutcome(genesis, mend.ledgerHash).statement);
    const known = mend.known.get(height);
    if (known !== undefined) return Promise.resolve(known);
    const block = naming.get(height + lag);
    const isRight = (statement: CheckpointStatement): boolean =>
      statement.height === height &&
      block !== undefined &&
      equalBytes(block.header.checkpoint, checkpointDigest(statement));
    return block === undefined ? mendCertified(own, height) : mendStatement(own, height, isRight);
  }

  async function mendOne(
    own: HeightTask,
    block: Block,
    ofHeight: Promise<CheckpointStatement | null>,
    ofBelow: Promise<CheckpointStatement | null>,
  ): Promise<void> {
    const { height } = block.header;
    const statement = await ofHeight;
    const sizeBefore = (await ofBelow)?.historySize ?? null;
    if (statement === null || (sizeBefore === null && height >= firstWhole)) {
      unmended.push(height);
      return;
    }
    const { height: mended, differs } = await mendHeight(own, block, statement, sizeBefore ?? 0);
    if (flights.isFailed) return;
    if (mended === null) {
      unmended.push(height);
      return;
    }
    const places = writesAll ? mended.batches.map((_, place) => place) : differs.batches;
    const isBlockWritten = writesAll || differs.block;
    const isCheckpointWritten = writesAll || differs.checkpoint;
    if (target === null || (!isBlockWritten && !isCheckpointWritten && places.length === 0 && !differs.surplus)) return;
    orThrow(
      target.writeSoon(`mending height ${height}`, () => {
        if (isBlockWritten) target.putBlock(mended.row);
        if (isCheckpointWritten) target.putCheckpoint(height, mended.round, mended.statement, mended.signatures);
        for (const place of places) target.putBatch(height, place, mended.batches[place]!);
        if (differs.surplus) target.dropBatches(height, mended.batches.length);
      }),
    );
    if (isBlockWritten) onWritten('blocks', 1);
    if (isCheckpointWritten) onWritten('checkpoints', 1);
    if (places.length > 0) onWritten('batches', places.length);
  }

  function mendGenesis(): void {
    const { row, encodedStatement } = genesisOutcome(genesis, mend.ledgerHash);
    const stored = orNull(() => mend.source?.chain.blockByHeight(0) ?? null);
    const checkpoint = orNull(() => mend.source?.chain.checkpoint(0) ?? null);
    const isBlockRight =
      stored !== null &&
      equalBytes(stored.digest, row.digest) &&
      equalBytes(stored.verdicts, row.verdicts) &&
      stored.header.length === 0 &&
      stored.body.length === 0 &&
      stored.finalization === null &&
      stored.timeMs === row.timeMs &&
      stored.historySize === row.historySize;
    const isCheckpointRight = checkpoint !== null && equalBytes(checkpoint.statement, encodedStatement);
    if (!isBlockRight) mend.onDamage('block', 0, 'the block of height 0 is not the genesis');
    if (!isCheckpointRight) mend.onDamage('checkpoint', 0, 'the checkpoint of height 0 is not that of the genesis');
    if (target === null || (!writesAll && isBlockRight && isCheckpointRight)) return;
    orThrow(
      target.write('mending the genesis', () => {
        target.putBlock(row);
        target.putCheckpoint(0, 0, encodedStatement, null);
      }),
    );
    onWritten('blocks', 1);
    onWritten('checkpoints', 1);
  }
}

/** Epochs and targets as a chain from the genesis on has them, when no change is under way at its tip. */
export function epochRowsOf(
  { genesis, ledgerHash, epochs, top }: Pick<ChainMend, 'genesis' | 'ledgerHash' | 'epochs' | 'top'>,
  { boundaries, rulesByEpoch }: MendedChain,
  targetRules: number,
): { readonly epochs: WholeEpoch[]; readonly targets: NewTarget[] } | null {
  const lag = genesis.parameters.checkpointLag;
  const whole: WholeEpoch[] = [];
  for (const { epoch, genesisHeight, validators } of epochs) {
    if (genesisHeight > top.height) break;
    const begun =
      epoch === 1 ? { digest: ledgerHash, timeMs: genesis.timeMs } : boundaryOf(boundaries.get(genesisHeight));
    if (begun === null) return null;
    const rules = epoch === 1 ? genesis.rules : (rulesByEpoch.get(epoch) ?? targetRules);
    whole.push({ epoch, genesisHeight, validators, rules, ...begun });
  }
  const targets = whole.map(({ epoch, genesisHeight, validators, rules }, i) => ({
    // What the members put in place of the target stands there from the very block on.
    height: epoch === 1 ? 0 : isRestarted(epochs[i]!) ? genesisHeight : genesisHeight - lag,
    validators,
    rules,
  }));
  return { epochs: whole, targets };
}

function boundaryOf(block: Block | undefined): { readonly digest: Uint8Array; readonly timeMs: number } | null {
  return block === undefined ? null : { digest: block.digest, timeMs: block.header.timeMs };
}
