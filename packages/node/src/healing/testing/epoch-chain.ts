/**
 * A chain with three epochs, each change decided by the members over the ledger: validator v5 is voted out, then v6 is admitted,
 * says that it is ready, and joins.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Change,
  defaultParameters,
  type EncodedOperation,
  type Genesis,
  genesisToLedgerHash,
  propose,
  ready,
  type Signer,
  sha256,
  sortValidators,
  type Validator,
  validatorSetDigest,
  vote,
} from '@cairn-ledger/core';
import { signTransaction, type TransactionInput, transactionIdOf } from '@cairn-ledger/sdk';
import { createNodeSigner } from '../../crypto/signer.ts';
import { orThrow } from '../../failure.ts';
import { type ChainDb, openChainDb } from '../../storage/chain-db.ts';
import type { SyncAnchor } from '../known-epochs.ts';
import { createSignedChain, type SignedChain, type ValidatorSigners } from './signed-chain.ts';

const members = [1, 2, 3, 4, 5, 6].map((i) => `m${i}`);

function signerOf(name: string): Signer {
  return createNodeSigner('ed25519', sha256(new TextEncoder().encode(name)));
}

export const signersOf = (id: string): ValidatorSigners => ({
  voting: signerOf(`${id}/voting`),
  checkpoint: signerOf(`${id}/checkpoint`),
});

function validatorOf(i: number): Validator {
  const id = `v${i}`;
  const { voting, checkpoint } = signersOf(id);
  return {
    id,
    member: `m${i}`,
    linkKey: signerOf(`${id}/link`).publicKey,
    votingKey: voting.publicKey,
    checkpointKey: checkpoint.publicKey,
    addresses: [`127.0.0.1:${7000 + i}`],
    life: null,
  };
}

const key = { algorithm: 'ed25519', device: null } as const;
const genesis: Genesis = {
  name: 'epochs',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators: sortValidators([1, 2, 3, 4, 5].map(validatorOf)),
  members: members.map((id) => ({ id, name: id })),
  keys: [
    ...members.map((member) => ({ ...key, role: 'person' as const, publicKey: signerOf(member).publicKey, member })),
    { ...key, role: 'device', publicKey: signerOf('meter').publicKey, member: 'm1', device: 'meter' },
  ],
  assets: [],
  balances: [],
};
const ledgerHash = genesisToLedgerHash(genesis);

export type EpochChain = {
  readonly path: string;
  readonly anchor: SyncAnchor;
  readonly chain: ChainDb;
  readonly signed: SignedChain;
  /** Called after each block. */
  onBlock: () => Promise<void>;
  /** Blocks with readings, batches of all authors in turn. */
  grow(count: number): Promise<void>;
  /** v5 is voted out; up to the boundary block, which is included. */
  removeLast(): Promise<void>;
  /** v6 is admitted and joins; up to the boundary block. */
  admitNext(): Promise<void>;
  close(): void;
  remove(): void;
};

export function createEpochChain(): EpochChain {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-epochs-'));
  const path = join(dir, 'chain.db');
  const chain = orThrow(openChainDb(path, { ledgerHash }));
  const signed = createSignedChain({ genesis, ledgerHash, chain, signersOf });
  let counter = 0n;

  function sign(signer: Signer, input: Partial<TransactionInput>): Uint8Array {
    counter++;
    return orThrow(signTransaction({ ledgerHash, counter, ...input }, signer));
  }

  function readings(): Uint8Array {
    const time = String(1_700_000_000n + counter);
    return sign(signerOf('meter'), { readings: [{ name: 'level', time, value: { type: 'number', text: '1.5' } }] });
  }

  async function add(transactions: readonly Uint8Array[]): Promise<void> {
    const { validators } = signed.set();
    const author = validators[chain.tip()!.height % validators.length]!.id;
    const { codes } = signed.add({ batches: new Map([[author, transactions]]) });
    const refused = codes.filter((code) => code !== 'ok' && code !== 'proposal.closed');
    if (refused.length > 0) throw new Error(`refused: ${refused.join()}`);
    await made.onBlock();
  }

  async function decide(change: Change): Promise<void> {
    const proposal = sign(signerOf('m1'), { operations: [propose.toCbor({ change })] });
    const id = Uint8Array.from(Buffer.from(orThrow(transactionIdOf(proposal)), 'hex'));
    const yes: EncodedOperation = vote.toCbor({ proposal: id, isYes: true });
    await add([proposal, ...members.slice(1).map((member) => sign(signerOf(member), { operations: [yes] }))]);
  }

  async function grow(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await add(Array.from({ length: 6 }, readings));
  }

  const made: EpochChain = {
    path,
    anchor: { genesis, ledgerHash },
    chain,
    signed,
    onBlock: async () => {},
    grow,
    async removeLast() {
      await decide({ type: 'remove-validator', validator: 'v5' });
      await grow(defaultParameters.checkpointLag);
    },
    async admitNext() {
      await decide({ type: 'admit-validator', validator: validatorOf(6) });
      const setDigest = validatorSetDigest(signed.set().validators);
      const life = new Uint8Array(16).fill(6);
      const { height } = chain.tip()!;
      const historyRoot = new Uint8Array(32);
      await add([
        sign(signerOf('v6/link'), {
          operations: [ready.toCbor({ validator: 'v6', life, setDigest, height, historyRoot })],
        }),
        readings(),
      ]);
      await grow(defaultParameters.checkpointLag);
    },
    close() {
      chain.close();
    },
    remove() {
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return made;
}
