/**
 * Signs readings for devices that cannot sign: a transaction of the gateway's own key whose claim sub names the device,
 * `member/device` (core/ledger/readings.ts). The ledger shows such readings as *gateway-attested*. Claim iat is the
 * gateway's clock. There is no expiry: a site may be offline for days.
 */

import {
  type CairnError,
  completeTransaction,
  encodePack,
  fail,
  ok,
  prepareTransaction,
  type ReadingInput,
  type Result,
  type Signer,
  toHex,
  transactionBytesMax,
} from '@cairn-ledger/core';
import type { NewTransaction, Outbox } from './outbox.ts';
import type { DeviceReadings } from './readings.ts';

/** Header, claims with the longest device name, and signature. */
const OVERHEAD_BYTES_MAX = 300;

export type Attestor = {
  /** Takes a counter: add the transaction to the outbox in the same turn of the event loop. */
  attest(device: string, parts: readonly DeviceReadings[], nowMs: number): Result<NewTransaction, CairnError>;
};

export function createAttestor(options: {
  readonly signer: Signer;
  readonly ledgerHash: Uint8Array;
  readonly outbox: Outbox;
}): Attestor {
  const { signer, ledgerHash, outbox } = options;
  const kidHex = toHex(signer.kid);
  return {
    attest(device, parts, nowMs) {
      const senml = packOf(parts);
      if (!senml.ok) return senml;
      if (senml.value.length > transactionBytesMax - OVERHEAD_BYTES_MAX) return fail(tooLarge());
      const unsigned = prepareTransaction(
        {
          ledgerHash,
          counter: outbox.takeCounter(kidHex),
          senml: senml.value,
          issuedSeconds: Math.floor(nowMs / 1000),
          sub: device,
        },
        signer.algorithm,
        signer.kid,
      );
      const bytes = completeTransaction(unsigned, signer.sign(unsigned.signedBytes));
      return ok({ id: unsigned.id, bytes, source: device });
    },
  };
}

/** One pack of several plain ones, or the only one as it was sent. */
function packOf(parts: readonly DeviceReadings[]): Result<Uint8Array, CairnError> {
  const [first] = parts;
  if (first?.type === 'as-sent') return ok(first.pack);
  const readings: ReadingInput[] = [];
  for (const part of parts) if (part.type === 'plain') readings.push(...part.readings);
  return encodePack(readings);
}

function tooLarge(): CairnError {
  return { code: 'tx.too-large', message: 'the readings do not fit into one transaction: send fewer at a time' };
}
