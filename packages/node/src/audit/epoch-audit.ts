/**
 * Who signs in which epoch, proven from the genesis on: a quorum of each epoch signed the checkpoint of its last block, which
 * names the set of the next one; or it finalized that block, whose header does. Everything else that is audited is held
 * against these sets.
 */
import {
  admitMessage,
  type Block,
  blockFromParts,
  decodeCertificate,
  type EpochSet,
  equalBytes,
  readTargetRules,
  readValidators,
  sha256,
  toValidatorIndex,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import type { ChainDb } from '../storage/chain-db.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { type StoredEpoch, storedToEpochSet } from '../storage/epoch-table.ts';
import { boundariesKey } from '../storage/kept-boundaries.ts';
import type { Findings } from './finding.ts';
import type { Anchor } from './founding-audit.ts';

export type AuditedEpochs = {
  /** That of the block of a height; of the genesis the first. */
  at(height: number): EpochSet;
  of(epoch: number): EpochSet | null;
  readonly latest: EpochSet;
  /** Whether the database could be asked; else only the first one is known, though there may be more. */
  readonly areAll: boolean;
};

const rowsAtOnce = 100;

/** What the genesis alone says. */
export function genesisEpochs({ set }: Anchor): AuditedEpochs {
  return auditedOf([set], false);
}

export function auditEpochs(anchor: Anchor, chain: ChainDb, findings: Findings): AuditedEpochs {
  const sets: EpochSet[] = [anchor.set];
  const kept = findings.guard('block', { table: 'meta', key: boundariesKey }, () => chain.keptBoundaries()) ?? [];
  findings.guard('block', { table: 'epochs' }, () => {
    for (const row of rowsOf(chain)) {
      if (row.epoch === 1) compareWithGenesis(row, anchor, findings);
      else if (!follow(row)) return;
    }
  });
  return auditedOf(sets, true);

  /** False when what comes behind it cannot be told. */
  function follow(row: StoredEpoch): boolean {
    const { epoch, genesisHeight } = row;
    const where = { table: 'epochs', key: String(epoch), height: genesisHeight };
    const before = sets.at(-1)!;
    if (epoch !== before.epoch + 1 || genesisHeight <= before.genesis.height) {
      findings.add('block', 'audit.unlinked', `epoch ${epoch} does not follow epoch ${before.epoch}`, where);
      return false;
    }
    const isProven = findings.guard(
      'block',
      where,
      () => isDecided(anchor, row) || isSigned(anchor, chain, before, row) || isStoredFinal(anchor, chain, before, row),
    );
    if (isProven === false) {
      const what = `nothing proves who signs in epoch ${epoch}: no quorum of epoch ${before.epoch} has signed it`;
      findings.add('block', 'audit.unproven', what, where);
    }
    sets.push(storedToEpochSet({ ...row, rules: rulesOf(row) }));
    compareWithBlock(row, chain, findings);
    compareWithKept(before, row);
    return true;
  }

  /** Where the block that the epoch began from is kept from below a founding, it is that block. */
  function compareWithKept(before: EpochSet, row: StoredEpoch): void {
    const own = kept.find(({ block }) => block.header.epoch === before.epoch);
    if (own === undefined) return;
    const isTrue =
      isFinal(anchor, before, row, own.block, own.finalization) &&
      (row.genesis === null || equalBytes(row.genesis.digest, own.block.digest));
    const what = `the block that is kept as the one that epoch ${row.epoch} began from is another one`;
    if (!isTrue) findings.add('block', 'audit.differs', what, { table: 'meta', key: boundariesKey });
  }

  /** As the first block of the epoch that is held has them, which is what its quorum agreed on. */
  function rulesOf(row: StoredEpoch): number | null {
    const where = { table: 'epochs', key: String(row.epoch) };
    const height = Math.max(row.genesisHeight + 1, chain.firstHeight() ?? 0);
    const next = findings.guard('block', where, () => chain.epochs.of(row.epoch + 1));
    if (next !== null && height > next.genesisHeight) return row.rules;
    const stored = findings.guard('block', where, () => chain.blockByHeight(height));
    const block = stored === null ? null : blockFromParts(stored.header, stored.body);
    if (block === null || !block.ok) return row.rules;
    const { rules } = block.value.header;
    if (row.rules !== null && row.rules !== rules) {
      const what = `epoch ${row.epoch} is stored with rules ${row.rules}, its blocks say ${rules}`;
      findings.add('block', 'audit.differs', what, where);
    }
    return rules;
  }
}

function auditedOf(sets: readonly EpochSet[], areAll: boolean): AuditedEpochs {
  return {
    at: (height) => sets.findLast(({ genesis }) => genesis.height < Math.max(1, height))!,
    of: (epoch) => sets[epoch - 1] ?? null,
    latest: sets.at(-1)!,
    areAll,
  };
}

function* rowsOf(chain: ChainDb): Iterable<StoredEpoch> {
  for (let from = 1; ; ) {
    const rows = chain.epochs.page(from, rowsAtOnce);
    yield* rows;
    if (rows.length < rowsAtOnce) return;
    from = rows.at(-1)!.epoch + 1;
  }
}

function compareWithGenesis(row: StoredEpoch, { set, genesis }: Anchor, findings: Findings): void {
  const { genesisHeight, genesis: block, digest, rules } = row;
  const isTrue =
    genesisHeight === 0 &&
    equalBytes(digest, set.digest) &&
    (block === null || (equalBytes(block.digest, set.genesis.digest) && block.timeMs === genesis.timeMs)) &&
    (rules === null || rules === genesis.rules);
  if (isTrue) return;
  findings.add('block', 'audit.differs', 'epoch 1 is not the one of the genesis', { table: 'epochs', key: '1' });
}

/** The members have ended the epoch before with this one, by the document beside the keys. */
function isDecided({ restarts }: Anchor, { epoch, genesisHeight, digest }: StoredEpoch): boolean {
  const header = restarts.get(epoch - 1)?.restart.block.header;
  return header !== undefined && header.height === genesisHeight && equalBytes(header.nextSet!, digest);
}

/** The signatures of the boundary's checkpoint by the epoch before. */
function isSigned({ ledgerHash }: Anchor, chain: ChainDb, before: EpochSet, row: StoredEpoch): boolean {
  const { genesisHeight: height, digest } = row;
  const signatures = decodeSignatures(chain.certifiedBetween(height, height)?.signatures ?? null);
  if (signatures === null || new Set(signatures.map(({ signer }) => signer)).size < before.quorum) return false;
  const areOfIt = signatures.every(
    ({ statement }) =>
      equalBytes(statement.ledgerHash, ledgerHash) &&
      statement.epoch === before.epoch &&
      statement.height === height &&
      equalBytes(statement.validatorSet, digest),
  );
  if (!areOfIt) return false;
  const message = { type: 'checkpoint-signatures' as const, signatures };
  return admitMessage(message, toValidatorIndex(0), before, ledgerHash, sodiumVerifier).ok;
}

function isStoredFinal(anchor: Anchor, chain: ChainDb, before: EpochSet, row: StoredEpoch): boolean {
  const stored = chain.blockByHeight(row.genesisHeight);
  if (stored === null || stored.finalization === null) return false;
  const block = blockFromParts(stored.header, stored.body);
  return block.ok && isFinal(anchor, before, row, block.value, stored.finalization);
}

/** Whether a block is the boundary that an epoch began from, with its finalization by the epoch before. */
function isFinal(
  { ledgerHash }: Anchor,
  before: EpochSet,
  row: StoredEpoch,
  { header, digest }: Block,
  finalization: Uint8Array,
): boolean {
  const certificate = decodeCertificate(finalization);
  if (!certificate.ok || certificate.value.vote.type !== 'finalize') return false;
  const namesIt =
    header.epoch === before.epoch &&
    header.height === row.genesisHeight &&
    header.nextSet !== null &&
    equalBytes(header.nextSet, row.digest) &&
    equalBytes(certificate.value.vote.proposal.digest, digest);
  const message = { type: 'certificate' as const, certificate: certificate.value };
  return namesIt && admitMessage(message, toValidatorIndex(0), before, ledgerHash, sodiumVerifier).ok;
}

/** Where the block that the epoch began from is held, the epoch is stored with its digest and time. */
function compareWithBlock({ epoch, genesisHeight, genesis }: StoredEpoch, chain: ChainDb, findings: Findings): void {
  const where = { table: 'epochs', key: String(epoch), height: genesisHeight };
  const stored = findings.guard('block', where, () => chain.blockByHeight(genesisHeight));
  const isTrue =
    stored === null ||
    (genesis !== null && equalBytes(genesis.digest, sha256(stored.header)) && genesis.timeMs === stored.timeMs);
  if (!isTrue) findings.add('block', 'audit.differs', `epoch ${epoch} began from another block than is stored`, where);
}

/**
 * The targets that are stored: an epoch ends with the block that they say, for the set that they say (protocol.md section 5). What
 * the ledger wants now stands in the state.
 *
 * @param first the lowest height whose target must be known
 */
export function auditTargets(anchor: Anchor, chain: ChainDb, first: number, findings: Findings): void {
  const where = { table: 'targets' };
  findings.guard('block', where, () => {
    const targets = chain.epochs.targetsAfter(-1);
    const [earliest] = targets;
    if (earliest === undefined || earliest.height > first) {
      findings.add('block', 'audit.missing', `what the ledger wanted at height ${first} is missing`, where);
      return;
    }
    const isOfGenesis = equalBytes(earliest.digest, anchor.set.digest) && earliest.rules === anchor.genesis.rules;
    if (first === 0 && !isOfGenesis)
      findings.add('block', 'audit.differs', 'the first target is not what the genesis has', { ...where, key: '0' });
    for (const [i, target] of targets.entries()) {
      const { height, digest, rules } = target;
      const at = { ...where, key: String(height), height };
      const before = targets[i - 1];
      if (before !== undefined && equalBytes(before.digest, digest) && before.rules === rules)
        findings.add('block', 'audit.surplus', `the target of height ${height} is the one before`, at);
      if (height > (chain.tip()?.height ?? 0))
        findings.add('block', 'audit.surplus', `there is a target of height ${height}, which is not there`, at);
    }
  });
}

/** What the ledger wants now is part of the state, which is proven by its root. */
export function compareTargetWithState(chain: ChainDb, tipHeight: number, findings: Findings): void {
  const where = { table: 'targets', height: tipHeight };
  findings.guard('block', where, () => {
    const { digest, rules } = chain.epochs.targetAt(tipHeight);
    const wanted = validatorSetDigest(readValidators(chain.store));
    if (equalBytes(digest, wanted) && rules === readTargetRules(chain.store)) return;
    findings.add('block', 'audit.differs', 'the last target is not the one that the state has', where);
  });
}
