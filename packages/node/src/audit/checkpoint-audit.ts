/** The checkpoint of one height: the own statement, and what a quorum signed. */
import {
  admitMessage,
  type CheckpointStatement,
  checkpointDigest,
  decodeCheckpointStatement,
  equalBytes,
  toValidatorIndex,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { type ChainAudit, isSelf } from './block-audit.ts';

export type AuditedCheckpoint = {
  /** The own statement as stored; null when it cannot be read. */
  readonly own: CheckpointStatement | null;
  /** What a quorum signed; null where that is not stored or does not hold. */
  readonly certified: CheckpointStatement | null;
};

export function auditCheckpoint(task: ChainAudit, height: number): AuditedCheckpoint {
  const { chain, findings } = task;
  const where = { height };
  const stored = findings.guard('checkpoint', where, () => chain.checkpoint(height));
  if (stored === null) {
    findings.add('checkpoint', 'audit.missing', `there is no checkpoint of height ${height}`, where);
    return { own: null, certified: null };
  }
  const own = readStatement(task, height, stored.statement);
  const round = own?.round ?? 0;
  if (stored.round !== round || stored.signatures === null) {
    if (stored.round !== round)
      findings.add('checkpoint', 'audit.differs', `the checkpoint of ${height} is of round ${stored.round}`, where);
    return { own, certified: null };
  }
  const certified = certifiedBy(task, height, stored.signatures);
  if (certified !== null && own !== null && !equalBytes(checkpointDigest(own), checkpointDigest(certified))) {
    const what = `the own checkpoint of height ${height} differs from what a quorum signed`;
    findings.add('checkpoint', 'audit.differs', what, where);
  }
  return { own, certified };
}

function readStatement(task: ChainAudit, height: number, bytes: Uint8Array): CheckpointStatement | null {
  const { findings } = task;
  const where = { height };
  const statement = decodeCheckpointStatement(bytes);
  if (!statement.ok) {
    findings.add('checkpoint', 'audit.malformed', `the checkpoint of height ${height} cannot be read`, where);
    return null;
  }
  if (isOf(statement.value, task, height)) return statement.value;
  const what = `the checkpoint of height ${height} is of another ledger, height, epoch or validator set`;
  findings.add('checkpoint', 'audit.differs', what, where);
  return null;
}

/** The statement that all signatures are of, when they are a quorum's and hold. */
function certifiedBy(task: ChainAudit, height: number, bytes: Uint8Array): CheckpointStatement | null {
  const { anchor, epochs, findings } = task;
  const set = epochs.at(height);
  const where = { height };
  const refuse = (code: string, what: string): null => {
    findings.add('checkpoint', code, `the signatures of checkpoint ${height} ${what}`, where);
    return null;
  };
  const signatures = decodeSignatures(bytes);
  const first = signatures?.[0];
  if (signatures === null || first === undefined) return refuse('audit.malformed', 'cannot be read');
  const digest = checkpointDigest(first.statement);
  if (!signatures.every(({ statement }) => equalBytes(checkpointDigest(statement), digest)))
    return refuse('audit.differs', 'are of different statements');
  if (!isOf(first.statement, task, height))
    return refuse('audit.differs', 'are of another ledger, height, epoch or validator set');
  if (new Set(signatures.map(({ signer }) => signer)).size < set.quorum)
    return refuse('audit.bad-signature', 'are of fewer validators than a quorum');
  const message = { type: 'checkpoint-signatures' as const, signatures };
  const admitted = admitMessage(message, toValidatorIndex(0), set, anchor.ledgerHash, sodiumVerifier);
  if (!admitted.ok) return refuse('audit.bad-signature', `do not hold: ${admitted.error.message}`);
  if (signatures.some(({ signer }) => isSelf(set, signer, task.selfId))) task.onOwnSigned({ checkpointHeight: height });
  return first.statement;
}

/** It names the set that signs the next height: after the last one of an epoch that of the next. */
function isOf(statement: CheckpointStatement, { anchor, epochs }: ChainAudit, height: number): boolean {
  return (
    equalBytes(statement.ledgerHash, anchor.ledgerHash) &&
    equalBytes(statement.validatorSet, epochs.at(height + 1).digest) &&
    statement.height === height &&
    statement.epoch === epochs.at(height).epoch
  );
}
