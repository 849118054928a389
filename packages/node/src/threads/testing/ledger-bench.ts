/** A chain database with one device on its ledger, and what comes into the ledger thread: batches and final blocks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  assert,
  type Block,
  createBatch,
  createBlock,
  createCertificate,
  decodeBatch,
  defaultParameters,
  encodeBatch,
  encodeCbor,
  encodeCertificate,
  type Genesis,
  genesisToLedgerHash,
  isChange,
  nobleSigner,
  type Outcome,
  type Signer,
  sha256,
  signBatch,
  signCheckpoint,
  signedBytes,
  sortValidators,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
  type Validator,
  validatorToCbor,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { signTransaction } from '@cairn-ledger/sdk';
import { type ChainDb, openChainDb } from '../../storage/chain-db.ts';
import { encodeSignatures } from '../../storage/checkpoint-signatures.ts';
import { storedToEpochSet } from '../../storage/epoch-table.ts';
import type { PreparedBatch } from '../batch-preparer.ts';
import { type ChainExecutor, createChainExecutor } from '../chain-executor.ts';

/** Of validators, by id: what their keys are made of. */
const fills = new Map<string, number>();
/** Of the validator of the genesis, who seals all batches. */
const firstFill = 9;
export const device = nobleSigner('ed25519', new Uint8Array(32).fill(7));
export const stranger = nobleSigner('ed25519', new Uint8Array(32).fill(8));

export const genesis: Genesis = {
  name: 'bench',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators: [validatorNamed('node-1', firstFill)],
  members: [{ id: 'acme', name: 'Acme Ltd' }],
  keys: [{ role: 'device', algorithm: 'ed25519', publicKey: device.publicKey, member: 'acme', device: 'd0' }],
  assets: [],
  balances: [],
};
export const ledgerHash = genesisToLedgerHash(genesis);
let counter = 0n;

/** Keys are told apart by `fill`. */
export function validatorNamed(id: string, fill: number): Validator {
  fills.set(id, fill);
  return {
    id,
    member: 'acme',
    linkKey: signerOf(fill).publicKey,
    votingKey: signerOf(fill + 1).publicKey,
    checkpointKey: signerOf(fill + 2).publicKey,
    addresses: [],
    life: null,
  };
}

function signerOf(fill: number): Signer {
  return nobleSigner('ed25519', new Uint8Array(32).fill(fill));
}

/** Of all validators of the set that the chain has for the height. */
export function checkpointSignaturesOf(chain: ChainDb, { statement }: Outcome): Uint8Array {
  const { validators } = chain.epochs.at(statement.height);
  return encodeSignatures(
    validators.map((validator, i) =>
      signCheckpoint(statement, toValidatorIndex(i), validator, 1, signerOf(fills.get(validator.id)! + 2)),
    ),
  );
}

export function transaction(signer = device): Uint8Array {
  counter++;
  const readings = [{ name: 't', time: '1700000000', value: { type: 'number' as const, text: '1.5' } }];
  const signed = signTransaction({ ledgerHash, counter, readings }, signer);
  assert(signed.ok, 'the bench signs what is well-formed');
  return signed.value;
}

/** The same transaction under a signature that does not hold. */
export function forged(): Uint8Array {
  const bytes = transaction().slice();
  bytes[bytes.length - 40]! ^= 1;
  return bytes;
}

export function batchBytes(
  seq: number,
  transactions: readonly Uint8Array[],
  { epoch = 1, author = 0 }: { readonly epoch?: number; readonly author?: number } = {},
): Uint8Array {
  const fields = {
    epoch: toEpoch(epoch),
    author: toValidatorIndex(author),
    seq,
    base: 1,
    previous: new Uint8Array(seq === 1 ? 0 : 32),
    expiryHeight: toHeight(10_000),
  };
  const unsigned = createBatch(fields, transactions);
  const signature = signerOf(firstFill + 1).sign(signedBytes('batch', ledgerHash, unsigned.headerBytes));
  return encodeBatch(signBatch(unsigned, signature));
}

