/** The derived view. A node makes it again where it is missing or behind, so only what it says wrongly is damage. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { equalBytes } from '@cairn-ledger/core';
import type { ChainDb, StoredBlock } from '../storage/chain-db.ts';
import { storedToView } from '../storage/view-block.ts';
import { rowsOfBlock } from '../storage/view-check.ts';
import { ViewDb } from '../storage/view-db.ts';
import { viewSchema, viewSchemaVersion } from '../storage/view-schema.ts';
import type { Findings } from './finding.ts';
import type { NodeFolder } from './founding-audit.ts';
import type { Pace } from './pace.ts';
import { openStored, type StoredDatabase } from './stored-database.ts';

export type StoredView = { readonly stored: StoredDatabase; readonly view: ViewDb; readonly height: number };

export async function openView(
  { dataDir }: NodeFolder,
  isComplete: boolean,
  findings: Findings,
  pace: Pace,
): Promise<StoredView | null> {
  const path = join(dataDir, 'view.db');
  const spec = { path, schema: viewSchema, schemaVersion: viewSchemaVersion, isComplete, kind: 'view' as const };
  const stored = await openStored(spec, findings, pace);
  if (stored === null) return null;
  const opened = findings.guard('view', { file: 'view.db' }, () => {
    const view = new ViewDb(stored.database);
    return { stored, view, height: view.progress().height };
  });
  if (opened === null) stored.close();
  return opened;
}

/** The rows of one block, by themselves: for an audit of the last heights. */
export function auditRecentView(
  { view, height }: StoredView,
  chain: ChainDb,
  at: StoredBlock,
  findings: Findings,
): void {
  if (at.height > height) return;
  findings.guard('view', { height: at.height }, () => {
    const expected = rowsOfBlock(storedToView(chain, at));
    if (!isDeepStrictEqual(view.transactionsOfBlock(at.height), expected)) {
      const what = `the view shows other transactions of block ${at.height} than the chain has`;
      findings.add('view', 'audit.differs', what, { height: at.height, table: 'blocks' });
    }
    const { digest } = view.progress();
    if (at.height === height && (digest === null || !equalBytes(digest, at.digest)))
      findings.add('view', 'audit.differs', 'the view is of another chain', { height, table: 'progress' });
  });
}
