/**
 * Audit of a node that runs: everything that it says it has, asked for over HTTP and held against the genesis and the signatures of
 * quorums alone, as for a folder (audit.ts). So the operator of one node can verify another one without trusting its machine.
 *
 * It proves who signs in each epoch, every block and its finalization, every batch, every certified checkpoint, and that the accepted
 * transactions give the history that was certified. What no signature reaches is noted: why transactions were rejected, and what
 * the node keeps only for itself (its state in the moment, its view, journal and keys).
 */
import { tmpdir } from 'node:os';
import {
  anchorToChain,
  type Block,
  type CairnError,
  type EpochProof,
  type EpochSet,
  equalBytes,
  fail,
  followEpochs,
  genesisToTrustAnchor,
  ok,
  type Result,
  type TrustAnchor,
  toHex,
} from '@cairn-ledger/core';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { NodeFailed } from '../failure.ts';
import type { HeldHeight } from '../storage/held-height.ts';
import { type AuditReport, nothingChecked } from './audit.ts';
import { auditChain, type ChainSummary } from './chain-audit.ts';
import { auditEpochs } from './epoch-audit.ts';
import { createFindings, type Findings } from './finding.ts';
import { type Anchor, genesisToAnchor } from './founding-audit.ts';
import { createPace } from './pace.ts';
import { createRemoteCopy, type RemoteCopy } from './remote-copy.ts';
import { createRemoteNode, type RemoteNode, type RemoteStatus } from './remote-node.ts';

export type RemoteAuditOptions = {
  readonly url: string;
  readonly token?: string | undefined;
  readonly genesis: Uint8Array;
  /** A later set that is trusted as well: the epochs must lead through it. */
  readonly anchor?: TrustAnchor | undefined;
  /** Only the last heights. */
  readonly recent?: number | undefined;
  /** Beyond this nothing more is asked for, in bytes. */
  readonly downloadMax: number;
  readonly maxBytesPerSecond?: number | undefined;
  readonly listedMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((height: number, of: number) => void) | undefined;
  readonly tempDir?: string | undefined;
  /** For tests. */
  readonly fetch?: typeof fetch;
};

export type RemoteAuditReport = Omit<AuditReport, 'folder'> & { readonly node: string };

type Task = {
  readonly options: RemoteAuditOptions;
  readonly node: RemoteNode;
  readonly anchor: Anchor;
  readonly findings: Findings;
  readonly copy: RemoteCopy;
  readonly status: RemoteStatus;
};

type Range = { readonly from: number; readonly to: number };

const listedMaxDefault = 100;
const progressEveryHeights = 100;
/** Followed at once, without a block of any of them: each is signed by a quorum of the one before. */
const epochsMax = 1_000_000;

/**
 * Errors: those of the client where the node does not answer; `genesis.malformed`; `audit.foreign` where the node is of another
 * ledger; `audit.no-temporary-room`. Everything else that is wrong is a finding.
 */
export async function auditNode(options: RemoteAuditOptions): Promise<Result<RemoteAuditReport, CairnError>> {
  const startedMs = performance.now();
  installNodeSha256();
  const findings = createFindings(options.listedMax ?? listedMaxDefault, () => options.signal?.aborted ?? false);
  const anchor = genesisToAnchor(options.genesis);
  if (!anchor.ok) return anchor;
  const node = createRemoteNode(options);
  const status = await node.status();
  if (!status.ok) return status;
  if (status.value.ledgerHash !== toHex(anchor.value.ledgerHash)) {
    const message = `${node.url} is a node of the ledger ${status.value.ledgerHash}, the genesis is of ${toHex(anchor.value.ledgerHash)}`;
    return fail({ code: 'audit.foreign', message });
  }
  let copy: RemoteCopy | null = null;
  try {
    copy = createRemoteCopy(options.tempDir ?? tmpdir(), anchor.value);
    const task: Task = { options, node, anchor: anchor.value, findings, copy, status: status.value };
    const checked = await auditCopy(task);
    if (!checked.ok) return checked;
    return ok({
      node: node.url,
      ledgerHash: toHex(anchor.value.ledgerHash),
      isSound: findings.count() === 0,
      findings: findings.listed,
      findingsCount: findings.count(),
      findingsByClass: findings.countByClass(),
      notes: findings.notes,
      checked: checked.value,
      bytes: node.downloadedBytes(),
      seconds: (performance.now() - startedMs) / 1000,
    });
  } catch (cause) {
    const isOfDisk = cause instanceof NodeFailed || (cause as NodeJS.ErrnoException).syscall !== undefined;
    if (!isOfDisk || options.signal?.aborted) throw cause;
    const message = `what the node has cannot be copied to ${options.tempDir ?? tmpdir()} (${(cause as Error).message}): make room, set TMPDIR, or audit the last heights only (--recent)`;
    return fail({ code: 'audit.no-temporary-room', message });
  } finally {
    copy?.remove();
  }
}

