/**
 * Answers about the state are checked before they are given: the edge thread reads rows, and the ledger thread, which has the hashes
 * of all buckets in memory as they were when the rows were written, says whether that is what stands under its state root.
 * Whoever edits a balance on disk is contradicted at the first question, not only by the next block or the audit.
 *
 * A row that is read between two blocks may be older or newer than the tree; then it is read again. What is missing on disk
 * is noticed where it was asked for by its key, not in a list.
 */
import { equalBytes, type Hash, type ListingStore, type StateTree, sha256, verifyStateProof } from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import { NodeFailed } from '../failure.ts';

/** A row as it was read: its key, and the hash of its value; null where there was none. */
export type ReadRow = { readonly key: Uint8Array; readonly valueHash: Uint8Array | null };

/** `changed`: it is another one by now, and sound. */
export type StateVerdict = 'sound' | 'changed' | 'damaged';

/** In the ledger thread, between two blocks. */
export function checkState(
  store: Pick<ListingStore, 'get'>,
  tree: Pick<StateTree, 'root' | 'prove'>,
  rows: readonly ReadRow[],
): StateVerdict {
  let verdict: StateVerdict = 'sound';
  const root = tree.root();
  for (const { key, valueHash } of rows) {
    const keyHash = sha256(key);
    const value = store.get(key);
    const stored = value === null ? null : sha256(value);
    const proven = provenUnder(root, tree, keyHash);
    if (proven === 'damaged' || !isSame(proven, stored)) return 'damaged';
    if (!isSame(stored, valueHash)) verdict = 'changed';
  }
  return verdict;
}

/** Also where rows have gone, or cannot be read: then the tree finds other entries than it counted. */
function provenUnder(root: Hash, tree: Pick<StateTree, 'prove'>, keyHash: Hash): Uint8Array | null | 'damaged' {
  try {
    const proven = verifyStateProof(root, keyHash, tree.prove(keyHash));
    return proven.ok ? proven.value : 'damaged';
  } catch {
    return 'damaged';
  }
}

export function damagedState(): Finding {
  return {
    class: 'state',
    code: 'audit.differs',
    what: 'a row of the state that was asked for is not what was written',
    where: { table: 'state' },
  };
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/** In the edge thread: asks the other one about rows. */
export type AskAboutState = (rows: readonly ReadRow[]) => Promise<StateVerdict>;

/** Blocks may come faster than answers; then the node is busy with other things than this. */
const triesMax = 8;

/** Rejects with `node.damaged` when what was read does not stand under the state root. */
export async function readChecked<T>(
  store: ListingStore,
  ask: AskAboutState,
  read: (store: ListingStore) => T,
): Promise<T> {
  for (let tries = 0; tries < triesMax; tries++) {
    const rows: ReadRow[] = [];
    const result = read(recording(store, rows));
    const verdict = await ask(rows);
    if (verdict === 'sound') return result;
    if (verdict === 'damaged')
      throw new NodeFailed({ code: 'node.damaged', message: 'what this node keeps about that is damaged' });
  }
  throw new NodeFailed({ code: 'node.syncing', message: 'blocks come faster than this can be checked: ask again' });
}

function recording(store: ListingStore, rows: ReadRow[]): ListingStore {
  return {
    get(key) {
      const value = store.get(key);
      rows.push({ key, valueHash: value === null ? null : sha256(value) });
      return value;
    },
    *list(prefix) {
      for (const row of store.list(prefix)) {
        rows.push({ key: row.key, valueHash: sha256(row.value) });
        yield row;
      }
    },
  };
}
