/**
 * The files that prove a transaction to whoever has the genesis: `x.receipt`, beside it the transaction as ordered
 * (`x.cose`) and, where the validators have changed since the anchor, the proofs of the changes (`x.epochs`). A receipt that
 * was saved without proofs stays good: only one of a later epoch needs them.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  anchorFileBytesMax,
  decodeAnchorFile,
  decodeEpochsFile,
  decodeSignedRestart,
  type EpochProof,
  encodeAnchorFile,
  encodeEpochsFile,
  epochsFileBytesMax,
  receiptBytesMax,
  restartBytesMax,
  type SignedRestart,
  setToTrustAnchor,
  type TrustAnchor,
  toEpoch,
  transactionBytesMax,
} from '@cairn-ledger/core';
import type { Delivered } from '@cairn-ledger/sdk';
import { CommandFailed, orFail } from './exit-code.ts';

export type SavedReceipt = {
  readonly receipt: string;
  readonly transaction: string;
  /** Null where the receipt is of the anchor's own epoch. */
  readonly epochs: string | null;
};

export type ReceiptFiles = {
  readonly receipt: Uint8Array;
  readonly transaction: Uint8Array;
  readonly proofs: readonly EpochProof[];
};

/** Writes `<path>` and, beside it, the transaction the receipt covers and the proofs that lead to its epoch. */
export function saveReceipt(
  path: string,
  { receipt, transaction, proofs }: Pick<Delivered, 'receipt' | 'transaction' | 'proofs'>,
): SavedReceipt {
  const saved = { receipt: path, transaction: beside(path, '.cose') };
  writeFileSync(saved.receipt, receipt);
  writeFileSync(saved.transaction, transaction);
  const [first] = proofs;
  if (first === undefined) return { ...saved, epochs: null };
  const epochs = beside(path, '.epochs');
  writeFileSync(epochs, encodeEpochsFile({ ledgerHash: first.signatures[0]!.statement.ledgerHash, proofs }));
  return { ...saved, epochs };
}

export function savedText({ receipt, transaction, epochs }: SavedReceipt): string {
  return epochs === null ? `${receipt} and ${transaction}` : `${receipt}, ${transaction} and ${epochs}`;
}

/**
 * Reads a receipt with what belongs to it.
 *
 * @param transactionPath beside the receipt unless told
 * @param epochsPath beside the receipt unless told, if there is such a file
 */
export function readReceiptFiles(receiptPath: string, transactionPath?: string, epochsPath?: string): ReceiptFiles {
  const usualEpochsPath = beside(receiptPath, '.epochs');
  const epochs = epochsPath ?? (existsSync(usualEpochsPath) ? usualEpochsPath : null);
  return {
    receipt: readBytes(receiptPath, receiptBytesMax),
    transaction: readBytes(transactionPath ?? beside(receiptPath, '.cose'), transactionBytesMax),
    proofs: epochs === null ? [] : orFail(decodeEpochsFile(readBytes(epochs, epochsFileBytesMax))).proofs,
  };
}

/** An anchor, or a restart document: who trusts that the members signed it trusts the set that it names. */
export function readAnchorFile(path: string): TrustAnchor {
  const anchor = decodeAnchorFile(readBytes(path, anchorFileBytesMax));
  if (anchor.ok) return anchor.value;
  const restart = decodeSignedRestart(readBytes(path, restartBytesMax));
  return restart.ok ? restartToAnchor(restart.value) : orFail(anchor);
}

/** The anchor of the epoch that a restart document begins. */
export function restartToAnchor({ restart: { ledgerHash, block, validators } }: SignedRestart): TrustAnchor {
  const { epoch, timeMs } = block.header;
  return setToTrustAnchor(ledgerHash, toEpoch(epoch + 1), validators, Math.floor(timeMs / 1_000));
}

export function saveAnchor(path: string, anchor: TrustAnchor): void {
  writeFileSync(path, encodeAnchorFile(anchor));
}

function beside(receiptPath: string, extension: string): string {
  return receiptPath.replace(/(\.receipt)?$/, extension);
}

/** The bytes of a file; of one that is too large a byte more than may be, which its decoder refuses. */
function readBytes(path: string, sizeMax: number): Uint8Array {
  try {
    if (statSync(path).size > sizeMax) return new Uint8Array(sizeMax + 1);
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CommandFailed({
      code: 'usage.unreadable',
      message: `${path} cannot be read: ${(error as Error).message}`,
    });
  }
}
