/**
 * The state as seen, and changed, while one block is executed: records are read from the store and decoded once, changed
 * in memory, and encoded once at the end. Nothing reaches the store before the block is done.
 *
 * `attempt` makes a transaction's changes apply together or not at all.
 */
import { type Cbor, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { readShape } from '../bytes/shape.ts';
import { assert, type CairnError } from '../result.ts';
import type { RecordKind } from './records.ts';
import { pathToKey, type Store, type Write } from './store.ts';

export interface WorkingState {
  get<T>(kind: RecordKind<T>, path: string): T | null;
  /** `record` null deletes. Records are never changed in place. */
  set<T>(kind: RecordKind<T>, path: string, record: T | null): void;
  /** Runs `change`; when it returns an error, everything it set is as before. */
  attempt(change: () => CairnError | null): CairnError | null;
  /** Runs `change` to see what it returns; everything it set is as before in any case. */
  rehearse(change: () => CairnError | null): CairnError | null;
  /** True when the record at `path` was set, and not undone; perhaps to what it was before. */
  isChanged(path: string): boolean;
  /** Everything that was set, ascending by key, one write for each. */
  writes(): Write[];
}

/** `kind` is erased: a path is only ever used with one kind of record. */
type Slot = { record: unknown; isChanged: boolean; readonly isStored: boolean; readonly kind: RecordKind<unknown> };
type Undo = { readonly slot: Slot; readonly record: unknown; readonly isChanged: boolean };

export function createWorkingState(store: Store): WorkingState {
  const slots = new Map<string, Slot>();
  let undos: Undo[] | null = null;

  return {
    get: <T>(kind: RecordKind<T>, path: string) => slotAt(kind, path).record as T | null,
    set(kind, path, record) {
      const slot = slotAt(kind, path);
      undos?.push({ slot, record: slot.record, isChanged: slot.isChanged });
      slot.record = record;
      slot.isChanged = true;
    },
    attempt: (change) => run(change, false),
    rehearse: (change) => run(change, true),
    isChanged: (path) => slots.get(path)?.isChanged ?? false,
    writes() {
      const changed = [...slots].filter(([, slot]) => slot.isChanged && (slot.isStored || slot.record !== null));
      // Paths are ascii, so the order of their UTF-16 units is the order of their bytes.
      changed.sort(([a], [b]) => (a < b ? -1 : 1));
      return changed.map(([path, slot]) => ({
        key: pathToKey(path),
        value: slot.record === null ? null : encodeCbor(slot.kind.toCbor(slot.record)),
      }));
    },
  };

  function run(change: () => CairnError | null, isRehearsal: boolean): CairnError | null {
    assert(undos === null, 'attempts are not nested');
    undos = [];
    const error = change();
    if (error !== null || isRehearsal) undos.reverse().forEach(undo);
    undos = null;
    return error;
  }

  function slotAt<T>(kind: RecordKind<T>, path: string): Slot {
    let slot = slots.get(path);
    if (slot === undefined) {
      const bytes = store.get(pathToKey(path));
      const record = bytes === null ? null : decodeRecord(kind, bytes, path);
      slot = { record, isChanged: false, isStored: bytes !== null, kind };
      slots.set(path, slot);
    }
    return slot;
  }
}

function undo({ slot, record, isChanged }: Undo): void {
  slot.record = record;
  slot.isChanged = isChanged;
}

/** Decodes a record of our own; one that does not decode means a damaged disk or a bug, and stops the node. */
export function decodeRecord<T>(kind: RecordKind<T>, bytes: Uint8Array, path: string): T {
  const decoded = decodeCbor(bytes);
  assert(decoded.ok, `the record at ${path} is CBOR`);
  const record = readShape<T>('state.damaged', decoded.value as Cbor, kind.read);
  assert(record.ok, `the record at ${path} has the shape of its kind`);
  return record.value;
}
