/**
 * The door of a replica: checks a decoded message's signatures, signers and quorums, and who may say what on a link.
 * What passes is `Verified<Message>`; nothing else enters the core.
 *
 * A vote's link must be its signer's (protocol.md R8); batches, certificates, checkpoint signatures, pages of the chain
 * and proofs of fault may be passed on by anybody.
 */

import { equalBytes } from '../../bytes/hex.ts';
import { signedBytes } from '../../crypto/sealed.ts';
import { type SignatureCheck, type Verified, verifySignatures } from '../../crypto/verified.ts';
import type { Verifier } from '../../crypto/verifier.ts';
import type { Hash, ValidatorIndex } from '../../model/brands.ts';
import { type Certificate, votesOfCertificate } from '../../model/certificate.ts';
import { checkpointSignatureCheck } from '../../model/checkpoint-signature.ts';
import type { FaultProof, SignedBatchHeader } from '../../model/fault-proof.ts';
import type { Message } from '../../model/message.ts';
import type { Validator } from '../../model/validator-set.ts';
import { epochOfVote, type SignedVote, voteSignedBytes } from '../../model/vote.ts';
import { type CairnError, fail, ok, type Result } from '../../result.ts';
import type { EpochSet } from '../epochs/epoch.ts';
import { accusationOf } from './accused.ts';
import { provesFault } from './evidence.ts';

type Checks = Result<readonly SignatureCheck[], CairnError>;

export function admitMessage(
  message: Message,
  from: ValidatorIndex,
  set: EpochSet,
  ledgerHash: Hash,
  verifier: Verifier,
  previous: EpochSet | null = null,
): Result<Verified<Message>, CairnError> {
  const checks = checksOf(message, from, set, previous, ledgerHash);
  if (!checks.ok) return checks;
  const verified = verifySignatures(message, checks.value, verifier);
  return verified === null
    ? refuse('message.bad-signature', `a ${message.type} carries a signature that does not hold`)
    : ok(verified);
}

function checksOf(
  message: Message,
  from: ValidatorIndex,
  set: EpochSet,
  previous: EpochSet | null,
  ledgerHash: Hash,
): Checks {
  switch (message.type) {
    case 'proposal':
      return voteChecks(message.vote, from, set, ledgerHash);
    case 'vote': {
      const vote = voteChecks(message.vote, from, set, ledgerHash);
      if (!vote.ok || message.entry === null) return vote;
      const entry = certificateChecks(message.entry, set, ledgerHash);
      return entry.ok ? ok([...vote.value, ...entry.value]) : entry;
    }
    case 'certificate':
      return certificateChecks(message.certificate, set, ledgerHash);
    case 'chain':
      return certificateChecks(message.finalization, set, ledgerHash);
    case 'batch': {
      const { header } = message.batch;
      const author = set.validators[header.author];
      if (header.epoch !== set.epoch || author === undefined)
        return refuse('message.unknown-signer', 'a batch is of no author of this epoch');
      return ok([batchCheck(message.batch, author, ledgerHash)]);
    }
    case 'checkpoint-signatures': {
      const checks: SignatureCheck[] = [];
      for (const signature of message.signatures) {
        const signers = signature.statement.epoch === previous?.epoch ? previous : set;
        const signer = signers.validators[signature.signer];
        if (signer === undefined)
          return refuse('message.unknown-signer', 'a checkpoint is signed by no validator of this epoch');
        checks.push(checkpointSignatureCheck(signature, signer));
      }
      return ok(checks);
    }
    case 'evidence': {
      const accusation = accusationOf(message.proof, set, previous);
      return accusation === null
        ? refuse('message.unknown-signer', 'a proof accuses no validator of this epoch')
        : faultProofChecks(message.proof, accusation.signers, ledgerHash);
    }
    case 'status':
      return statusChecks(message, set, ledgerHash);
    default:
      return ok([]);
  }
}

