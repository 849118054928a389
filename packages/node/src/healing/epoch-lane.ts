/** The epochs of a stored chain, held against what was signed of them: the sets by the epochs before, the rest by the blocks. */
import { type Block, equalBytes, sha256 } from '@cairn-ledger/core';
import type { ChainFile } from './chain-file.ts';
import { type SyncAnchor, storedEpochs } from './known-epochs.ts';
import { areBoundariesTrue, type BoundaryChecks } from './mend-boundaries.ts';

type EpochRow = {
  readonly epoch: number;
  readonly genesisHeight: number;
  readonly digest: Uint8Array | null;
  readonly timeMs: number | null;
  readonly validators: Uint8Array;
  readonly rules: number | null;
};

const columns =
  'epoch, genesis_height AS genesisHeight, genesis_digest AS digest, genesis_time_ms AS timeMs, validators, rules';

/** What is wrong with the table of epochs, or the boundary blocks that are kept; null when nothing is. Reads all of it. */
export function damageOfEpochs(
  { chain, database }: ChainFile,
  anchor: SyncAnchor,
  { verifier }: Pick<BoundaryChecks, 'verifier'>,
): string | null {
  const epochs = storedEpochs(anchor, chain, verifier);
  const rows = database.read('reading the epochs', () =>
    database.sqlite.prepare(`SELECT ${columns} FROM epochs ORDER BY epoch`).all(),
  ) as EpochRow[];
  for (const [i, { epoch, genesisHeight, digest }] of epochs.entries()) {
    const row = rows[i];
    const isTrue =
      row?.epoch === epoch && row.genesisHeight === genesisHeight && equalBytes(sha256(row.validators), digest);
    if (!isTrue) return `epoch ${epoch} is not the one that was signed`;
  }
  const unproven = rows[epochs.length];
  // Its boundary may not be certified yet.
  if (unproven !== undefined && !chain.openBoundaries().includes(unproven.genesisHeight))
    return `the signatures that are kept do not prove epoch ${unproven.epoch}`;
  const areKept = areBoundariesTrue(chain, { ledgerHash: anchor.ledgerHash, epochs, verifier });
  return areKept ? null : 'the boundary blocks that are kept are not what was signed';
}

/**
 * Whether the epoch that begins with a boundary block is stored as the block says.
 *
 * @param above the block above it, if there is one: the first of the epoch
 */
export function isEpochOf({ chain, database }: ChainFile, boundary: Block, above: Block | null): boolean {
  const { height, epoch, timeMs, nextSet } = boundary.header;
  const row = database.read('reading the epochs', () =>
    database.sqlite.prepare(`SELECT ${columns} FROM epochs WHERE epoch = ?`).get(epoch + 1),
  ) as EpochRow | undefined;
  if (row === undefined || nextSet === null) return false;
  const isBegun = row.digest === null ? height < chain.foundedHeight() : equalBytes(row.digest, boundary.digest);
  return (
    row.genesisHeight === height &&
    equalBytes(sha256(row.validators), nextSet) &&
    isBegun &&
    (row.timeMs === null || row.timeMs === timeMs) &&
    (row.rules === null || above === null || row.rules === above.header.rules)
  );
}