export type LedgerBench = {
  readonly chain: ChainDb;
  readonly executor: ChainExecutor;
  /**
   * Executes the next block with these batches; a finalization of its own unless it is to have none. It is a boundary block
   * when the ledger has wanted another set for long enough.
   */
  execute(
    batches: readonly PreparedBatch[],
    isFinalizedItself?: boolean,
  ): { block: Block; view: number; finalization: Uint8Array; codes: string[]; outcome: Outcome };
  /** Makes the ledger want something else from the tip on, as if a block had said so. */
  want(validators: readonly Validator[], rules?: number): void;
  /** Changes the database behind the executor's back. */
  sql(statements: string): void;
  /** Opens the database again, as after a restart. */
  again(): LedgerBench;
  end(): void;
};

export function createLedgerBench(dir = mkdtempSync(join(tmpdir(), 'cairn-ledger-'))): LedgerBench {
  const opened = openChainDb(join(dir, 'chain.db'), { ledgerHash });
  assert(opened.ok, 'the bench opens its database');
  const chain = opened.value;
  let isOpen = true;
  const close = (): void => {
    if (isOpen) chain.close();
    isOpen = false;
  };
  const executor = openExecutor(chain, close);
  return {
    chain,
    executor,
    execute(batches, isFinalizedItself = true) {
      const tip = chain.tip()!;
      const set = storedToEpochSet(chain.epochs.latest()!);
      const { epoch, rules } = set;
      const height = toHeight(tip.height + 1);
      const wanted = chain.epochs.targetAt(Math.max(0, height - genesis.parameters.checkpointLag));
      const block = createBlock(
        {
          epoch,
          height,
          rules,
          parent: tip.digest as Block['digest'],
          timeMs: tip.timeMs + 1000,
          checkpoint: sha256(new Uint8Array(0)),
          nextSet: isChange(set, wanted) ? wanted.digest : null,
        },
        batches.map(({ batch: { header, digest } }) => ({ author: header.author, seq: header.seq, digest })),
        [],
      );
      const view = toView(block.header.height);
      const proposal = { epoch, view, parentView: toView(view - 1), digest: block.digest };
      const vote = { type: 'finalize' as const, proposal };
      const certificate = createCertificate(
        set.validators.map(({ id }, i) => {
          const signature = signerOf(fills.get(id)! + 1).sign(voteSignedBytes(vote, ledgerHash));
          return { vote, signer: toValidatorIndex(i), signature };
        }),
      );
      const { executed, outcome } = executor.execute({
        block,
        view: isFinalizedItself ? view : 0,
        finalization: isFinalizedItself ? encodeCertificate(certificate) : null,
        batches,
        misbehaviour: [],
      });
      const codes = executed.results.map((result) => result.code);
      return { block, view, finalization: encodeCertificate(certificate), codes, outcome };
    },
    want(validators, rules = 1) {
      const database = new DatabaseSync(join(dir, 'chain.db'));
      database
        .prepare('INSERT INTO targets (height, validators, rules) VALUES (?, ?, ?)')
        .run(chain.tip()!.height, encodeCbor(sortValidators(validators).map(validatorToCbor)), rules);
      database.close();
    },
    sql(statements) {
      const database = new DatabaseSync(join(dir, 'chain.db'));
      database.exec(statements);
      database.close();
    },
    again() {
      close();
      return createLedgerBench(dir);
    },
    end() {
      close();
      rmSync(dir, { recursive: true });
    },
  };
}

function openExecutor(chain: ChainDb, close: () => void): ChainExecutor {
  try {
    return createChainExecutor(genesis, ledgerHash, chain);
  } catch (cause) {
    close();
    throw cause;
  }
}

export function digestOf(bytes: Uint8Array): Uint8Array {
  const batch = decodeBatch(bytes);
  assert(batch.ok, 'the bench decodes its own batches');
  return batch.value.digest;
}