async function auditCopy(task: Task): Promise<Result<AuditReport['checked'], CairnError>> {
  const { anchor, findings, copy, options, status } = task;
  const epochs = createEpochsFollower(task);
  const copied = await copyHeights(task, epochs);
  if (!copied.ok) return copied;
  const { from, to } = copied.value;
  if (options.anchor !== undefined) compareWithAnchor(task, options.anchor, epochs);
  if (to < from) return ok({ ...nothingChecked, fromHeight: from });
  copy.putEpochs(epochs.proofs());
  const { chain, database } = copy.file;
  const summary = await auditChain(
    {
      anchor,
      chain,
      database,
      findings,
      epochs: auditEpochs(anchor, chain, findings),
      foundedHeight: Math.max(0, status.heldFrom - 1),
      areTilesHeld: false,
      selfId: null,
      onOwnSigned: () => undefined,
    },
    { from, to },
    () => undefined,
    createPace({ signal: options.signal }),
  );
  if (summary.certifiedHeight < Math.min(to, status.certifiedHeight)) {
    const what = `the node says that height ${status.certifiedHeight} is certified, and shows signatures up to ${summary.certifiedHeight < 0 ? 'none' : summary.certifiedHeight}`;
    findings.add('checkpoint', 'audit.unproven', what, { height: summary.certifiedHeight + 1 });
  }
  noteUnproven(task, from, summary);
  const { blocks, batches, transactions, signatures, certifiedHeight } = summary;
  const checked = { blocks, batches, transactions, signatures, certifiedHeight };
  return ok({ ...nothingChecked, ...checked, fromHeight: from, toHeight: to });
}

// --- Epochs -----------------------------------------------------------------------------------------------------------

type EpochsFollower = {
  /** How many epochs are known, the present one included. */
  count(): number;
  proofs(): readonly EpochProof[];
  anchorOf(epoch: number): TrustAnchor | null;
  /** Asks for more. Errors: those of the client; false proofs are a finding. */
  follow(): Promise<Result<void, CairnError>>;
};

function createEpochsFollower({ node, anchor, findings }: Task): EpochsFollower {
  const first = genesisToTrustAnchor(anchor.genesisBytes);
  if (!first.ok) throw new NodeFailed(first.error);
  let chain = anchorToChain(first.value);
  return {
    count: () => chain.anchors.length,
    proofs: () => chain.proofs,
    anchorOf: (epoch) => chain.anchors[epoch - 1] ?? null,
    async follow() {
      while (chain.anchors.length < epochsMax) {
        const page = await node.epochs(chain.anchors.length);
        if (!page.ok && page.error.code !== 'audit.malformed') return page;
        const followed = page.ok ? followEpochs(chain, page.value.proofs, sodiumVerifier) : page;
        if (!followed.ok) {
          const { code, message } = followed.error;
          findings.add('checkpoint', code, `how epochs ended is not proven: ${message}`, { table: 'epochs' });
          return ok(undefined);
        }
        if (followed.value.anchors.length === chain.anchors.length) return ok(undefined);
        chain = followed.value;
      }
      return ok(undefined);
    },
  };
}

function compareWithAnchor({ findings }: Task, anchor: TrustAnchor, epochs: EpochsFollower): void {
  const own = epochs.anchorOf(anchor.epoch);
  const where = { table: 'epochs', key: String(anchor.epoch) };
  if (own === null) {
    const what = `the node does not lead as far as to epoch ${anchor.epoch}, which the anchor is of`;
    findings.add('checkpoint', 'audit.missing', what, where);
  } else if (!equalBytes(own.setDigest, anchor.setDigest) || !equalBytes(own.ledgerHash, anchor.ledgerHash)) {
    const what = `the node leads to other validators of epoch ${anchor.epoch} than the anchor has`;
    findings.add('checkpoint', 'audit.differs', what, where);
  }
}

