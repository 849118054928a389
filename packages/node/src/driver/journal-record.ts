/**
 * Journal records as bytes: a type number for the journal's record header, and strict CBOR or the thing's own encoding
 * as payload (protocol.md section 3, "Persist before sending").
 */
import {
  bytesOf,
  type CairnError,
  type CheckpointStatement,
  checkpointStatementToCbor,
  decodeBatch,
  decodeBlock,
  decodeCertificate,
  decodeShape,
  encodeBatch,
  encodeBlock,
  encodeCbor,
  encodeCertificate,
  type FaultProof,
  fail,
  faultProofToCbor,
  type JournalRecord,
  lifeSizeBytes,
  ok,
  type Result,
  readCheckpointStatement,
  readFaultProof,
  readVote,
  requireShape,
  toEpoch,
  toView,
  tupleOf,
  uintOf,
  unreachable,
  voteToCbor,
} from '@cairn-ledger/core';

const recordTypes: readonly JournalRecord['type'][] = [
  'own-vote',
  'own-checkpoint',
  'batch',
  'block',
  'certificate',
  'certified',
  'evidence',
  'life',
];

export function recordToBytes(record: JournalRecord): { type: number; payload: Uint8Array } {
  return { type: recordTypes.indexOf(record.type) + 1, payload: payloadOf(record) };
}

function payloadOf(record: JournalRecord): Uint8Array {
  switch (record.type) {
    case 'own-vote':
      return encodeCbor(voteToCbor(record.vote));
    case 'own-checkpoint':
      return encodeCbor(checkpointStatementToCbor(record.statement));
    case 'batch':
      return encodeBatch(record.batch);
    case 'block':
      return encodeBlock(record.block);
    case 'certificate':
      return encodeCertificate(record.certificate);
    case 'certified':
      return encodeCbor([record.epoch, record.view, record.isOk]);
    case 'evidence':
      return encodeCbor(faultProofToCbor(record.proof));
    case 'life':
      return encodeCbor(record.life);
    default:
      return unreachable(record);
  }
}

export function bytesToRecord(type: number, payload: Uint8Array): Result<JournalRecord, CairnError> {
  const name = recordTypes[type - 1];
  if (name === undefined)
    return fail({ code: 'journal.damaged', message: `the journal holds a record of unknown type ${type}` });
  switch (name) {
    case 'own-vote':
      return wrap(decodeShape('journal.damaged', payload, readVote), (vote) => ({ type: name, vote }));
    case 'own-checkpoint':
      return wrap(
        decodeShape('journal.damaged', payload, readCheckpointStatement),
        (statement: CheckpointStatement) => ({
          type: name,
          statement,
        }),
      );
    case 'batch':
      return wrap(decodeBatch(payload), (batch) => ({ type: name, batch }));
    case 'block':
      return wrap(decodeBlock(payload), (block) => ({ type: name, block }));
    case 'certificate':
      return wrap(decodeCertificate(payload), (certificate) => ({ type: name, certificate }));
    case 'certified':
      return decodeShape('journal.damaged', payload, (value): JournalRecord => {
        const [epoch, view, isOk] = tupleOf(value, 3, 'certified');
        requireShape(typeof isOk === 'boolean', 'a certification is true or false');
        return { type: name, epoch: toEpoch(uintOf(epoch!, 'epoch')), view: toView(uintOf(view!, 'view')), isOk };
      });
    case 'evidence':
      return wrap(decodeShape('journal.damaged', payload, readFaultProof), (proof: FaultProof) => ({
        type: name,
        proof,
      }));
    case 'life':
      return decodeShape(
        'journal.damaged',
        payload,
        (value): JournalRecord => ({
          type: name,
          life: bytesOf(value, 'life number', lifeSizeBytes),
        }),
      );
    default:
      return unreachable(name);
  }
}

function wrap<T>(decoded: Result<T, CairnError>, make: (value: T) => JournalRecord): Result<JournalRecord, CairnError> {
  return decoded.ok ? ok(make(decoded.value)) : decoded;
}
