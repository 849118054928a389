/**
 * What a node that has lost its state, or never had one, asks of others, and what they answer (protocol.md section 7).
 *
 *     Snapshot  = [ height, [* CheckpointStatement], [* CheckpointSignature], [* Block], [1*2 finalization: Certificate],
 *                   [* [author, seq, digest: bstr .size 32, height]] ]
 *     StatePart = [ path: tstr, 0, [16* bstr .size 32] ] / [ path: tstr, 1, [* [key: bstr, value: bstr]] ]
 *     Tile      = [ level, index, hashes: bstr ]
 *
 * Nothing here is believed: statements need a quorum's signatures or a block that names them, blocks link up to a
 * finalization, parts of the state and tiles hash to what a statement says. Only what no root covers, the floors of
 * authors long silent and the reasons of verdicts, needs f+1 peers that say the same.
 */
import type { Cbor } from '../bytes/cbor.ts';
import { bytesOf, listOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { unreachable } from '../result.ts';
import { type Block, decodeBlock, encodeBlock } from './block.ts';
import {
  type Epoch,
  type Hash,
  type Height,
  toEpoch,
  toHash,
  toHeight,
  toValidatorIndex,
  type ValidatorIndex,
} from './brands.ts';
import { type Certificate, certificateToCbor, readCertificate, validatorsMax } from './certificate.ts';
import { type CheckpointStatement, checkpointStatementToCbor, readCheckpointStatement } from './checkpoint.ts';
import {
  type CheckpointSignature,
  checkpointSignatureToCbor,
  readCheckpointSignature,
} from './checkpoint-signature.ts';
import { type EpochProof, epochProofToCbor, readEpochProof } from './epoch-proof.ts';

/** Parts of the state asked for at once. */
export const statePathsMax = 256;
/** Bytes of an answer with parts of the state or tiles, unless one part alone has more. */
export const statePageBytesMax = 1 << 20;
/** Entries in one answer with parts of the state. */
export const statePageEntriesMax = 16_384;
/** Entries of one bucket (state-tree.ts). */
export const stateBucketEntriesMax = 256;
/** Tiles asked for at once: 1 MiB. */
export const tilePlacesMax = 128;
/** Blocks, and statements, of a snapshot: the largest checkpoint lag, and as many above it. */
export const snapshotBlocksMax = 2_048;
export const snapshotSignaturesMax = 4_096;

/** Proofs in one answer. */
export const epochProofsMax = 16;

const nibblesMax = 64;
const tileBytesMax = 8_192;
const tileLevelsMax = 8;
/** 2^44 - 1: as many tiles as 2^52 leaves have. */
const tileIndexMax = 17_592_186_044_415;
const verdictsBytesMax = 4 << 20;

/** The last batch of an author that the chain up to a height lists, and the height of the block that lists it. */
export type FloorClaim = {
  readonly author: ValidatorIndex;
  readonly seq: number;
  readonly digest: Hash;
  readonly height: Height;
};

/** A height of which the state can be had, and everything that proves its roots. */
export type Snapshot = {
  readonly height: Height;
  /** Of the last L + 1 heights, ascending; the last one is that of `height`. */
  readonly statements: readonly CheckpointStatement[];
  /** Of a quorum for `height`, and for as many of the other statements as there are. */
  readonly signatures: readonly CheckpointSignature[];
  /** From that of the first statement up to one at or above `height`. */
  readonly blocks: readonly Block[];
  /** Of the block at `height`, and of the last one where that is another. */
  readonly finalizations: readonly Certificate[];
  /** Of the epoch that the block after `height` is of. */
  readonly floors: readonly FloorClaim[];
};

/** `path`: the nibbles from the root, hexadecimal. */
export type StatePart =
  | { readonly type: 'node'; readonly path: string; readonly children: readonly Hash[] }
  | { readonly type: 'bucket'; readonly path: string; readonly entries: readonly StateRow[] };

export type StateRow = { readonly key: Uint8Array; readonly value: Uint8Array };
export type TilePlace = { readonly level: number; readonly index: number };
export type Tile = TilePlace & { readonly hashes: Uint8Array };

/** The outcome of a block as a node has it; `verdicts` as it stores them. */
export type StoredOutcome = { readonly statement: CheckpointStatement; readonly verdicts: Uint8Array };

export type SyncMessage =
  /** How epochs ended, from this one on. */
  | { readonly type: 'request-epochs'; readonly from: Epoch }
  /** A snapshot at or above a height. */
  | { readonly type: 'request-snapshot'; readonly from: Height }
  /** Parts of the state at the height of a snapshot. */
  | { readonly type: 'request-state'; readonly height: Height; readonly paths: readonly string[] }
  /** Tiles of the history tree of a size; without places those of its right edge. */
  | { readonly type: 'request-tiles'; readonly size: number; readonly places: readonly TilePlace[] }
  | { readonly type: 'request-outcome'; readonly height: Height }
  /** In order, without gaps, as many as a message holds; none where the epoch asked for has not ended. */
  | { readonly type: 'epochs'; readonly proofs: readonly EpochProof[] }
  /** Null: none now, ask again. */
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot | null }
  /** The first so many of what was asked for. Null: the snapshot is not held any more. */
  | { readonly type: 'state'; readonly height: Height; readonly parts: readonly StatePart[] | null }
  /** Null: not held. */
  | { readonly type: 'tiles'; readonly size: number; readonly tiles: readonly Tile[] | null }
  | { readonly type: 'outcome'; readonly height: Height; readonly outcome: StoredOutcome | null };

