/** A verifier that remembers what has held: for readers that come by the same signatures again and again, as those of a checkpoint. */
import { sha256, toHex, type Verifier } from '@cairn-ledger/core';

/** About 150 bytes each. */
const rememberedMax = 4_096;

export function createRememberingVerifier(verifier: Verifier): Verifier {
  const held = new Set<string>();
  return {
    ...verifier,
    verify(algorithm, publicKey, message, signature) {
      const name = nameOf(algorithm, [publicKey, message, signature]);
      if (held.has(name)) return true;
      if (!verifier.verify(algorithm, publicKey, message, signature)) return false;
      held.add(name);
      if (held.size > rememberedMax) held.delete(held.values().next().value!);
      return true;
    },
  };
}

/** Each part stands behind its length, so that no two questions have one name. */
function nameOf(algorithm: string, parts: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return `${algorithm} ${toHex(sha256(bytes))}`;
}
