/**
 * A copy of what another node says it has, in a database of its own that is thrown away afterwards: so what comes over HTTP is audited
 * by the same rules as what lies on a disk. Nothing in it is believed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Block,
  blockFromParts,
  decodeBatch,
  decodeCheckpointStatement,
  type EpochProof,
  encodeCbor,
  encodeCheckpointStatement,
  restartRound,
  sortValidators,
  type Validator,
  validatorToCbor,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { type ChainFile, openChainFile } from '../healing/chain-file.ts';
import { createChainRows } from '../storage/chain-rows.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import type { HeldHeight } from '../storage/held-height.ts';
import type { Findings } from './finding.ts';
import type { Anchor } from './founding-audit.ts';

export type RemoteCopy = {
  readonly file: ChainFile;
  /** The block as far as it can be read; null for the genesis, and where it cannot be taken in, which is then a finding. */
  put(height: number, held: HeldHeight, findings: Findings): Block | null;
  /** Once all heights are in: the epochs, and what the ledger wanted, as far as the blocks tell it. */
  putEpochs(proofs: readonly EpochProof[]): void;
  remove(): void;
};

/** @throws NodeFailed where there is no room for it */
export function createRemoteCopy(tempDir: string, { genesis, ledgerHash, set }: Anchor): RemoteCopy {
  const dir = mkdtempSync(join(tempDir, 'cairn-audit-'));
  const file = orThrow(openChainFile(join(dir, 'chain.db'), { readOnly: false }));
  // It is thrown away, so nothing of it waits for a disk.
  file.database.sqlite.exec('PRAGMA synchronous=OFF');
  const rows = createChainRows(file.database);

  function blockOf(height: number, { header, body }: HeldHeight, findings: Findings): Block | null {
    const block = blockFromParts(header, body);
    if (block.ok && block.value.header.height === height) return block.value;
    const why = block.ok ? `is of height ${block.value.header.height}` : `cannot be read: ${block.error.message}`;
    findings.add('block', 'audit.malformed', `what the node has as block ${height} ${why}`, { height });
    return null;
  }

  return {
    file,
    put(height, held, findings) {
      const block = height === 0 ? null : blockOf(height, held, findings);
      if (height > 0 && block === null) return null;
      const { header, body, view, finalization, historySize, verdicts, statement, signatures } = held;
      const digest = block?.digest ?? ledgerHash;
      const timeMs = block?.header.timeMs ?? genesis.timeMs;
      orThrow(
        rows.write('copying a height', () => {
          rows.putBlock({ height, digest, header, body, view, finalization, timeMs, historySize, verdicts });
          rows.putCheckpoint(height, roundOf(statement), statement, signatures);
          for (const tile of held.edge) rows.putTile(tile);
          for (const [place, bytes] of held.batches.entries()) {
            const batch = decodeBatch(bytes);
            const where = { height, key: String(place) };
            if (!batch.ok) {
              findings.add('batch', 'audit.malformed', `batch ${place} of block ${height} cannot be read`, where);
              continue;
            }
            const { epoch, author, seq } = batch.value.header;
            rows.putBatch(height, place, { digest: batch.value.digest, epoch, author, seq, bytes });
          }
        }),
      );
      return block;
    },
    putEpochs(proofs) {
      orThrow(
        rows.write('copying the epochs', () => {
          insertEpoch(1, 0, { digest: ledgerHash, timeMs: genesis.timeMs, rules: genesis.rules }, set.validators);
          insertTarget(0, set.validators, genesis.rules);
          let rules = genesis.rules;
          for (const { signatures, validators } of proofs) {
            const { statement } = signatures[0]!;
            const { height, epoch, round } = statement;
            if (file.chain.checkpoint(height) === null)
              rows.putCheckpoint(height, round, encodeCheckpointStatement(statement), encodeSignatures(signatures));
            rules = rulesOf(epoch + 1, height) ?? rules;
            const stored = file.chain.blockByHeight(height);
            const begun = stored === null ? null : { digest: stored.digest, timeMs: stored.timeMs, rules };
            insertEpoch(epoch + 1, height, begun, validators);
            const sinceHeight = round === restartRound ? height : height - genesis.parameters.checkpointLag;
            insertTarget(sinceHeight, validators, rules);
          }
        }),
      );
    },
    remove() {
      file.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };

  type Begun = { readonly digest: Uint8Array; readonly timeMs: number; readonly rules: number };

  /** As the first block of an epoch that was copied says; null where none was. */
  function rulesOf(epoch: number, genesisHeight: number): number | null {
    const height = Math.max(genesisHeight + 1, file.chain.firstHeight() ?? 0);
    const stored = file.chain.blockByHeight(height);
    const block = stored === null ? null : blockFromParts(stored.header, stored.body);
    return block?.ok && block.value.header.epoch === epoch ? block.value.header.rules : null;
  }

  function insertEpoch(epoch: number, height: number, begun: Begun | null, validators: readonly Validator[]): void {
    const { digest = null, timeMs = null, rules = null } = begun ?? {};
    file.database.sqlite
      .prepare('INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)')
      .run(epoch, height, digest, timeMs, setBytes(validators), rules);
  }

  function insertTarget(height: number, validators: readonly Validator[], rules: number): void {
    file.database.sqlite
      .prepare('INSERT OR REPLACE INTO targets VALUES (?, ?, ?)')
      .run(Math.max(0, height), setBytes(validators), rules);
  }
}

/** 0 also for what is no statement: that is found when it is read. */
function roundOf(statement: Uint8Array): number {
  const decoded = decodeCheckpointStatement(statement);
  return decoded.ok ? decoded.value.round : 0;
}

function setBytes(validators: readonly Validator[]): Uint8Array {
  return encodeCbor(sortValidators(validators).map(validatorToCbor));
}
