/**
 * Following the validators from one epoch to the next (protocol.md sections 5 and 7). Whoever trusts the set of an epoch
 * trusts what a quorum of it signed: the checkpoint of the boundary block, which names the set that comes next.
 *
 * An epoch has one end. Two proofs that tell different ones can both verify only if more than f validators signed both:
 * that is an alarm, never a choice. A set that goes on unchanged (only the rules change) is told by every checkpoint of its
 * epoch, so such a proof does not show that the epoch ended there; it gives nothing to whoever makes it up, since what follows
 * must be signed by the same validators, and it gives way to a proof of a change at a later height.
 */
import { equalBytes } from '../bytes/hex.ts';
import type { Verifier } from '../crypto/verifier.ts';
import { type Epoch, toEpoch } from '../model/brands.ts';
import { type CheckpointStatement, checkpointDigest } from '../model/checkpoint.ts';
import { checkpointSignatureCheck } from '../model/checkpoint-signature.ts';
import type { EpochProof } from '../model/epoch-proof.ts';
import { validatorSetDigest } from '../model/validator-set.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import { medianSecondsOf } from './checkpoint.ts';
import { type AnchorValidator, setToTrustAnchor, type TrustAnchor } from './trust-anchor.ts';

/** What was trusted to begin with, and how far it has led. */
export type EpochChain = {
  /** One for each epoch, without gaps; the first is what was trusted to begin with. */
  readonly anchors: readonly TrustAnchor[];
  /** `proofs[i]` leads from `anchors[i]` to the next one. */
  readonly proofs: readonly EpochProof[];
};

export function anchorToChain(anchor: TrustAnchor): EpochChain {
  return { anchors: [anchor], proofs: [] };
}

/** The anchor of an epoch; null before the first and after the last of the chain. */
export function anchorOfEpoch(chain: EpochChain, epoch: number): TrustAnchor | null {
  return chain.anchors[epoch - chain.anchors[0]!.epoch] ?? null;
}

export function newestAnchor(chain: EpochChain): TrustAnchor {
  return chain.anchors.at(-1)!;
}

/**
 * Goes on from a chain over proofs in the order of their epochs. Proofs from before the first anchor are passed over, those of
 * epochs that the chain has passed already are compared with its own.
 *
 * Errors: those of `verifyEpochProof`, `anchor.two-futures`.
 */
export function followEpochs(
  chain: EpochChain,
  proofs: readonly EpochProof[],
  verifier: Verifier,
): Result<EpochChain, CairnError> {
  let reached = chain;
  for (const proof of proofs) {
    const epoch = epochOf(proof);
    if (epoch < reached.anchors[0]!.epoch) continue;
    const i = Math.min(epoch - reached.anchors[0]!.epoch, reached.anchors.length - 1);
    const known = reached.proofs[i];
    // What tells the same as a proof that was verified is not worth verifying.
    if (known !== undefined && tellsTheSame(known, proof)) continue;
    const next = verifyEpochProof(reached.anchors[i]!, proof, verifier);
    if (!next.ok) return next;
    if (known !== undefined) {
      const compared = compareProofs(reached.anchors[i]!, known, proof);
      if (!compared.ok) return compared;
      if (compared.value === known) continue;
    }
    reached = {
      anchors: [...reached.anchors.slice(0, i + 1), next.value],
      proofs: [...reached.proofs.slice(0, i), proof],
    };
  }
  return ok(reached);
}

/**
 * The anchor of the next epoch.
 *
 * @param anchor of the epoch that the proof ends
 *
 * Errors: `anchor.wrong-ledger`, `anchor.wrong-epoch`, `anchor.unknown-signer`, `anchor.duplicate-signer`,
 * `anchor.mixed-checkpoints`, `anchor.too-few-signatures`, `anchor.wrong-set`, `anchor.bad-signature`.
 */
