/** A chain database with one device on its ledger, and what comes into the ledger thread: batches and final blocks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assert,
  type Block,
  createBatch,
  createBlock,
  createCertificate,
  decodeBatch,
  defaultParameters,
  encodeBatch,
  encodeCertificate,
  type Genesis,
  genesisToLedgerHash,
  nobleSigner,
  sha256,
  signBatch,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
} from '@cairn-ledger/core';
import { signTransaction } from '@cairn-ledger/sdk';
import { type ChainDb, openChainDb } from '../../storage/chain-db.ts';
import type { PreparedBatch } from '../batch-preparer.ts';
import { type ChainExecutor, createChainExecutor } from '../chain-executor.ts';

export const device = nobleSigner('ed25519', new Uint8Array(32).fill(7));
export const stranger = nobleSigner('ed25519', new Uint8Array(32).fill(8));

const genesis: Genesis = {
  name: 'bench',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators: [
    {
      id: 'node-1',
      member: 'acme',
      linkKey: nobleSigner('ed25519', new Uint8Array(32).fill(9)).publicKey,
      votingKey: new Uint8Array(32).fill(10),
      checkpointKey: new Uint8Array(32).fill(11),
      addresses: [],
      life: null,
    },
  ],
  members: [{ id: 'acme', name: 'Acme Ltd' }],
  keys: [{ role: 'device', algorithm: 'ed25519', publicKey: device.publicKey, member: 'acme', device: 'd0' }],
  assets: [],
  balances: [],
};
const ledgerHash = genesisToLedgerHash(genesis);
let counter = 0n;

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

export function batchBytes(seq: number, transactions: readonly Uint8Array[]): Uint8Array {
  const fields = {
    epoch: toEpoch(1),
    author: toValidatorIndex(0),
    seq,
    base: 1,
    previous: new Uint8Array(seq === 1 ? 0 : 32),
    expiryHeight: toHeight(10_000),
  };
  return encodeBatch(signBatch(createBatch(fields, transactions), new Uint8Array(64)));
}

export type LedgerBench = {
  readonly chain: ChainDb;
  readonly executor: ChainExecutor;
  /** Executes the next block with these batches; a finalization of its own unless it is to have none. */
  execute(batches: readonly PreparedBatch[], isFinalizedItself?: boolean): { block: Block; codes: string[] };
  /** Opens the database again, as after a restart. */
  again(): LedgerBench;
  end(): void;
};

export function createLedgerBench(dir = mkdtempSync(join(tmpdir(), 'cairn-ledger-'))): LedgerBench {
  const opened = openChainDb(join(dir, 'chain.db'), { ledgerHash });
  assert(opened.ok, 'the bench opens its database');
  const chain = opened.value;
  const executor = createChainExecutor(genesis, ledgerHash, chain);
  return {
    chain,
    executor,
    execute(batches, isFinalizedItself = true) {
      const tip = chain.tip()!;
      const block = createBlock(
        {
          epoch: toEpoch(1),
          height: toHeight(tip.height + 1),
          rules: 1,
          parent: tip.digest as Block['digest'],
          timeMs: tip.timeMs + 1000,
          checkpoint: sha256(new Uint8Array(0)),
          nextSet: null,
        },
        batches.map(({ batch: { header, digest } }) => ({ author: header.author, seq: header.seq, digest })),
        [],
      );
      const view = toView(block.header.height);
      const proposal = { epoch: toEpoch(1), view, parentView: toView(view - 1), digest: block.digest };
      const vote = { type: 'finalize' as const, proposal };
      const certificate = createCertificate([{ vote, signer: toValidatorIndex(0), signature: new Uint8Array(64) }]);
      const { executed } = executor.execute({
        block,
        view: isFinalizedItself ? view : 0,
        finalization: isFinalizedItself ? encodeCertificate(certificate) : null,
        batches,
        misbehaviour: [],
      });
      return { block, codes: executed.results.map((result) => result.code) };
    },
    again() {
      chain.close();
      return createLedgerBench(dir);
    },
    end() {
      chain.close();
      rmSync(dir, { recursive: true });
    },
  };
}

export function digestOf(bytes: Uint8Array): Uint8Array {
  const batch = decodeBatch(bytes);
  assert(batch.ok, 'the bench decodes its own batches');
  return batch.value.digest;
}
