/**
 * A receipt: proof that a transaction stands in the history tree of a certified checkpoint (wire-format.md section 4).
 *
 *     Bundle  = [ Proof, [+ [ protected: bstr .cbor ReceiptHeader, signature: bstr .size 64 ]] ]
 *     Proof   = bstr .cbor [ treeSize, leafIndex, [+ bstr .size 32] ]
 *     Receipt = #6.18([ protected, { 396 => { -1 => [ Proof ] } }, nil, signature ])           ; RFC 9942
 *
 * A bundle holds the signatures of a quorum over one root. Each of its rows, put together with the proof, is a standard COSE
 * Receipt, and as many of those are a bundle: the signed bytes are the same. Rows ascend by the id of their signer, none twice.
 *
 * Decoding checks the form only; `proof/receipt.ts` checks whether it is true.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { decodeCoseSign1, encodeCoseSign1 } from '../bytes/cose.ts';
import { compareBytes, equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, listOf, readShape, requireShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { merklePathMax } from '../crypto/merkle.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import { type Hash, toHash } from './brands.ts';
import { type CheckpointHeader, decodeProtectedHeader } from './checkpoint.ts';
import { validatorSetMax } from './validator-set.ts';

export const receiptBytesMax = 1 << 17;

export type InclusionProof = {
  readonly treeSize: number;
  readonly leafIndex: number;
  /** From the leaf upwards; never empty, because genesis writes two leaves. */
  readonly path: readonly Hash[];
};

export type ReceiptRow = {
  /** The exact bytes that are signed. */
  readonly protectedHeader: Uint8Array;
  readonly signature: Uint8Array;
};

export type ReceiptBundle = {
  readonly proof: InclusionProof;
  readonly rows: readonly ReceiptRow[];
};

/** A bundle with its headers read, in the same order as its rows. */
export type DecodedBundle = ReceiptBundle & { readonly headers: readonly CheckpointHeader[] };

const proofsLabel = 396;
const inclusionLabel = -1;

/** Encodes a bundle; rows may come in any order, and must be of different signers. */
export function encodeBundle(bundle: ReceiptBundle): Uint8Array {
  const rows = bundle.rows
    .map((row) => ({ row, id: idBytesOf(headerOf(row)) }))
    .sort((a, b) => compareBytes(a.id, b.id));
  return encodeCbor([encodeProof(bundle.proof), rows.map(({ row }): Cbor => [row.protectedHeader, row.signature])]);
}

/** Errors: `receipt.malformed`, `receipt.duplicate-signer`. */
export function decodeBundle(bytes: Uint8Array): Result<DecodedBundle, CairnError> {
  if (bytes.length > receiptBytesMax) return malformed(`a receipt has at most ${receiptBytesMax} bytes`);
  const bundle = decodeShape('receipt.malformed', bytes, (value): ReceiptBundle => {
    const [proof, rows] = tupleOf(value, 2, 'receipt bundle');
    const read = listOf(rows!, validatorSetMax, 'receipt rows', readRow);
    requireShape(read.length >= 1, 'a receipt bundle has at least one row');
    return { proof: readProof(proof!), rows: read };
  });
  return bundle.ok ? withHeaders(bundle.value) : malformed(bundle.error.message);
}

/** Expands a bundle into standard COSE Receipts (RFC 9942), one for each signer. */
export function bundleToReceipts(bundle: ReceiptBundle): Uint8Array[] {
  const proofs = new Map([[proofsLabel, new Map([[inclusionLabel, [encodeProof(bundle.proof)]]])]]);
  return bundle.rows.map(({ protectedHeader, signature }) =>
    encodeCoseSign1({ protectedBytes: protectedHeader, unprotectedHeader: proofs, payload: null, signature }),
  );
}

/**
 * Puts standard receipts of one transaction and one checkpoint together. Errors: `receipt.malformed`,
 * `receipt.duplicate-signer`, `receipt.mixed-checkpoints` (their proofs differ).
 */
export function receiptsToBundle(receipts: readonly Uint8Array[]): Result<DecodedBundle, CairnError> {
  if (receipts.length < 1 || receipts.length > validatorSetMax) {
    return malformed(`from 1 to ${validatorSetMax} receipts make a bundle`);
  }
  const rows: ReceiptRow[] = [];
  let proof: InclusionProof | null = null;
  for (const bytes of receipts) {
    const receipt = decodeReceipt(bytes);
    if (!receipt.ok) return receipt;
    proof ??= receipt.value.proof;
    if (!equalBytes(encodeProof(receipt.value.proof), encodeProof(proof))) {
      return fail({
        code: 'receipt.mixed-checkpoints',
        message: 'the receipts are of different places or checkpoints',
      });
    }
    rows.push(receipt.value.row);
  }
  return decodeBundleOf(proof!, rows);
}