/** A finalization, and what the receiver is shown of its own: whose it is, is the receiver's to say. */
function statusChecks(
  { finalization, recall }: Extract<Message, { type: 'status' }>,
  set: EpochSet,
  ledgerHash: Hash,
): Checks {
  const checks: SignatureCheck[] = [];
  if (finalization !== null) {
    const held = certificateChecks(finalization, set, ledgerHash);
    if (!held.ok) return held;
    checks.push(...held.value);
  }
  for (const signed of recall?.votes ?? []) {
    const check = signedVoteCheck(signed, set, ledgerHash);
    if (!check.ok) return check;
    checks.push(...check.value);
  }
  const batch = recall?.batch ?? null;
  if (batch !== null) {
    const author = set.validators[batch.header.author];
    if (batch.header.epoch !== set.epoch || author === undefined)
      return refuse('message.unknown-signer', 'a batch is of no author of this epoch');
    checks.push(batchCheck(batch, author, ledgerHash));
  }
  return ok(checks);
}

/** What must hold for a proof: both parts are of this epoch, the accused's own, signed with its present keys, and contradict each other. */
export function faultProofChecks(proof: FaultProof, set: EpochSet, ledgerHash: Hash): Checks {
  const accused = set.validators[proof.accused];
  if (accused === undefined) return refuse('message.unknown-signer', 'a proof accuses no validator of this epoch');
  if (!provesFault(proof)) return refuse('message.malformed', 'a proof of fault proves nothing');
  const checks: SignatureCheck[] = [];
  if (proof.type === 'votes') {
    for (const signed of [proof.first, proof.second]) {
      const check = signedVoteCheck(signed, set, ledgerHash);
      if (!check.ok) return check;
      checks.push(...check.value);
    }
  } else if (proof.type === 'batches') {
    for (const signed of [proof.first, proof.second]) {
      if (signed.header.epoch !== set.epoch)
        return refuse('message.unknown-signer', 'a batch is of no author of this epoch');
      checks.push(batchCheck(signed, accused, ledgerHash));
    }
  } else {
    for (const signature of [proof.first, proof.second]) {
      const { statement } = signature;
      if (statement.epoch !== set.epoch || !equalBytes(statement.ledgerHash, ledgerHash))
        return refuse('message.unknown-signer', 'a checkpoint is of another ledger or epoch');
      checks.push(checkpointSignatureCheck(signature, accused));
    }
  }
  return ok(checks);
}

function batchCheck(
  { headerBytes, signature }: SignedBatchHeader,
  author: Validator,
  ledgerHash: Hash,
): SignatureCheck {
  return { publicKey: author.votingKey, message: signedBytes('batch', ledgerHash, headerBytes), signature };
}

function voteChecks(signed: SignedVote, from: ValidatorIndex, set: EpochSet, ledgerHash: Hash): Checks {
  if (signed.signer !== from) return refuse('message.wrong-link', "a vote came over a link that is not its signer's");
  return signedVoteCheck(signed, set, ledgerHash);
}

function signedVoteCheck(signed: SignedVote, set: EpochSet, ledgerHash: Hash): Checks {
  const signer = set.validators[signed.signer];
  if (signer === undefined || epochOfVote(signed.vote) !== set.epoch) {
    return refuse('message.unknown-signer', 'a vote is of no validator of this epoch');
  }
  return ok([
    { publicKey: signer.votingKey, message: voteSignedBytes(signed.vote, ledgerHash), signature: signed.signature },
  ]);
}

/** A quorum of different signers, each with a signature. Their order was checked when the bitmap was read. */
function certificateChecks(certificate: Certificate, set: EpochSet, ledgerHash: Hash): Checks {
  if (certificate.signers.length < set.quorum)
    return refuse('message.too-few-signers', 'a certificate has fewer signers than a quorum');
  const checks: SignatureCheck[] = [];
  for (const row of votesOfCertificate(certificate)) {
    const check = signedVoteCheck(row, set, ledgerHash);
    if (!check.ok) return check;
    checks.push(...check.value);
  }
  return ok(checks);
}

function refuse(code: string, message: string): { ok: false; error: CairnError } {
  return fail({ code, message });
}
