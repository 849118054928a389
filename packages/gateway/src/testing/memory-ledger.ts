/** A ledger for tests: takes what decodes and is signed by a known key, once; certifies it at once. */

import {
  decodeTransaction,
  nobleVerifier,
  ok,
  type Reading,
  readingsOf,
  type Signer,
  type Transaction,
  toHex,
} from '@cairn-ledger/core';
import type { LedgerPort, SubmitOutcome } from '../ledger-port.ts';

export type MemoryLedger = LedgerPort & {
  readonly transactions: Transaction[];
  /** While true, nothing can be handed in. */
  isDown: boolean;
  /** All readings, in order, under the device that claim sub names. */
  readings(): Reading[];
};

export function createMemoryLedger(
  signers: readonly Signer[],
  onAccepted: (transaction: Transaction) => void = () => {},
): MemoryLedger {
  const keys = new Map(signers.map((signer) => [toHex(signer.kid), signer]));
  const known = new Map<string, number>();
  const transactions: Transaction[] = [];

  function submitOne(bytes: Uint8Array): SubmitOutcome {
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return { type: 'rejected', error: decoded.error };
    const { id, header, signature, signedBytes } = decoded.value;
    if (known.has(toHex(id))) return { type: 'known', id };
    const key = keys.get(toHex(header.kid));
    if (key === undefined) return rejected('tx.unknown-key');
    if (!nobleVerifier.verify(key.algorithm, key.publicKey, signedBytes, signature))
      return rejected('tx.bad-signature');
    if (
      transactions.some(
        (other) =>
          other.header.counter === header.counter && other.header.kid.every((byte, at) => byte === header.kid[at]),
      )
    ) {
      return rejected('tx.replayed');
    }
    known.set(toHex(id), transactions.length);
    transactions.push(decoded.value);
    onAccepted(decoded.value);
    return { type: 'accepted', id };
  }

  return {
    transactions,
    isDown: false,
    async submit(submitted) {
      if (this.isDown) throw new Error('no node can be reached');
      return submitted.map(submitOne);
    },
    async waitFor(id) {
      const leafIndex = known.get(toHex(id));
      if (leafIndex === undefined) return null;
      const provenance = transactions[leafIndex]?.header.sub === undefined ? 'device-signed' : 'gateway-attested';
      return {
        status: 'accepted',
        certified: true,
        code: null,
        message: null,
        height: 1,
        position: leafIndex,
        leafIndex,
        provenance,
      };
    },
    receipt: async (id) => ok(Uint8Array.from([0x82, ...id])),
    readings: () => transactions.flatMap((transaction) => readingsOf(transaction, transaction.header.sub ?? 'signed')),
  };
}

function rejected(code: string): SubmitOutcome {
  return { type: 'rejected', error: { code, message: 'as the test wants it' } };
}
