/**
 * What validators sign: `["cairn", kind, ledger hash, canonical body]` (wire-format.md section 5), so that no signature
 * can be taken for one of another kind or another ledger.
 */
import { encodeCbor } from '../bytes/cbor.ts';
import type { Hash } from '../model/brands.ts';
import { assert } from '../result.ts';

/**
 * The bytes a validator signs for a message.
 *
 * @param kind a short lower-case word, one per type of body
 * @param body strict CBOR; one body has one encoding
 */
export function signedBytes(kind: string, ledgerHash: Hash, body: Uint8Array): Uint8Array {
  assert(ledgerHash.length === 32, 'a ledger hash has 32 bytes');
  return encodeCbor(['cairn', kind, ledgerHash, body]);
}
