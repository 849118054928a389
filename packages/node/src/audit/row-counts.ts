/** Without re-execution: no table of the chain has rows that the walk over the heights has not seen, and floors are right. */
import { equalBytes } from '@cairn-ledger/core';
import { boundariesKey } from '../storage/kept-boundaries.ts';
import { newsKey } from '../storage/news-table.ts';
import type { ChainAudit } from './block-audit.ts';
import { type ChainSummary, floorName } from './chain-audit.ts';
import type { FindingClass } from './finding.ts';

export function auditRowCounts(task: ChainAudit, summary: ChainSummary, firstHeight: number): void {
  const { database, epochs, findings } = task;
  const heights = summary.tipHeight - firstHeight + 1;
  const epochCount = epochs.latest.epoch;
  let boundariesBefore = 0;
  // Of the boundaries below the first block the checkpoints are kept, as proofs of who signed from there on.
  for (let epoch = 2; epoch <= epochCount; epoch++)
    if (epochs.of(epoch)!.genesis.height < firstHeight) boundariesBefore++;
  const tables: readonly (readonly [table: string, kind: FindingClass, count: number])[] = [
    ['meta', 'database', metaRowsOf(task)],
    ['blocks', 'block', heights],
    ['checkpoints', 'checkpoint', heights + boundariesBefore],
    ['epochs', 'block', epochCount],
    ['batches', 'batch', summary.batches],
    ['batch_parts', 'batch', summary.batchParts],
  ];
  for (const [table, kind, count] of tables) {
    const read = `SELECT count(*) AS count FROM ${table}`;
    const row = findings.guard(kind, { table }, () => database.sqlite.prepare(read).get());
    const found = (row as { count: number } | null)?.count ?? count;
    // What is missing was told where it is missing.
    if (found > count)
      findings.add(kind, 'audit.surplus', `${table} has ${found} rows, the chain has ${count}`, { table });
  }
  auditFloors(task, summary);
}

/** The ledger; the founding and the boundary blocks from before it, or since when the news are held. */
function metaRowsOf({ database, findings, foundedHeight }: ChainAudit): number {
  const key = foundedHeight === 0 ? newsKey : boundariesKey;
  const where = { table: 'meta', key };
  const read = 'SELECT count(*) AS count FROM meta WHERE key = ?';
  const row = findings.guard('database', where, () => database.sqlite.prepare(read).get(key));
  return (foundedHeight === 0 ? 1 : 2) + ((row as { count: number } | null)?.count ?? 0);
}

type FloorRow = { readonly epoch: number; readonly author: number; readonly seq: number; readonly digest: Uint8Array };

function auditFloors({ database, epochs, findings, foundedHeight }: ChainAudit, { floors }: ChainSummary): void {
  const where = { table: 'floors' };
  const read = 'SELECT epoch, author, seq, digest FROM floors ORDER BY epoch, author';
  const rows = (findings.guard('batch', where, () => database.sqlite.prepare(read).all()) ?? []) as FloorRow[];
  /** Up to this epoch the last batch of an author may be older than the chain here. */
  const epochOfFounding = foundedHeight === 0 ? 0 : epochs.at(foundedHeight + 1).epoch;
  const found = new Set<string>();
  for (const row of rows) {
    const name = floorName(row);
    const last = floors.get(name);
    found.add(name);
    if (last === undefined && row.epoch <= epochOfFounding) continue;
    if (last !== undefined && last.seq === row.seq && equalBytes(last.digest, row.digest)) continue;
    const what = `the last batch of author ${row.author} in epoch ${row.epoch} is not the one that the chain lists last`;
    findings.add('batch', 'audit.differs', what, { ...where, key: name });
  }
  for (const [name, { author, epoch }] of floors) {
    if (found.has(name)) continue;
    const what = `the last batch of author ${author} in epoch ${epoch} is missing`;
    findings.add('batch', 'audit.missing', what, { ...where, key: name });
  }
}
