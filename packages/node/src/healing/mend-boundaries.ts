/**
 * What a chain founded above boundaries keeps of them, held against the epochs that were signed: the checkpoints, which prove
 * who signs from there on, and blocks for who joins later.
 */
import {
  decodeCertificate,
  encodeCertificate,
  encodeCheckpointStatement,
  equalBytes,
  type Hash,
  type Verifier,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import type { ChainDb } from '../storage/chain-db.ts';
import type { ChainRows } from '../storage/chain-rows.ts';
import { decodeSignatures, encodeSignatures } from '../storage/checkpoint-signatures.ts';
import type { KeptBoundary } from '../storage/kept-boundaries.ts';
import { isFinalization, quorumOf } from './certified.ts';
import { orNull } from './chain-top.ts';
import { fetchBoundary, isRestarted, type KnownEpoch } from './known-epochs.ts';
import type { Mending } from './mending.ts';

export type BoundaryChecks = {
  readonly ledgerHash: Hash;
  readonly epochs: readonly KnownEpoch[];
  readonly verifier: Verifier;
};

/** Whether a block is the one that an epoch began from, with the finalization of the epoch before. */
export function isBoundaryOf(
  { block, finalization }: KeptBoundary,
  { epoch, genesisHeight, digest }: KnownEpoch,
  { ledgerHash, epochs, verifier }: BoundaryChecks,
): boolean {
  const before = epochs[epoch - 2];
  const certificate = decodeCertificate(finalization);
  const { header } = block;
  const isOfIt = header.height === genesisHeight && header.nextSet !== null && equalBytes(header.nextSet, digest);
  return (
    isOfIt &&
    before !== undefined &&
    header.epoch === before.epoch &&
    certificate.ok &&
    isFinalization(certificate.value, block, before, ledgerHash, verifier)
  );
}

/** Whether everything that is kept is true, and what the epoch of the founding began from is among it. */
export function areBoundariesTrue(chain: ChainDb, checks: BoundaryChecks): boolean {
  const kept = orNull(() => chain.keptBoundaries());
  if (kept === null) return false;
  const areTrue = kept.every((each, i) => {
    const epoch = checks.epochs[each.block.header.epoch];
    const isAscending = i === 0 || kept[i - 1]!.block.header.epoch < each.block.header.epoch;
    return isAscending && epoch !== undefined && isBoundaryOf(each, epoch, checks);
  });
  const wanted = epochOfFounding(chain, checks.epochs);
  return areTrue && (wanted === null || kept.some(({ block }) => block.header.height === wanted.genesisHeight));
}

/** The epoch of the block above the founding; null where the chain has the block that it began from, as any other. */
function epochOfFounding(chain: ChainDb, epochs: readonly KnownEpoch[]): KnownEpoch | null {
  const founded = chain.foundedHeight();
  const first = chain.firstHeight() ?? 0;
  const epoch = epochs.findLast(({ genesisHeight }) => genesisHeight <= founded);
  if (founded === 0 || epoch === undefined || epoch.epoch === 1 || epoch.genesisHeight >= first) return null;
  // Nobody has a finalization of what the members ended an epoch with.
  return isRestarted(epoch) ? null : epoch;
}

/** Puts the checkpoints of boundaries below the chain in order; those of its own blocks are mended with them. */
export function mendBoundaryCheckpoints(
  chain: ChainDb,
  rows: ChainRows,
  { epochs, verifier, ...mending }: Mending,
): void {
  const first = chain.firstHeight() ?? 0;
  for (const [i, { genesisHeight: height, boundary }] of epochs.entries()) {
    if (boundary === null || height >= first) continue;
    const stored = orNull(() => chain.checkpoint(height));
    const signatures = orNull(() => decodeSignatures(stored?.signatures ?? null)) ?? [];
    const encoded = encodeCheckpointStatement(boundary.statement);
    const isTrue =
      stored !== null &&
      stored.round === boundary.statement.round &&
      equalBytes(stored.statement, encoded) &&
      quorumOf(boundary.statement, signatures, epochs[i - 1]!, verifier) !== null;
    if (isTrue) continue;
    mending.onDamage('checkpoint', height, `the checkpoint of the boundary at height ${height} is not what was signed`);
    orThrow(
      rows.write('mending a boundary', () =>
        rows.putCheckpoint(height, boundary.statement.round, encoded, encodeSignatures(boundary.signatures)),
      ),
    );
    mending.onWritten('checkpoints', 1);
  }
}

/** Puts in order the blocks that can be had. Where nobody has them any more, the chain itself lacks nothing. */
export async function mendBoundaries(chain: ChainDb, rows: ChainRows, mending: Mending): Promise<void> {
  const { anchor, epochs, peers, verifier, onDamage, onWritten } = mending;
  const checks = { ledgerHash: anchor.ledgerHash, epochs, verifier };
  if (areBoundariesTrue(chain, checks)) return;
  const kept = orNull(() => chain.keptBoundaries()) ?? [];
  const first = chain.firstHeight() ?? 0;
  const wanted = epochOfFounding(chain, epochs);
  const boundaries: KeptBoundary[] = [];
  for (const epoch of epochs) {
    if (epoch.boundary === null || isRestarted(epoch) || epoch.genesisHeight >= first) continue;
    const own = kept.find((each) => isBoundaryOf(each, epoch, checks));
    // Of an epoch that went on with the same set it is what proves that it ended.
    const isWanted = epoch === wanted || equalBytes(epoch.digest, epochs[epoch.epoch - 2]!.digest);
    if (own !== undefined) boundaries.push(own);
    else if (isWanted) {
      const found = epoch.boundary.block ?? (await fetchBoundary(anchor, epochs, epoch.epoch, peers, verifier));
      if (found !== null) boundaries.push({ ...found, finalization: encodeCertificate(found.finalization) });
    }
  }
  const isSame = boundaries.length === kept.length && boundaries.every((each, i) => each === kept[i]);
  if (isSame && orNull(() => chain.keptBoundaries()) !== null) return;
  onDamage('block', null, 'the boundary blocks that are kept are not what was signed');
  orThrow(rows.write('mending the boundaries', () => rows.replaceBoundaries(boundaries)));
  onWritten('meta', 1);
}
