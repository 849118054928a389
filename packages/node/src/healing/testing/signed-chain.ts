/**
 * A chain database as a network would have made it, without one: the production executor runs every block, and the keys of the
 * validators of its epoch sign batches, finalizations and checkpoints. Where the ledger wants another set, the epoch ends
 * with the block that it must end with.
 */
import {
  assert,
  type Block,
  checkpointDigest,
  createBatch,
  createBlock,
  createCertificate,
  decodeCheckpointStatement,
  type EpochSet,
  encodeBatch,
  encodeCertificate,
  type Genesis,
  type Hash,
  isChange,
  type Outcome,
  type Signer,
  signBatch,
  signCheckpoint,
  signedBytes,
  toHash,
  toHeight,
  toValidatorIndex,
  toView,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../../crypto/sodium-verifier.ts';
import { orThrow } from '../../failure.ts';
import type { ChainDb } from '../../storage/chain-db.ts';
import { encodeSignatures } from '../../storage/checkpoint-signatures.ts';
import { storedToEpochSet } from '../../storage/epoch-table.ts';
import { createBatchPreparer, type PreparedBatch } from '../../threads/batch-preparer.ts';
import { createChainExecutor } from '../../threads/chain-executor.ts';
import { verdict } from '../../threads/messages.ts';

/** What a validator signs with. */
export type ValidatorSigners = { readonly voting: Signer; readonly checkpoint: Signer };

export type SignedChainOptions = {
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  /** New, or made by this before. */
  readonly chain: ChainDb;
  readonly signersOf: (validatorId: string) => ValidatorSigners;
  /** Takes the signatures of transactions for granted: for whoever has just made them. */
  readonly areSigned?: boolean;
};

export type SignedBlock = {
  /** Transactions of the batches that it lists, by the id of their author. */
  readonly batches?: ReadonlyMap<string, readonly Uint8Array[]>;
  /** Whether its checkpoint gets a quorum's signatures. */
  readonly isCertified?: boolean;
  /** Whether it has a finalization of its own. */
  readonly isFinalized?: boolean;
};

export type SignedChain = {
  /** The set that the next block is of. */
  set(): EpochSet;
  add(block?: SignedBlock): { readonly block: Block; readonly codes: readonly string[]; readonly outcome: Outcome };
};

const expiryHeight = toHeight(10_000_000);
const blockMs = 1_000;

export function createSignedChain(options: SignedChainOptions): SignedChain {
  const { genesis, ledgerHash, chain, signersOf, areSigned = false } = options;
  const lag = genesis.parameters.checkpointLag;
  const executor = createChainExecutor(genesis, ledgerHash, chain);
  const preparer = createBatchPreparer(chain.store, sodiumVerifier);
  const set = (): EpochSet => storedToEpochSet(chain.epochs.latest()!);
  /** The last batch of each author, by epoch and index. */
  const last = new Map(chain.floors(set().epoch).map((floor) => [`${floor.epoch}/${floor.author}`, floor]));

  function seal(own: EpochSet, authorId: string, transactions: readonly Uint8Array[]): PreparedBatch {
    const author = own.validators.findIndex(({ id }) => id === authorId);
    assert(author >= 0, 'authors are validators of the epoch');
    const name = `${own.epoch}/${author}`;
    const before = last.get(name);
    const fields = {
      epoch: own.epoch,
      author: toValidatorIndex(author),
      seq: (before?.seq ?? 0) + 1,
      base: 1,
      previous: before?.digest ?? new Uint8Array(0),
      expiryHeight,
    };
    const batch = createBatch(fields, transactions);
    const { seq } = fields;
    last.set(name, { epoch: own.epoch, author, seq, digest: batch.digest });
    const message = signedBytes('batch', ledgerHash, batch.headerBytes);
    const prepared = preparer.open(encodeBatch(signBatch(batch, signersOf(authorId).voting.sign(message))), !areSigned);
    return areSigned ? { ...prepared, verdicts: prepared.verdicts.fill(verdict.valid) } : prepared;
  }

  function certify(own: EpochSet, vote: Vote): Uint8Array {
    const message = voteSignedBytes(vote, ledgerHash);
    const votes = own.validators.slice(0, own.quorum).map(({ id }, i) => {
      return { vote, signer: toValidatorIndex(i), signature: signersOf(id).voting.sign(message) };
    });
    return encodeCertificate(createCertificate(votes));
  }

  function signOutcome(own: EpochSet, { statement, timeMs }: Outcome): void {
    const seconds = Math.floor(timeMs / 1000);
    const signatures = own.validators
      .slice(0, own.quorum)
      .map((each, i) => signCheckpoint(statement, toValidatorIndex(i), each, seconds, signersOf(each.id).checkpoint));
    orThrow(chain.putCertified(statement.height, 0, encodeSignatures(signatures)));
  }

  return {
    set,
    add({ batches = new Map(), isCertified = true, isFinalized = true } = {}) {
      const own = set();
      const tip = chain.tip()!;
      const height = tip.height + 1;
      const named = Math.max(0, height - lag);
      const wanted = chain.epochs.targetAt(named);
      const listed = [...batches].map(([author, transactions]) => seal(own, author, transactions));
      const block = createBlock(
        {
          epoch: own.epoch,
          height: toHeight(height),
          rules: own.rules,
          parent: toHash(tip.digest),
          timeMs: tip.timeMs + blockMs,
          checkpoint: checkpointDigest(orThrow(decodeCheckpointStatement(chain.checkpoint(named)!.statement))),
          nextSet: isChange(own, wanted) ? wanted.digest : null,
        },
        listed.map(({ batch: { header, digest } }) => ({ author: header.author, seq: header.seq, digest })),
        [],
      );
      const view = toView(height - own.genesis.height);
      const proposal = { epoch: own.epoch, view, parentView: toView(view - 1), digest: block.digest };
      // An epoch's last block is final by itself.
      const isOwn = isFinalized || block.header.nextSet !== null;
      const { executed, outcome } = executor.execute({
        block,
        view: isOwn ? view : 0,
        finalization: isOwn ? certify(own, { type: 'finalize', proposal }) : null,
        batches: listed,
        misbehaviour: [],
      });
      if (isCertified) signOutcome(own, outcome);
      return { block, codes: executed.results.map(({ code }) => code), outcome };
    },
  };
}
