/**
 * The state as it is stored: every entry in its bucket, and the tree over all of them, every bucket and every level up to the
 * root. It is held against what a quorum signed for this height; a root that somebody wrote beside it counts for nothing.
 */
import { createStateTree, equalBytes, keyToPath, sha256 } from '@cairn-ledger/core';
import type { ChainAudit } from './block-audit.ts';
import type { AuditedCheckpoint } from './checkpoint-audit.ts';
import type { Pace } from './pace.ts';

const rowsAtOnce = 1000;

/** Returns the number of entries. */
export async function auditState(
  task: ChainAudit,
  height: number,
  { own, certified }: AuditedCheckpoint,
  pace: Pace,
): Promise<number> {
  const { chain, findings } = task;
  const where = { height, table: 'state' };
  const count = await findings.guardAsync('state', where, () => auditBuckets(task, pace));
  const expected = certified ?? own;
  if (expected === null) return count ?? 0;
  const tree = findings.guard('state', where, () => createStateTree(chain.entries));
  if (tree === null || equalBytes(tree.root(), expected.stateRoot)) return count ?? 0;
  const who = certified === null ? 'the own checkpoint of this height has' : 'a quorum signed for this height';
  findings.add('state', 'audit.root-differs', `the entries of the state give another root than ${who}`, where);
  return count ?? 0;
}

/** Every entry lies in the bucket of its key, or a look-up by bucket would pass it over. */
async function auditBuckets({ database, findings }: ChainAudit, pace: Pace): Promise<number> {
  const page = database.sqlite.prepare(
    'SELECT key, bucket, length(value) AS valueBytes FROM state WHERE key > ? ORDER BY key LIMIT ?',
  );
  let after: Uint8Array = new Uint8Array(0);
  let count = 0;
  for (;;) {
    const rows = page.all(after, rowsAtOnce) as { key: Uint8Array; bucket: number; valueBytes: number }[];
    let bytes = 0;
    for (const { key, bucket, valueBytes } of rows) {
      const hash = sha256(key);
      bytes += key.length + valueBytes;
      if (bucket === hash[0]! * 256 + hash[1]!) continue;
      const path = keyToPath(key);
      findings.add('state', 'audit.differs', `the entry ${path} lies in the wrong bucket`, {
        table: 'state',
        key: path,
      });
    }
    count += rows.length;
    await pace.spend(bytes);
    if (rows.length < rowsAtOnce) return count;
    after = rows.at(-1)!.key;
  }
}