export type SyncMessageType = SyncMessage['type'];

export function syncMessageFields(message: SyncMessage): Cbor[] {
  switch (message.type) {
    case 'request-epochs':
    case 'request-snapshot':
      return [message.from];
    case 'request-state':
      return [message.height, [...message.paths]];
    case 'request-tiles':
      return [message.size, message.places.map(({ level, index }): Cbor => [level, index])];
    case 'request-outcome':
      return [message.height];
    case 'epochs':
      return [message.proofs.map(epochProofToCbor)];
    case 'snapshot':
      return [message.snapshot === null ? null : snapshotToCbor(message.snapshot)];
    case 'state':
      return [message.height, message.parts === null ? null : message.parts.map(partToCbor)];
    case 'tiles':
      return [message.size, message.tiles === null ? null : message.tiles.map(tileToCbor)];
    case 'outcome': {
      const { height, outcome } = message;
      return [height, outcome === null ? null : [checkpointStatementToCbor(outcome.statement), outcome.verdicts]];
    }
    default:
      return unreachable(message);
  }
}

/** For use inside `readShape` or `decodeShape`. */
export function readSyncMessage(type: SyncMessageType, fields: Cbor[]): SyncMessage {
  switch (type) {
    case 'request-epochs':
      return { type, from: toEpoch(uintOf(tupleOf(fields, 1, type)[0]!, 'epoch')) };
    case 'request-snapshot':
      return { type, from: heightOf(tupleOf(fields, 1, type)[0]!) };
    case 'request-state': {
      const [height, paths] = tupleOf(fields, 2, type);
      return { type, height: heightOf(height!), paths: listOf(paths!, statePathsMax, 'paths', readPath) };
    }
    case 'request-tiles': {
      const [size, places] = tupleOf(fields, 2, type);
      return { type, size: uintOf(size!, 'size'), places: listOf(places!, tilePlacesMax, 'places', readPlace) };
    }
    case 'request-outcome':
      return { type, height: heightOf(tupleOf(fields, 1, type)[0]!) };
    case 'epochs':
      return { type, proofs: listOf(tupleOf(fields, 1, type)[0]!, epochProofsMax, 'epoch proofs', readEpochProof) };
    case 'snapshot': {
      const [snapshot] = tupleOf(fields, 1, type);
      return { type, snapshot: snapshot === null ? null : readSnapshot(snapshot!) };
    }
    case 'state': {
      const [height, parts] = tupleOf(fields, 2, type);
      return {
        type,
        height: heightOf(height!),
        parts: parts === null ? null : listOf(parts!, statePathsMax, 'parts', readPart),
      };
    }
    case 'tiles': {
      const [size, tiles] = tupleOf(fields, 2, type);
      return {
        type,
        size: uintOf(size!, 'size'),
        tiles: tiles === null ? null : listOf(tiles!, tilePlacesMax, 'tiles', readTile),
      };
    }
    case 'outcome': {
      const [height, outcome] = tupleOf(fields, 2, type);
      return { type, height: heightOf(height!), outcome: outcome === null ? null : readOutcome(outcome!) };
    }
    default:
      return unreachable(type);
  }
}