/** Reads one standard receipt. Error: `receipt.malformed`. */
export function decodeReceipt(bytes: Uint8Array): Result<{ proof: InclusionProof; row: ReceiptRow }, CairnError> {
  if (bytes.length > receiptBytesMax) return malformed(`a receipt has at most ${receiptBytesMax} bytes`);
  const message = decodeCoseSign1(bytes);
  if (!message.ok) return malformed(message.error.message);
  const { protectedBytes, unprotectedHeader, payload, signature } = message.value;
  const header = decodeProtectedHeader(protectedBytes);
  if (!header.ok) return malformed(header.error.message);
  const proof = readShape('receipt.malformed', new Map(unprotectedHeader), (value) => {
    requireShape(payload === null, 'the payload of a receipt is detached');
    requireShape(signature.length === 64, 'a signature has 64 bytes');
    const proofs = onlyValueOf(onlyValueOf(value, proofsLabel), inclusionLabel);
    return readProof(tupleOf(proofs, 1, 'inclusion proofs')[0]!);
  });
  if (!proof.ok) return malformed(proof.error.message);
  return ok({ proof: proof.value, row: { protectedHeader: protectedBytes, signature } });
}

/** Strict decoding of what was just put together, so that the same rules hold for both forms. */
function decodeBundleOf(proof: InclusionProof, rows: readonly ReceiptRow[]): Result<DecodedBundle, CairnError> {
  return decodeBundle(encodeBundle({ proof, rows }));
}

function withHeaders(bundle: ReceiptBundle): Result<DecodedBundle, CairnError> {
  const headers: CheckpointHeader[] = [];
  for (const row of bundle.rows) {
    const header = decodeProtectedHeader(row.protectedHeader);
    if (!header.ok) return malformed(header.error.message);
    const before = headers.at(-1);
    const order = before === undefined ? -1 : compareBytes(idBytesOf(before), idBytesOf(header.value));
    if (order === 0) {
      return fail({
        code: 'receipt.duplicate-signer',
        message: `The receipt counts validator ${header.value.signer} twice. It was put together wrongly; ask another node.`,
      });
    }
    if (order > 0) return malformed('rows must ascend by the id of their signer');
    headers.push(header.value);
  }
  return ok({ ...bundle, headers });
}

function headerOf(row: ReceiptRow): CheckpointHeader {
  const header = decodeProtectedHeader(row.protectedHeader);
  assert(header.ok, 'a row to encode has a proper header');
  return header.value;
}

const encoder = new TextEncoder();

function idBytesOf(header: CheckpointHeader): Uint8Array {
  return encoder.encode(header.signer);
}

function encodeProof({ treeSize, leafIndex, path }: InclusionProof): Uint8Array {
  return encodeCbor([treeSize, leafIndex, path]);
}

function readProof(value: Cbor): InclusionProof {
  const decoded = decodeShape('receipt.malformed', bytesOf(value, 'inclusion proof'), (content): InclusionProof => {
    const [treeSize, leafIndex, path] = tupleOf(content, 3, 'inclusion proof');
    const hashes = listOf(path!, merklePathMax, 'path', (item) => toHash(bytesOf(item, 'hash', 32)));
    requireShape(hashes.length >= 1, 'a path is never empty');
    return { treeSize: uintOf(treeSize!, 'tree size'), leafIndex: uintOf(leafIndex!, 'leaf index'), path: hashes };
  });
  requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function readRow(value: Cbor): ReceiptRow {
  const [protectedHeader, signature] = tupleOf(value, 2, 'receipt row');
  return {
    protectedHeader: bytesOf(protectedHeader!, 'protected header'),
    signature: bytesOf(signature!, 'signature', 64),
  };
}

function onlyValueOf(value: Cbor, label: number): Cbor {
  requireShape(value instanceof Map && value.size === 1 && value.has(label), `label ${label} must stand here alone`);
  return value.get(label)!;
}

function malformed(why: string): Result<never, CairnError> {
  return fail({
    code: 'receipt.malformed',
    message: `This is not a receipt of Cairn: ${why}. Check how it was saved.`,
  });
}
