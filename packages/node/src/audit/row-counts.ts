/** Without re-execution: no table of the chain has rows that the walk over the heights has not seen, and floors are right. */
import { equalBytes } from '@cairn-ledger/core';
import type { ChainAudit } from './block-audit.ts';
import type { ChainSummary } from './chain-audit.ts';
import type { FindingClass } from './finding.ts';

export function auditRowCounts({ chain, database, findings }: ChainAudit, summary: ChainSummary): void {
  const heights = summary.tipHeight + 1;
  const tables: readonly (readonly [table: string, kind: FindingClass, count: number])[] = [
    ['meta', 'database', 1],
    ['blocks', 'block', heights],
    ['checkpoints', 'checkpoint', heights],
    ['batches', 'batch', summary.batches],
    ['batch_parts', 'batch', summary.batchParts],
    ['floors', 'batch', summary.floors.size],
  ];
  for (const [table, kind, count] of tables) {
    const read = `SELECT count(*) AS count FROM ${table}`;
    const row = findings.guard(kind, { table }, () => database.sqlite.prepare(read).get());
    const found = (row as { count: number } | null)?.count ?? count;
    // What is missing was told where it is missing.
    if (found > count)
      findings.add(kind, 'audit.surplus', `${table} has ${found} rows, the chain has ${count}`, { table });
  }
  for (const { author, epoch, seq, digest } of findings.guard('batch', { table: 'floors' }, () => chain.floors(1)) ??
    []) {
    const last = summary.floors.get(author);
    if (last?.epoch === epoch && last.seq === seq && equalBytes(last.digest, digest)) continue;
    const what = `the last batch of author ${author} is not the one that the chain lists last`;
    findings.add('batch', 'audit.differs', what, { table: 'floors', key: String(author) });
  }
}
