/**
 * Everything nodes say to each other (protocol.md sections 2 to 7), one strict CBOR array per message:
 * `[ type: uint, ...fields ]`. Votes, batches and checkpoint signatures carry signatures of their own; the rest is
 * believed no further than it can be checked.
 *
 * `channelOf` names the connection a message takes: control for what agreement waits for, bulk for data.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { bytesOf, decodeShape, listOf, requireShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { type CairnError, type Result, unreachable } from '../result.ts';
import { type Batch, decodeBatch, encodeBatch } from './batch.ts';
import { type Block, decodeBlock, encodeBlock } from './block.ts';
import {
  type Epoch,
  type Hash,
  type Height,
  toEpoch,
  toHash,
  toHeight,
  toValidatorIndex,
  toView,
  type ValidatorIndex,
  type View,
} from './brands.ts';
import { type Certificate, certificateToCbor, readCertificate, validatorsMax } from './certificate.ts';
import {
  type CheckpointSignature,
  checkpointSignatureToCbor,
  readCheckpointSignature,
} from './checkpoint-signature.ts';
import {
  type FaultProof,
  faultProofToCbor,
  readFaultProof,
  readSignedBatchHeader,
  type SignedBatchHeader,
  signedBatchHeaderToCbor,
} from './fault-proof.ts';
import { readSyncMessage, type SyncMessage, syncMessageFields } from './sync-message.ts';
import { readSignedVote, type SignedVote, signedVoteToCbor } from './vote.ts';

/** How far a validator's copy of an author's batches reaches without gaps, and the digest of the last one. */
export type AcknowledgementRow = { readonly author: ValidatorIndex; readonly seq: number; readonly digest: Hash };

/**
 * What the sender of a status holds that the receiver has signed: a receiver that remembers less has lost its safety record,
 * or had it put back (protocol.md section 6). Only the receiver's own signatures count, so nobody can make this up.
 */
export type Recall = {
  /** Of the highest views that are not finalized, at most `recallVotesMax`. */
  readonly votes: readonly SignedVote[];
  /** Its batch with the highest number. */
  readonly batch: SignedBatchHeader | null;
};

export type Message =
  | SyncMessage
  | { readonly type: 'proposal'; readonly vote: SignedVote; readonly block: Block }
  | { readonly type: 'vote'; readonly vote: SignedVote; readonly entry: Certificate | null }
  | { readonly type: 'certificate'; readonly certificate: Certificate }
  | { readonly type: 'acknowledgement'; readonly epoch: Epoch; readonly rows: readonly AcknowledgementRow[] }
  | { readonly type: 'checkpoint-signatures'; readonly signatures: readonly CheckpointSignature[] }
  | {
      readonly type: 'status';
      readonly epoch: Epoch;
      readonly view: View;
      readonly lastFinalized: View;
      readonly height: Height;
      /** Whether the sender wants to hear a status back. */
      readonly asks: boolean;
      /** The sender's highest finalization of the epoch; null before the first, and where nobody needs it. */
      readonly finalization: Certificate | null;
      /** Null where the sender does not look at what it holds of the receiver: such a status says nothing of what the receiver forgot. */
      readonly recall: Recall | null;
    }
  | { readonly type: 'request-certificates'; readonly epoch: Epoch; readonly from: View; readonly to: View }
  | { readonly type: 'request-block'; readonly digest: Hash }
  | { readonly type: 'request-batch'; readonly digest: Hash }
  | { readonly type: 'request-checkpoint'; readonly height: Height }
  | { readonly type: 'request-boundary'; readonly epoch: Epoch }
  | { readonly type: 'request-chain'; readonly from: Height }
  | { readonly type: 'block'; readonly block: Block }
  | { readonly type: 'batch'; readonly batch: Batch }
  | { readonly type: 'chain'; readonly blocks: readonly Block[]; readonly finalization: Certificate }
  | { readonly type: 'evidence'; readonly proof: FaultProof }
  /** Handed over to be sealed by the receiver: by a node that may not seal them itself. */
  | { readonly type: 'transactions'; readonly transactions: readonly Uint8Array[] };

export type MessageType = Message['type'];
export type Channel = 'control' | 'bulk';

/** Blocks in one answer to `request-chain`. */
export const chainBlocksMax = 128;
/** Certificates asked for in one request. */
export const certificatesPageMax = 64;
export const recallVotesMax = 8;
/** Bytes of all transactions in one message. */
export const handedOverBytesMax = 64 << 10;
const handedOverMax = 1_000;

