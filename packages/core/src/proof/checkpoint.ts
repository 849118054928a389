/**
 * Verifies that a quorum of the anchor's validators signed one checkpoint (protocol.md section 4).
 *
 * Every row must be right: by a validator of the anchor, once, with its own key, over the same statement. A row too many
 * that is wrong is refused like one that is needed, because nobody honest makes it.
 */
import { equalBytes } from '../bytes/hex.ts';
import { keyId } from '../crypto/keys.ts';
import type { Verifier } from '../crypto/verifier.ts';
import type { Hash } from '../model/brands.ts';
import {
  type CheckpointHeader,
  type CheckpointStatement,
  checkpointDigest,
  checkpointSignedBytes,
} from '../model/checkpoint.ts';
import type { ReceiptRow } from '../model/receipt.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import type { AnchorValidator, TrustAnchor } from './trust-anchor.ts';

export type VerifiedCheckpoint = {
  readonly statement: CheckpointStatement;
  /** Ids of the validators that signed. */
  readonly signers: readonly string[];
  /** Block time in whole seconds, as more than half of the signers stated it. */
  readonly issuedSeconds: number;
};

/** Rows with their headers read, of different signers, as `decodeBundle` gives them. */
export type CheckpointRows = {
  readonly rows: readonly ReceiptRow[];
  readonly headers: readonly CheckpointHeader[];
};

/**
 * Whether a quorum signed a checkpoint with this history root.
 *
 * Errors: `receipt.wrong-ledger`, `receipt.unknown-epoch`, `receipt.unknown-signer`, `receipt.duplicate-signer`,
 * `receipt.mixed-checkpoints`, `receipt.too-few-signatures`, `receipt.bad-signature`; `receipt.no-signature-fits` when all
 * signatures fail, which says that rather the root is another one.
 */
export function verifyCheckpoint(
  anchor: TrustAnchor,
  { rows, headers }: CheckpointRows,
  historyRoot: Hash,
  verifier: Verifier,
): Result<VerifiedCheckpoint, CairnError> {
  assert(rows.length === headers.length, 'every row has its header');
  const signers = signersOf(anchor, headers);
  if (!signers.ok) return signers;
  const statement: CheckpointStatement = { ...headers[0]!.statement, historyRoot };
  const digest = checkpointDigest(statement);
  if (!headers.every((header) => equalBytes(checkpointDigest({ ...header.statement, historyRoot }), digest))) {
    return refuse('receipt.mixed-checkpoints', 'Its signatures are of different checkpoints. Ask another node.');
  }
  if (rows.length < anchor.quorum) {
    const { length } = anchor.validators;
    return refuse(
      'receipt.too-few-signatures',
      `${rows.length} of ${length} validators signed it, ${anchor.quorum} are needed. Ask a node again, later or another one.`,
    );
  }
  const wrong = signers.value.filter((signer, i) => {
    const { protectedHeader, signature } = rows[i]!;
    const message = checkpointSignedBytes(protectedHeader, historyRoot);
    return !verifier.verify('ed25519', signer.checkpointKey, message, signature);
  });
  if (wrong.length === rows.length) {
    return refuse('receipt.no-signature-fits', 'No signature on it fits this history root.');
  }
  if (wrong.length > 0) {
    const names = wrong.map(({ id }) => id).join(', ');
    return refuse('receipt.bad-signature', `The signature of ${names} on it is false. Ask another node.`);
  }
  return ok({ statement, signers: signers.value.map(({ id }) => id), issuedSeconds: medianSecondsOf(headers) });
}

/** The validators of the anchor that the headers name, checked to be what they claim. */
function signersOf(anchor: TrustAnchor, headers: readonly CheckpointHeader[]): Result<AnchorValidator[], CairnError> {
  if (headers.length === 0) return refuse('receipt.too-few-signatures', 'It carries no signature.');
  const signers: AnchorValidator[] = [];
  for (const { statement, signer: id, kid } of headers) {
    if (!equalBytes(statement.ledgerHash, anchor.ledgerHash)) {
      return refuse(
        'receipt.wrong-ledger',
        'It is of another ledger than the trust anchor. Use the genesis of its network.',
      );
    }
    if (statement.epoch !== anchor.epoch) return unknownEpoch(anchor, statement.epoch);
    const signer = anchor.validators.find((validator) => validator.id === id);
    if (signer === undefined || !equalBytes(keyId('ed25519', signer.checkpointKey), kid)) {
      return refuse(
        'receipt.unknown-signer',
        `It is signed as "${id}" with a key that is not of a validator of epoch ${anchor.epoch}.`,
      );
    }
    if (signers.includes(signer))
      return refuse('receipt.duplicate-signer', `It counts validator ${id} twice. Ask another node.`);
    signers.push(signer);
  }
  return ok(signers);
}

/** Honest signers state the same time and are more than half of a quorum, so the middle one is theirs. */
export function medianSecondsOf(signed: readonly { readonly issuedSeconds: number }[]): number {
  const times = signed.map(({ issuedSeconds }) => issuedSeconds).sort((a, b) => a - b);
  return times[(times.length - (times.length % 2)) / 2]!;
}

function unknownEpoch(anchor: TrustAnchor, epoch: number): Result<never, CairnError> {
  return refuse(
    'receipt.unknown-epoch',
    epoch < anchor.epoch
      ? `It was signed in epoch ${epoch}; the trust anchor begins with epoch ${anchor.epoch}. Verify it from the genesis, or from an anchor of epoch ${epoch} or before.`
      : `It was signed in epoch ${epoch}; the trust anchor leads no further than epoch ${anchor.epoch}, because the proofs of the changes of validators in between are missing. ` +
          'Save the receipt again with `cairn show <id> --save <file>`, which writes the proofs beside it, or take them from GET /v1/epochs of any node.',
  );
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message: `The receipt does not verify. ${message}` });
}
