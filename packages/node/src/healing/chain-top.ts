/**
 * Where a stored chain ends, as others prove it: the block at its tip, and what stands above it as far as that names results below.
 * A database cannot vouch for its own end; so the digest of the tip comes from a finalization, its own or that of a page
 * of the chain that a peer gives.
 */
import {
  type Block,
  type CheckpointStatement,
  checkpointDigest,
  decodeCertificate,
  decodeCheckpointStatement,
  equalBytes,
  type Hash,
  toHeight,
  type Verifier,
} from '@cairn-ledger/core';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { storedToBlock } from '../threads/serve-from-storage.ts';
import { isFinalization, quorumOf } from './certified.ts';
import type { ChainFile } from './chain-file.ts';
import { epochOfHeight, type KnownEpoch } from './known-epochs.ts';
import { isNothing, isTrue, isWrong, type Peers } from './peers.ts';

export type ChainTop = {
  readonly height: number;
  readonly digest: Hash;
  readonly statement: CheckpointStatement;
  /** Blocks above the tip, from the one right above it on; they name the results of the last L heights. */
  readonly above: readonly Block[];
};

export type TopOptions = {
  readonly ledgerHash: Hash;
  readonly checkpointLag: number;
  readonly epochs: readonly KnownEpoch[];
  readonly verifier: Verifier;
  /** Null: nobody can be asked. */
  readonly peers: Peers | null;
};

/** Reads that a damaged file may refuse. */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Null when neither the chain itself nor a peer proves what the block of this height, and its result, must be. */
export async function findTop(source: ChainFile, height: number, options: TopOptions): Promise<ChainTop | null> {
  const pages = await pagesAbove(height, options);
  const above = pages.filter(({ header }) => header.height > height);
  const digest = pages[0]?.digest ?? ownDigest(source, height, options);
  if (digest === null) return null;
  const statement = await topStatement(source, height, above, options);
  return statement === null ? null : { height, digest, statement, above };
}

function ownDigest({ chain }: ChainFile, height: number, { epochs, ledgerHash, verifier }: TopOptions): Hash | null {
  const stored = orNull(() => chain.blockByHeight(height));
  const block = orNull(() => storedToBlock(stored));
  const certificate = stored?.finalization == null ? null : decodeCertificate(stored.finalization);
  if (block === null || certificate === null || !certificate.ok) return null;
  const isFinal = isFinalization(certificate.value, block, epochOfHeight(epochs, height), ledgerHash, verifier);
  return isFinal ? block.digest : null;
}

/** The blocks from a height on, up to L above it, each final. Empty when no peer has them. */
async function pagesAbove(height: number, options: TopOptions): Promise<readonly Block[]> {
  const { peers, checkpointLag, epochs, ledgerHash, verifier } = options;
  const blocks: Block[] = [];
  while (peers !== null && blocks.length <= checkpointLag) {
    const from = height + blocks.length;
    const before = blocks.at(-1);
    const page = await peers.askAny({ type: 'request-chain', from: toHeight(from) }, (answer) => {
      if (answer.type !== 'chain' || answer.blocks.length === 0) return isNothing;
      const isLinked = answer.blocks.every(({ header }, i) => {
        const parent = i === 0 ? before : answer.blocks[i - 1];
        return header.height === from + i && (parent === undefined || equalBytes(header.parent, parent.digest));
      });
      const last = answer.blocks.at(-1)!;
      const epoch = epochOfHeight(epochs, last.header.height);
      const isFinal = isLinked && isFinalization(answer.finalization, last, epoch, ledgerHash, verifier);
      return isFinal ? isTrue(answer.blocks) : isWrong('a page of the chain that is not final');
    });
    if (page === null) break;
    blocks.push(...page);
  }
  return blocks;
}

/** The result of the tip: signed by a quorum, or named by the block L above it. */
async function topStatement(
  { chain }: ChainFile,
  height: number,
  above: readonly Block[],
  { epochs, checkpointLag, peers, verifier }: TopOptions,
): Promise<CheckpointStatement | null> {
  const epoch = epochOfHeight(epochs, height);
  const naming = above.find(({ header }) => header.height === height + checkpointLag);
  const isNamed = (statement: CheckpointStatement): boolean =>
    naming !== undefined && equalBytes(naming.header.checkpoint, checkpointDigest(statement));
  const stored = orNull(() => chain.checkpoint(height));
  const own = stored === null ? null : decodeCheckpointStatement(stored.statement);
  const isHeight = (statement: CheckpointStatement): boolean => statement.height === height;
  if (own?.ok && isHeight(own.value)) {
    if (isNamed(own.value)) return own.value;
    if (quorumOf(own.value, decodeSignatures(stored!.signatures) ?? [], epoch, verifier) !== null) return own.value;
  }
  if (peers === null) return null;
  const certified = await peers.askAny({ type: 'request-checkpoint', height: toHeight(height) }, (answer) => {
    const first =
      answer.type === 'checkpoint-signatures' ? answer.signatures.find((each) => isHeight(each.statement)) : undefined;
    if (answer.type !== 'checkpoint-signatures' || first === undefined) return isNothing;
    return quorumOf(first.statement, answer.signatures, epoch, verifier) === null ? isNothing : isTrue(first.statement);
  });
  if (certified !== null) return certified;
  return peers.askAny({ type: 'request-outcome', height: toHeight(height) }, (answer) => {
    if (answer.type !== 'outcome' || answer.outcome === null) return isNothing;
    const { statement } = answer.outcome;
    return isHeight(statement) && isNamed(statement) ? isTrue(statement) : isNothing;
  });
}
