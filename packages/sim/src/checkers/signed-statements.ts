/**
 * Everything that was ever signed in a world, by honest and Byzantine nodes alike, as the bytes say it: what certificates
 * and proofs of fault are held against. Reads statements on its own, and depends on no rule of the replica.
 */
import { type Cbor, decodeCbor, type Signer, toHex, type Vote } from '@cairn-ledger/core';
import type { VirtualChain } from '../virtual-chain.ts';

export class SignedStatements {
  readonly #byVoting: ReadonlyArray<Set<string>>;
  readonly #byCheckpoint: ReadonlyArray<Set<string>>;

  constructor(validatorsCount: number) {
    this.#byVoting = Array.from({ length: validatorsCount }, () => new Set<string>());
    this.#byCheckpoint = Array.from({ length: validatorsCount }, () => new Set<string>());
  }

  /** The same chain, whose signers leave a note here of everything they sign. */
  watch(chain: VirtualChain): VirtualChain {
    const signers = chain.signers.map(({ voting, checkpoint }, validator) => ({
      voting: watched(voting, (bytes) => this.#byVoting[validator]!.add(textOf(bytes))),
      checkpoint: watched(checkpoint, (bytes) => this.#byCheckpoint[validator]!.add(toHex(bytes))),
    }));
    return { ...chain, signers };
  }

  hasVoted(validator: number, vote: Vote): boolean {
    return this.#byVoting[validator]?.has(textOfVote(vote)) ?? false;
  }

  /** The first of these that has not voted so; undefined when all have. */
  whoHasNotVoted(validators: readonly number[], vote: Vote): number | undefined {
    const text = textOfVote(vote);
    return validators.find((validator) => !this.#byVoting[validator]?.has(text));
  }

  hasSignedBatch(validator: number, headerBytes: Uint8Array): boolean {
    return this.#byVoting[validator]?.has(`batch ${toHex(headerBytes)}`) ?? false;
  }

  /** @param bytes what the signature of a checkpoint covers */
  hasSignedCheckpoint(validator: number, bytes: Uint8Array): boolean {
    return this.#byCheckpoint[validator]?.has(toHex(bytes)) ?? false;
  }
}

function watched(signer: Signer, onSigned: (bytes: Uint8Array) => void): Signer {
  return {
    ...signer,
    sign: (bytes) => {
      onSigned(bytes);
      return signer.sign(bytes);
    },
  };
}

/** `finalize 1/7/6/ab12...`, `nullify 1/7`, `batch <header>`. */
function textOf(signedBytes: Uint8Array): string {
  const [, kind, , body] = arrayOf(signedBytes) as [Cbor, string, Cbor, Uint8Array];
  if (kind === 'batch') return `batch ${toHex(body)}`;
  const fields = arrayOf(body).map((field) => (field instanceof Uint8Array ? toHex(field) : String(field)));
  return `${kind} ${fields.join('/')}`;
}

function textOfVote(vote: Vote): string {
  if (vote.type === 'nullify') return `nullify ${vote.epoch}/${vote.view}`;
  const { epoch, view, parentView, digest } = vote.proposal;
  return `${vote.type} ${epoch}/${view}/${parentView}/${toHex(digest)}`;
}

function arrayOf(bytes: Uint8Array): Cbor[] {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value)) throw new Error('signed bytes are a CBOR array');
  return decoded.value;
}
