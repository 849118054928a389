/**
 * Digests as keys of maps: one character for each byte, remembered for each array, since the same array is looked up many
 * times. Never shown to anybody: texts for people are hexadecimal (`bytes/hex.ts`).
 */
import type { Hash } from '../model/brands.ts';

const names = new WeakMap<Uint8Array, string>();

export function nameOf(digest: Hash): string {
  const known = names.get(digest);
  if (known !== undefined) return known;
  const name = String.fromCharCode.apply(null, digest as unknown as number[]);
  names.set(digest, name);
  return name;
}
