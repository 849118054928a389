/**
 * Everything that a node holds of one height, for whoever audits it from outside: exactly the bytes that it has stored, so that what
 * is wrong with them shows. Only what proves itself is in it: a block and its finalization, the batches, the checkpoint.
 *
 *     HeldHeight = [ header: bstr, body: bstr, view, finalization: bstr / null, historySize, verdicts: bstr, statement: bstr,
 *                    signatures: bstr / null, [* batch: bstr], [* [ level, index, hashes: bstr ]] ]
 *
 * The last item is the right edge of the history tree after this height, where it is asked for: whoever begins there goes on
 * from it.
 */
import {
  batchBytesMax,
  blockBatchesMax,
  bytesOf,
  type CairnError,
  type Cbor,
  decodeShape,
  encodeCbor,
  fail,
  listOf,
  type Result,
  requireShape,
  type Tile,
  tupleOf,
  uintOf,
} from '@cairn-ledger/core';

export type HeldHeight = {
  /** Of the genesis both are empty. */
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly view: number;
  readonly finalization: Uint8Array | null;
  readonly historySize: number;
  /** See verdicts.ts. */
  readonly verdicts: Uint8Array;
  readonly statement: Uint8Array;
  readonly signatures: Uint8Array | null;
  /** In the order of the block. */
  readonly batches: readonly Uint8Array[];
  readonly edge: readonly Tile[];
};

/** 4 MiB of batches, verdicts with a message for each transaction, and what else is in a block. */
export const heldHeightBytesMax = 24 << 20;
const levelsMax = 8;
const indexMax = 2 ** 44 - 1;
const tileBytesMax = 8_192;

export function encodeHeldHeight(held: HeldHeight): Uint8Array {
  return encodeCbor([
    held.header,
    held.body,
    held.view,
    held.finalization,
    held.historySize,
    held.verdicts,
    held.statement,
    held.signatures,
    [...held.batches],
    held.edge.map(({ level, index, hashes }) => [level, index, hashes]),
  ]);
}

/** Checks the form only. Error: `audit.malformed`. */
export function decodeHeldHeight(bytes: Uint8Array): Result<HeldHeight, CairnError> {
  if (bytes.length > heldHeightBytesMax)
    return fail({ code: 'audit.malformed', message: `a height has at most ${heldHeightBytesMax} bytes` });
  return decodeShape('audit.malformed', bytes, (value) => {
    const fields = tupleOf(value, 10, 'height');
    return {
      header: bytesOf(fields[0]!, 'header'),
      body: bytesOf(fields[1]!, 'body'),
      view: uintOf(fields[2]!, 'view'),
      finalization: fields[3] === null ? null : bytesOf(fields[3]!, 'finalization'),
      historySize: uintOf(fields[4]!, 'history size'),
      verdicts: bytesOf(fields[5]!, 'verdicts'),
      statement: bytesOf(fields[6]!, 'statement'),
      signatures: fields[7] === null ? null : bytesOf(fields[7]!, 'signatures'),
      batches: listOf(fields[8]!, blockBatchesMax, 'batches', readBatchBytes),
      edge: listOf(fields[9]!, levelsMax, 'edge', readEdgeTile),
    };
  });
}

function readBatchBytes(value: Cbor): Uint8Array {
  const bytes = bytesOf(value, 'batch');
  requireShape(bytes.length <= batchBytesMax, 'a batch is too long');
  return bytes;
}

function readEdgeTile(value: Cbor): Tile {
  const [level, index, hashes] = tupleOf(value, 3, 'tile');
  const bytes = bytesOf(hashes!, 'hashes');
  requireShape(
    bytes.length > 0 && bytes.length <= tileBytesMax && bytes.length % 32 === 0,
    'a tile has 1 to 256 hashes',
  );
  return { level: uintOf(level!, 'level', levelsMax), index: uintOf(index!, 'index', indexMax), hashes: bytes };
}