export const nothingToRecall: Recall = { votes: [], batch: null };

const messageTypes: readonly MessageType[] = [
  'proposal',
  'vote',
  'certificate',
  'acknowledgement',
  'checkpoint-signatures',
  'status',
  'request-certificates',
  'request-block',
  'request-batch',
  'request-checkpoint',
  'request-boundary',
  'request-chain',
  'block',
  'batch',
  'chain',
  'evidence',
  'request-snapshot',
  'request-state',
  'request-tiles',
  'request-outcome',
  'snapshot',
  'state',
  'tiles',
  'outcome',
  'request-epochs',
  'epochs',
  'transactions',
];

const bulkTypes: ReadonlySet<MessageType> = new Set([
  'batch',
  'block',
  'chain',
  'snapshot',
  'state',
  'tiles',
  'outcome',
  'epochs',
  'transactions',
]);

export function channelOf(message: Message): Channel {
  return bulkTypes.has(message.type) ? 'bulk' : 'control';
}

export function encodeMessage(message: Message): Uint8Array {
  return encodeCbor([messageTypes.indexOf(message.type), ...fieldsOf(message)]);
}

function fieldsOf(message: Message): Cbor[] {
  switch (message.type) {
    case 'proposal':
      return [signedVoteToCbor(message.vote), encodeBlock(message.block)];
    case 'vote':
      return [signedVoteToCbor(message.vote), message.entry === null ? null : certificateToCbor(message.entry)];
    case 'certificate':
      return [certificateToCbor(message.certificate)];
    case 'acknowledgement':
      return [message.epoch, message.rows.map((row): Cbor => [row.author, row.seq, row.digest])];
    case 'checkpoint-signatures':
      return [message.signatures.map(checkpointSignatureToCbor)];
    case 'status':
      return [
        message.epoch,
        message.view,
        message.lastFinalized,
        message.height,
        message.asks ? 1 : 0,
        message.finalization === null ? null : certificateToCbor(message.finalization),
        message.recall === null ? null : recallToCbor(message.recall),
      ];
    case 'request-certificates':
      return [message.epoch, message.from, message.to];
    case 'request-block':
    case 'request-batch':
      return [message.digest];
    case 'request-checkpoint':
      return [message.height];
    case 'request-boundary':
      return [message.epoch];
    case 'request-chain':
      return [message.from];
    case 'block':
      return [encodeBlock(message.block)];
    case 'batch':
      return [encodeBatch(message.batch)];
    case 'chain':
      return [message.blocks.map(encodeBlock), certificateToCbor(message.finalization)];
    case 'evidence':
      return [faultProofToCbor(message.proof)];
    case 'request-snapshot':
    case 'request-state':
    case 'request-tiles':
    case 'request-outcome':
    case 'snapshot':
    case 'state':
    case 'tiles':
    case 'outcome':
    case 'request-epochs':
    case 'epochs':
      return syncMessageFields(message);
    case 'transactions':
      return [message.transactions as Uint8Array[]];
    default:
      return unreachable(message);
  }
}

/** Decodes a message strictly. Signatures, quorums and rules are checked by who receives it. */
export function decodeMessage(bytes: Uint8Array): Result<Message, CairnError> {
  return decodeShape('message.malformed', bytes, (value) => {
    requireShape(Array.isArray(value) && value.length >= 1, 'a message is an array that begins with its type');
    const type = messageTypes[uintOf(value[0]!, 'message type', messageTypes.length - 1)]!;
    return readFields(type, value.slice(1));
  });
}

