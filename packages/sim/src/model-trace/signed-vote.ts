/** The vote under a signature of the voting key (wire-format.md, "Signatures"); null where it is of a batch. */
import { type Cbor, decodeCbor, readVote, type Vote } from '@cairn-ledger/core';

const codes: ReadonlyMap<Cbor, number> = new Map([
  ['notarize', 0],
  ['nullify', 1],
  ['finalize', 2],
]);

export function decodeSignedVote(bytes: Uint8Array): Vote | null {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value)) throw new Error('what is signed is a CBOR array');
  const [, kind, , statement] = decoded.value;
  const code = codes.get(kind!);
  return code === undefined ? null : readVote([code, statement!]);
}