function snapshotToCbor({ height, statements, signatures, blocks, finalizations, floors }: Snapshot): Cbor {
  return [
    height,
    statements.map(checkpointStatementToCbor),
    signatures.map(checkpointSignatureToCbor),
    blocks.map(encodeBlock),
    finalizations.map(certificateToCbor),
    floors.map((floor): Cbor => [floor.author, floor.seq, floor.digest, floor.height]),
  ];
}

function readSnapshot(value: Cbor): Snapshot {
  const [height, statements, signatures, blocks, finalizations, floors] = tupleOf(value, 6, 'snapshot');
  return {
    height: heightOf(height!),
    statements: listOf(statements!, snapshotBlocksMax, 'statements', readCheckpointStatement),
    signatures: listOf(signatures!, snapshotSignaturesMax, 'signatures', readCheckpointSignature),
    blocks: listOf(blocks!, snapshotBlocksMax, 'blocks', readBlock),
    finalizations: listOf(finalizations!, 2, 'finalizations', readFinalization),
    floors: listOf(floors!, validatorsMax, 'floors', readFloor),
  };
}

function readBlock(value: Cbor): Block {
  const decoded = decodeBlock(bytesOf(value, 'block'));
  requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function readFinalization(value: Cbor): Certificate {
  const certificate = readCertificate(value);
  requireShape(certificate.vote.type === 'finalize', 'a block is final by a finalization');
  return certificate;
}

function readFloor(value: Cbor): FloorClaim {
  const [author, seq, digest, height] = tupleOf(value, 4, 'floor');
  return {
    author: toValidatorIndex(uintOf(author!, 'author', validatorsMax - 1)),
    seq: uintOf(seq!, 'seq'),
    digest: toHash(bytesOf(digest!, 'digest', 32)),
    height: heightOf(height!),
  };
}

function partToCbor(part: StatePart): Cbor {
  if (part.type === 'node') return [part.path, 0, [...part.children]];
  return [part.path, 1, part.entries.map(({ key, value }): Cbor => [key, value])];
}

function readPart(value: Cbor): StatePart {
  const [path, kind, content] = tupleOf(value, 3, 'part');
  if (uintOf(kind!, 'kind of a part', 1) === 1) {
    const entries = listOf(content!, stateBucketEntriesMax, 'entries', readRow);
    return { type: 'bucket', path: readPath(path!), entries };
  }
  const children = listOf(content!, 16, 'children', (item) => toHash(bytesOf(item, 'child', 32)));
  requireShape(children.length === 16, 'a node has 16 children');
  return { type: 'node', path: readPath(path!), children };
}

function readRow(value: Cbor): StateRow {
  const [key, entry] = tupleOf(value, 2, 'entry');
  return { key: bytesOf(key!, 'key'), value: bytesOf(entry!, 'value') };
}

function readPath(value: Cbor): string {
  const path = textOf(value, 'path', nibblesMax);
  requireShape(/^[0-9a-f]*$/.test(path), 'a path is hexadecimal');
  return path;
}

function tileToCbor({ level, index, hashes }: Tile): Cbor {
  return [level, index, hashes];
}

function readPlace(value: Cbor): TilePlace {
  const [level, index] = tupleOf(value, 2, 'place of a tile');
  return { level: uintOf(level!, 'level', tileLevelsMax), index: uintOf(index!, 'index', tileIndexMax) };
}

function readTile(value: Cbor): Tile {
  const [level, index, hashes] = tupleOf(value, 3, 'tile');
  const bytes = bytesOf(hashes!, 'hashes');
  requireShape(
    bytes.length > 0 && bytes.length <= tileBytesMax && bytes.length % 32 === 0,
    'a tile has 1 to 256 hashes',
  );
  return { ...readPlace([level!, index!]), hashes: bytes };
}

function readOutcome(value: Cbor): StoredOutcome {
  const [statement, verdicts] = tupleOf(value, 2, 'outcome');
  const bytes = bytesOf(verdicts!, 'verdicts');
  requireShape(bytes.length <= verdictsBytesMax, `verdicts have at most ${verdictsBytesMax} bytes`);
  return { statement: readCheckpointStatement(statement!), verdicts: bytes };
}

function heightOf(value: Cbor): Height {
  return toHeight(uintOf(value, 'height'));
}
