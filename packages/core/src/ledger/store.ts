/**
 * The ledger's only sight of stored state: one synchronous port. Keys are ascii paths, values strict CBOR.
 *
 * Execution uses `get` alone. `list` serves queries; what it returns may never reach a verdict or a hash.
 */

export interface Store {
  get(key: Uint8Array): Uint8Array | null;
}

export interface ListingStore extends Store {
  /** Every entry whose key begins with `prefix`, in any order. */
  list(prefix: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/** A change of the state: `value` null deletes the entry. */
export type Write = { readonly key: Uint8Array; readonly value: Uint8Array | null };

/** Bytes of an ascii path. */
export function pathToKey(path: string): Uint8Array {
  const key = new Uint8Array(path.length);
  for (let i = 0; i < path.length; i++) key[i] = path.charCodeAt(i);
  return key;
}

/** Ascii path of a state key, for queries. */
export function keyToPath(key: Uint8Array): string {
  let path = '';
  for (let i = 0; i < key.length; i++) path += String.fromCharCode(key[i]!);
  return path;
}