export function verifyEpochProof(
  anchor: TrustAnchor,
  proof: EpochProof,
  verifier: Verifier,
): Result<TrustAnchor, CairnError> {
  const { signatures, validators } = proof;
  const signers = signersOf(anchor, proof);
  if (!signers.ok) return signers;
  const { statement } = signatures[0]!;
  const digest = checkpointDigest(statement);
  if (!signatures.every((signature) => equalBytes(checkpointDigest(signature.statement), digest))) {
    return refuse('anchor.mixed-checkpoints', 'Its signatures are of different checkpoints.');
  }
  if (signatures.length < anchor.quorum) {
    return refuse(
      'anchor.too-few-signatures',
      `${signatures.length} of ${anchor.validators.length} validators of epoch ${anchor.epoch} signed it, ${anchor.quorum} are needed.`,
    );
  }
  if (!equalBytes(validatorSetDigest(validators), statement.validatorSet)) {
    return refuse('anchor.wrong-set', 'The validators it lists are not the ones that the checkpoint names.');
  }
  const wrong = signers.value.filter((signer, i) => {
    const check = checkpointSignatureCheck(signatures[i]!, signer);
    return !verifier.verify('ed25519', check.publicKey, check.message, check.signature);
  });
  if (wrong.length > 0) {
    const names = wrong.map(({ id }) => id).join(', ');
    return refuse('anchor.bad-signature', `The signature of ${names}, validator of epoch ${anchor.epoch}, is false.`);
  }
  const next = toEpoch(anchor.epoch + 1);
  return ok(setToTrustAnchor(anchor.ledgerHash, next, validators, medianSecondsOf(signatures)));
}

/** The epoch that a proof says has ended. */
export function epochOf(proof: EpochProof): Epoch {
  return statementOf(proof).epoch;
}

/** The validators of the anchor that the signatures name, in their order. */
function signersOf(anchor: TrustAnchor, { signatures }: EpochProof): Result<AnchorValidator[], CairnError> {
  if (signatures.length === 0) return refuse('anchor.too-few-signatures', 'It carries no signature.');
  const signers: AnchorValidator[] = [];
  for (const { statement, signer: index } of signatures) {
    if (!equalBytes(statement.ledgerHash, anchor.ledgerHash)) {
      return refuse('anchor.wrong-ledger', 'It is of another ledger than the trust anchor.');
    }
    if (statement.epoch !== anchor.epoch) {
      return refuse(
        'anchor.wrong-epoch',
        `It proves the end of epoch ${statement.epoch}, and that of epoch ${anchor.epoch} comes next: proofs are given in order, without gaps.`,
      );
    }
    const signer = anchor.validators[index];
    if (signer === undefined) {
      return refuse('anchor.unknown-signer', `Epoch ${anchor.epoch} has no validator with the number ${index}.`);
    }
    if (signers.includes(signer)) return refuse('anchor.duplicate-signer', `It counts validator ${signer.id} twice.`);
    signers.push(signer);
  }
  return ok(signers);
}

/**
 * The one of two verified proofs that shows how an epoch ended; the first, where both do. An alarm where they contradict
 * each other: the set after one height of an epoch can't be two, and an epoch doesn't go on after the set has changed.
 */
function compareProofs(anchor: TrustAnchor, first: EpochProof, second: EpochProof): Result<EpochProof, CairnError> {
  const [a, b] = [statementOf(first), statementOf(second)];
  assert(a.epoch === anchor.epoch && b.epoch === anchor.epoch, 'proofs that are compared are of one epoch');
  const [changedA, changedB] = [changesSet(anchor, a), changesSet(anchor, b)];
  if (changedA && changedB) {
    const isSame = a.height === b.height && equalBytes(a.validatorSet, b.validatorSet);
    return isSame ? ok(first) : twoFutures(anchor, first, second);
  }
  if (!changedA && !changedB) return ok(first);
  const [change, other] = changedA ? [a, b] : [b, a];
  if (other.height >= change.height) return twoFutures(anchor, first, second);
  return ok(changedA ? first : second);
}

function tellsTheSame(first: EpochProof, second: EpochProof): boolean {
  const [a, b] = [statementOf(first), statementOf(second)];
  return a.epoch === b.epoch && equalBytes(checkpointDigest(a), checkpointDigest(b));
}

function statementOf({ signatures }: EpochProof): CheckpointStatement {
  return signatures[0]!.statement;
}

function changesSet(anchor: TrustAnchor, statement: CheckpointStatement): boolean {
  return !equalBytes(statement.validatorSet, anchor.setDigest);
}

function twoFutures(anchor: TrustAnchor, first: EpochProof, second: EpochProof): Result<never, CairnError> {
  const names = (proof: EpochProof) => proof.signatures.map(({ signer }) => anchor.validators[signer]!.id);
  const inSecond = new Set(names(second));
  const both = names(first).filter((id) => inSecond.has(id));
  const [a, b] = [statementOf(first), statementOf(second)];
  return fail({
    code: 'anchor.two-futures',
    message:
      `ALARM: epoch ${anchor.epoch} was ended in two ways, at height ${a.height} and at height ${b.height}. ${both.join(', ')} signed both: ` +
      `${both.length} of its ${anchor.validators.length} validators are false or their keys stolen. Trust no node of this network; ask its members which future is theirs.`,
  });
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message: `The epoch proof does not verify. ${message} Ask another node for the proofs.` });
}
