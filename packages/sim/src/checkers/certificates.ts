/**
 * Certificate soundness: whatever an honest node persists or passes on as a certificate was signed by a quorum of different
 * validators of its epoch, each of which really signed just that.
 */
import type { CairnError, Certificate, JournalRecord, Message, Result } from '@cairn-ledger/core';
import type { Violations } from '../checkers.ts';
import type { EpochSets } from './epoch-sets.ts';
import type { SignedStatements } from './signed-statements.ts';

/** First bytes of frames that carry certificates, after the head of the array: a certificate, a status, a page of the chain. */
const certificateFrames: ReadonlySet<number> = new Set([2, 5, 14]);

export class CertificateChecker {
  readonly #statements: SignedStatements;
  readonly #violations: Violations;
  readonly #sets: EpochSets;
  readonly #sound = new WeakSet<Certificate>();
  /** What is sent to all comes once for each of them, one after the other. */
  #lastFrame: Uint8Array | null = null;

  constructor(sets: EpochSets, statements: SignedStatements, violations: Violations) {
    this.#sets = sets;
    this.#statements = statements;
    this.#violations = violations;
  }

  onPersisted(node: number, record: JournalRecord): void {
    if (record.type === 'certificate') this.#check(node, record.certificate);
  }

  /** @param decode as the receivers will do it */
  onSent(node: number, frame: Uint8Array, decode: (frame: Uint8Array) => Result<Message, CairnError>): void {
    if (frame === this.#lastFrame || !certificateFrames.has(frame[1]!)) return;
    this.#lastFrame = frame;
    const decoded = decode(frame);
    if (!decoded.ok) this.#violations.add(`node ${node} sent what cannot be decoded`);
    else for (const certificate of certificatesIn(decoded.value)) this.#check(node, certificate);
  }

  #check(node: number, certificate: Certificate): void {
    if (this.#sound.has(certificate)) return;
    const problem = this.#problemOf(certificate);
    if (problem === null) this.#sound.add(certificate);
    else this.#violations.add(`node ${node} holds a ${certificate.vote.type} certificate ${problem}`);
  }

  #problemOf({ vote, signers, signatures }: Certificate): string | null {
    const epoch = vote.type === 'nullify' ? vote.epoch : vote.proposal.epoch;
    const validators = this.#sets.validatorsOf(epoch);
    if (validators === null) return `of epoch ${epoch}`;
    const quorum = validators.length - Math.floor((validators.length - 1) / 3);
    if (new Set(signers).size !== signers.length) return 'with a signer twice';
    if (signers.length < quorum || signatures.length !== signers.length) return `of ${signers.length} signers`;
    const ids = signers.map((signer) => validators[signer] ?? -1);
    const stranger = this.#statements.whoHasNotVoted(ids, vote);
    return stranger === undefined ? null : `that ${signers[ids.indexOf(stranger)]} has not signed`;
  }
}

function certificatesIn(message: Message): Certificate[] {
  if (message.type === 'certificate') return [message.certificate];
  if (message.type === 'status' && message.finalization !== null) return [message.finalization];
  return message.type === 'chain' ? [message.finalization] : [];
}
