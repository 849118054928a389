/**
 * Whether a snapshot that a peer offers is what a quorum signed (protocol.md section 7): the blocks follow each other up to a
 * finalized one, the statement of its height is certified, and each of those below it is certified or named by a block.
 */
import {
  type Block,
  type Certificate,
  type CheckpointSignature,
  type CheckpointStatement,
  checkpointDigest,
  equalBytes,
  type FloorClaim,
  type Hash,
  type Snapshot,
  type Verifier,
} from '@cairn-ledger/core';
import { isFinalization, quorumOf } from './certified.ts';
import { epochOfHeight, type KnownEpoch } from './known-epochs.ts';

export type VerifiedSnapshot = {
  readonly height: number;
  readonly statement: CheckpointStatement;
  /** Of the heights `height` - L to `height`. */
  readonly heights: readonly VerifiedHeight[];
  /** Blocks above `height`, if any. */
  readonly blocksAbove: readonly Block[];
  /** The epoch of the block above `height`. */
  readonly next: KnownEpoch;
  /** Of that epoch, not proven yet. */
  readonly floors: readonly FloorClaim[];
};

export type VerifiedHeight = {
  readonly block: Block;
  readonly statement: CheckpointStatement;
  /** A quorum's; null where a block names the statement instead. */
  readonly signatures: readonly CheckpointSignature[] | null;
  readonly finalization: Certificate | null;
};

export type SnapshotVerdict =
  | { readonly type: 'true'; readonly value: VerifiedSnapshot }
  /** It is of an epoch that is not known here yet. */
  | { readonly type: 'newer' }
  | { readonly type: 'wrong'; readonly what: string };

export type SnapshotChecks = {
  readonly ledgerHash: Hash;
  readonly checkpointLag: number;
  readonly epochs: readonly KnownEpoch[];
  readonly verifier: Verifier;
};

export function verifySnapshot(snapshot: Snapshot, checks: SnapshotChecks): SnapshotVerdict {
  const { ledgerHash, checkpointLag: lag, epochs, verifier } = checks;
  const { height, statements, blocks } = snapshot;
  const first = height - lag;
  const last = blocks.at(-1);
  if (first < 1 || last === undefined || last.header.height < height) return wrong('it lacks blocks');
  if (!areLinked(blocks, first)) return wrong('its blocks do not follow each other');
  if (last.header.epoch > epochs.at(-1)!.epoch || epochAfter(snapshot) > epochs.at(-1)!.epoch) return { type: 'newer' };

  const finalizations = new Map<number, Certificate>();
  for (const certificate of snapshot.finalizations) {
    const block = blocks.find(({ digest }) => isOf(certificate, digest));
    if (block === undefined) return wrong('it has a finalization of another block');
    const epoch = epochOfHeight(epochs, block.header.height);
    if (block.header.epoch !== epoch.epoch) return wrong('a block is of another epoch than its height');
    if (!isFinalization(certificate, block, epoch, ledgerHash, verifier)) return wrong('a finalization does not hold');
    finalizations.set(block.header.height, certificate);
  }
  if (!finalizations.has(height) || !finalizations.has(last.header.height))
    return wrong('its blocks are not finalized');

  const isComplete =
    statements.length === lag + 1 &&
    statements.every((statement, i) => statement.height === first + i && equalBytes(statement.ledgerHash, ledgerHash));
  if (!isComplete) return wrong('it lacks statements');
  const heights: VerifiedHeight[] = [];
  for (const [i, statement] of statements.entries()) {
    const block = blocks[i]!;
    if (statement.epoch !== block.header.epoch) return wrong('a statement is of another epoch than its block');
    const epoch = epochOfHeight(epochs, statement.height);
    const signatures = quorumOf(statement, snapshot.signatures, epoch, verifier);
    const naming = blocks[i + lag];
    const isNamed = naming !== undefined && equalBytes(naming.header.checkpoint, checkpointDigest(statement));
    if (signatures === null && (statement.height === height || !isNamed))
      return wrong(`the statement of height ${statement.height} is not proven`);
    heights.push({ block, statement, signatures, finalization: finalizations.get(statement.height) ?? null });
  }
  const { statement } = heights.at(-1)!;
  const next = epochOfHeight(epochs, height + 1);
  if (!equalBytes(statement.validatorSet, next.digest)) return wrong('it goes on with another set than is known');
  const blocksAbove = blocks.slice(lag + 1);
  return { type: 'true', value: { height, statement, heights, blocksAbove, next, floors: snapshot.floors } };
}

function wrong(what: string): SnapshotVerdict {
  return { type: 'wrong', what: `a snapshot cannot be believed: ${what}` };
}

function areLinked(blocks: readonly Block[], first: number): boolean {
  return blocks.every(({ header }, i) => {
    const before = blocks[i - 1];
    return header.height === first + i && (before === undefined || equalBytes(header.parent, before.digest));
  });
}

function isOf({ vote }: Certificate, digest: Hash): boolean {
  return vote.type === 'finalize' && equalBytes(vote.proposal.digest, digest);
}

/** Of the block above its height, by its own blocks. */
function epochAfter({ height, blocks }: Snapshot): number {
  const own = blocks.find(({ header }) => header.height === height)!;
  return own.header.epoch + (own.header.nextSet === null ? 0 : 1);
}