// --- Heights ----------------------------------------------------------------------------------------------------------

/** Copies what the node has, as far as it can be told who signs there. Errors: those of the client. */
async function copyHeights(task: Task, epochs: EpochsFollower): Promise<Result<Range, CairnError>> {
  const { options, node, findings, copy, status } = task;
  const { heldFrom, executedHeight } = status;
  const pace = createPace(options);
  const followed = await epochs.follow();
  if (!followed.ok) return followed;
  const from = Math.max(heldFrom, options.recent === undefined ? 0 : executedHeight - options.recent + 1);
  // The block below the first one: links and the history go on from it.
  for (let height = Math.max(0, from - 1); height <= executedHeight; height++) {
    const range = { from, to: height - 1 };
    const before = node.downloadedBytes();
    if (before > options.downloadMax) {
      const what = `${before} bytes were downloaded, which is the limit: heights from ${height} on are not checked`;
      findings.note('block', 'audit.unproven', what, { height });
      return ok(range);
    }
    if (height % progressEveryHeights === 0) options.onProgress?.(height, executedHeight);
    const held = await node.height(height, height === from - 1);
    if (!held.ok && held.error.code !== 'audit.malformed') return held;
    await pace.spend(node.downloadedBytes() - before);
    if (!held.ok) {
      findings.add('block', 'audit.malformed', `what the node has of height ${height}: ${held.error.message}`, {
        height,
      });
      return ok(range);
    }
    if (held.value === null) {
      tellNotHeld(task, height);
      return ok(range);
    }
    const taken = await takeIn(task, epochs, height, held.value);
    if (!taken.ok) return taken;
    if (!taken.value) return ok(range);
  }
  if (copy.file.chain.tip() === null) findings.add('block', 'audit.missing', 'the node has no block', {});
  return ok({ from, to: executedHeight });
}

function tellNotHeld({ findings, status }: Task, height: number): void {
  // A height that was executed a moment ago may not be proven there yet.
  if (height > status.certifiedHeight)
    findings.note('block', 'audit.unproven', `the node does not show height ${height} and what follows yet`, {
      height,
    });
  else
    findings.add('block', 'audit.missing', `the node says that it has height ${height}, and does not show it`, {
      height,
    });
}

/** False where what follows cannot be checked. */
async function takeIn(
  { copy, findings }: Task,
  epochs: EpochsFollower,
  height: number,
  held: HeldHeight,
): Promise<Result<boolean, CairnError>> {
  const block = copy.put(height, held, findings);
  if (block === null) return ok(height === 0);
  for (const isRetry of [false, true]) {
    if (epochs.count() >= lastEpochOf(block)) return ok(true);
    if (isRetry) break;
    const followed = await epochs.follow();
    if (!followed.ok) return followed;
  }
  const what = `nothing proves yet who signs in epoch ${lastEpochOf(block)}: heights from ${height} on are not checked`;
  findings.note('block', 'audit.unproven', what, { height });
  return ok(false);
}

/** The epoch whose validators must be known for a block to be checked: of a boundary the one that it begins. */
function lastEpochOf({ header }: Block): EpochSet['epoch'] | number {
  return header.nextSet === null ? header.epoch : header.epoch + 1;
}

function noteUnproven({ findings, status }: Task, from: number, { unproven, tipHeight }: ChainSummary): void {
  if (from > 0 && from === status.heldFrom) {
    const what = `the node holds nothing below height ${from}: nodes that have it can prove it`;
    findings.note('block', 'audit.unproven', what, { height: from });
  }
  const [first] = unproven.keys();
  if (first !== undefined && first > 0) {
    const what = `nothing proves blocks ${first} to ${tipHeight} final yet`;
    findings.note('certificate', 'audit.unproven', what, { height: first });
  }
  const what = 'why transactions were rejected, and what the node has beside the chain, is not certified';
  findings.note('block', 'audit.unproven', what);
}