function readFields(type: MessageType, fields: Cbor[]): Message {
  switch (type) {
    case 'proposal': {
      const [vote, block] = tupleOf(fields, 2, type);
      const signed = readSignedVote(vote!);
      requireShape(signed.vote.type === 'notarize', 'a proposal carries a vote to notarize');
      return { type, vote: signed, block: readBlock(block!) };
    }
    case 'vote': {
      const [vote, entry] = tupleOf(fields, 2, type);
      return { type, vote: readSignedVote(vote!), entry: entry === null ? null : readCertificate(entry!) };
    }
    case 'certificate':
      return { type, certificate: readCertificate(tupleOf(fields, 1, type)[0]!) };
    case 'acknowledgement': {
      const [epoch, rows] = tupleOf(fields, 2, type);
      return { type, epoch: toEpoch(uintOf(epoch!, 'epoch')), rows: listOf(rows!, validatorsMax, 'rows', readRow) };
    }
    case 'checkpoint-signatures': {
      const [signatures] = tupleOf(fields, 1, type);
      return { type, signatures: listOf(signatures!, validatorsMax, 'signatures', readCheckpointSignature) };
    }
    case 'status': {
      const [epoch, view, lastFinalized, height, asks, finalization, recall] = tupleOf(fields, 7, type);
      const certificate = finalization === null ? null : readCertificate(finalization!);
      requireShape(certificate === null || certificate.vote.type === 'finalize', 'a status carries a finalization');
      return {
        type,
        epoch: toEpoch(uintOf(epoch!, 'epoch')),
        view: toView(uintOf(view!, 'view')),
        lastFinalized: toView(uintOf(lastFinalized!, 'last finalized')),
        height: toHeight(uintOf(height!, 'height')),
        asks: uintOf(asks!, 'asks', 1) === 1,
        finalization: certificate,
        recall: recall === null ? null : readRecall(recall!),
      };
    }
    case 'request-certificates': {
      const [epoch, from, to] = tupleOf(fields, 3, type);
      const first = uintOf(from!, 'from');
      return {
        type,
        epoch: toEpoch(uintOf(epoch!, 'epoch')),
        from: toView(first),
        to: toView(uintOf(to!, 'to', first + certificatesPageMax - 1)),
      };
    }
    case 'request-block':
    case 'request-batch':
      return { type, digest: toHash(bytesOf(tupleOf(fields, 1, type)[0]!, 'digest', 32)) };
    case 'request-checkpoint':
      return { type, height: toHeight(uintOf(tupleOf(fields, 1, type)[0]!, 'height')) };
    case 'request-boundary':
      return { type, epoch: toEpoch(uintOf(tupleOf(fields, 1, type)[0]!, 'epoch')) };
    case 'request-chain':
      return { type, from: toHeight(uintOf(tupleOf(fields, 1, type)[0]!, 'from')) };
    case 'block':
      return { type, block: readBlock(tupleOf(fields, 1, type)[0]!) };
    case 'batch': {
      const decoded = decodeBatch(bytesOf(tupleOf(fields, 1, type)[0]!, 'batch'));
      requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
      return { type, batch: decoded.value };
    }
    case 'chain': {
      const [blocks, finalization] = tupleOf(fields, 2, type);
      const certificate = readCertificate(finalization!);
      requireShape(certificate.vote.type === 'finalize', 'a chain ends with a finalization');
      return { type, blocks: listOf(blocks!, chainBlocksMax, 'blocks', readBlock), finalization: certificate };
    }
    case 'evidence':
      return { type, proof: readFaultProof(tupleOf(fields, 1, type)[0]!) };
    case 'request-snapshot':
    case 'request-state':
    case 'request-tiles':
    case 'request-outcome':
    case 'snapshot':
    case 'state':
    case 'tiles':
    case 'outcome':
    case 'request-epochs':
    case 'epochs':
      return readSyncMessage(type, fields);
    case 'transactions': {
      const [transactions] = tupleOf(fields, 1, type);
      let bytes = 0;
      const read = listOf(transactions!, handedOverMax, 'transactions', (item) => {
        const transaction = bytesOf(item, 'transaction');
        bytes += transaction.length;
        return transaction;
      });
      requireShape(
        bytes <= handedOverBytesMax,
        `transactions of at most ${handedOverBytesMax} bytes are handed over at once`,
      );
      return { type, transactions: read };
    }
    default:
      return unreachable(type);
  }
}

function readBlock(value: Cbor): Block {
  const decoded = decodeBlock(bytesOf(value, 'block'));
  requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function readRow(value: Cbor): AcknowledgementRow {
  const [author, seq, digest] = tupleOf(value, 3, 'row');
  return {
    author: toValidatorIndex(uintOf(author!, 'author', validatorsMax - 1)),
    seq: uintOf(seq!, 'seq'),
    digest: toHash(bytesOf(digest!, 'digest', 32)),
  };
}

function recallToCbor({ votes, batch }: Recall): Cbor {
  return [votes.map(signedVoteToCbor), batch === null ? null : signedBatchHeaderToCbor(batch)];
}

function readRecall(value: Cbor): Recall {
  const [votes, batch] = tupleOf(value, 2, 'recall');
  return {
    votes: listOf(votes!, recallVotesMax, 'recalled votes', readSignedVote),
    batch: batch === null ? null : readSignedBatchHeader(batch!),
  };
}
