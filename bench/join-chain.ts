/**
 * The chain that a new node joins: a network of four validators with 5,000 devices, each of which sends in turn. How many
 * transactions were executed is all that differs between two of them.
 */
import { existsSync, statSync } from 'node:fs';
import {
  defaultParameters,
  encodePack,
  type Genesis,
  genesisToLedgerHash,
  integerToDecimal,
  type Signer,
  sha256,
  signTransaction,
  type Validator,
} from '../packages/core/src/index.ts';
import { createNodeSigner } from '../packages/node/src/crypto/signer.ts';
import { createSignedChain, type ValidatorSigners } from '../packages/node/src/healing/testing/signed-chain.ts';
import { type ChainDb, openChainDb } from '../packages/node/src/storage/chain-db.ts';

const membersCount = 20;
export const devicesCount = 5_000;
export const transactionsPerBlock = 1_000;
const startSeconds = 1_700_000_000;

const members = Array.from({ length: membersCount }, (_, i) => `member-${i + 1}`);
const validatorIds = [1, 2, 3, 4].map((i) => `node-${i}`);
const deviceNames = Array.from({ length: devicesCount }, (_, i) => `sensor-${i + 1}`);

/** The same for the same name, so that a chain made before can be used again. */
function seedOf(name: string): Uint8Array {
  return sha256(new TextEncoder().encode(`bench ${name}`));
}

export const linkSecretOf = (id: string): Uint8Array => seedOf(`${id} link`);

function signerOf(name: string): Signer {
  return createNodeSigner('ed25519', seedOf(name));
}

function validatorSigners(): (id: string) => ValidatorSigners {
  const signers = new Map(
    validatorIds.map((id) => [id, { voting: signerOf(`${id} voting`), checkpoint: signerOf(`${id} checkpoint`) }]),
  );
  return (id) => signers.get(id)!;
}

function validatorOf(id: string, i: number): Validator {
  return {
    id,
    member: members[i]!,
    linkKey: createNodeSigner('ed25519', linkSecretOf(id)).publicKey,
    votingKey: signerOf(`${id} voting`).publicKey,
    checkpointKey: signerOf(`${id} checkpoint`).publicKey,
    addresses: [],
    life: null,
  };
}

export function joinGenesis(): Genesis {
  const devices = deviceNames.map((name) => signerOf(name).publicKey);
  return {
    name: 'bench',
    timeMs: startSeconds * 1000,
    rules: 1,
    parameters: defaultParameters,
    validators: validatorIds.map(validatorOf),
    members: members.map((id) => ({ id, name: id })),
    keys: deviceNames.map((device, i) => ({
      role: 'device',
      algorithm: 'ed25519',
      publicKey: devices[i]!,
      member: members[i % membersCount]!,
      device,
    })),
    assets: [{ id: 'kwh', decimals: 3, issuer: members[0]! }],
    balances: deviceNames.map((device, i) => ({
      account: `${members[i % membersCount]!}/${device}`,
      asset: 'kwh',
      amount: 1_000n,
    })),
  };
}

/** Makes it, or goes on where one of before stopped; returns the size of its file and log, in bytes. */
export function makeChain(path: string, transactions: number, say: (text: string) => void): number {
  const genesis = joinGenesis();
  const ledgerHash = genesisToLedgerHash(genesis);
  const opened = openChainDb(path, { ledgerHash });
  if (!opened.ok) throw opened.error;
  const chain: ChainDb = opened.value;
  const signed = createSignedChain({ genesis, ledgerHash, chain, signersOf: validatorSigners(), areSigned: true });
  const devices = deviceNames.map(signerOf);
  const blocks = Math.ceil(transactions / transactionsPerBlock);
  const perBatch = transactionsPerBlock / validatorIds.length;
  const from = chain.tip()!.height;
  for (let height = from + 1; height <= blocks; height++) {
    const first = (height - 1) * transactionsPerBlock;
    const batches = new Map(
      validatorIds.map((id, author) => {
        const own = Array.from({ length: perBatch }, (_, i) => {
          const number = first + author * perBatch + i;
          return reading(devices[number % devicesCount]!, Math.floor(number / devicesCount), ledgerHash);
        });
        return [id, own];
      }),
    );
    const refused = signed.add({ batches }).codes.find((code) => code !== 'ok');
    if (refused !== undefined) throw new Error(`a transaction was refused: ${refused}`);
    if (height % 100 === 0) say(`${height * transactionsPerBlock} of ${transactions} transactions executed`);
  }
  chain.close();
  return sizeOfDatabase(path);
}

export function sizeOfDatabase(path: string): number {
  return [path, `${path}-wal`].reduce((bytes, file) => bytes + (existsSync(file) ? statSync(file).size : 0), 0);
}

function reading(signer: Signer, round: number, ledgerHash: Uint8Array): Uint8Array {
  const pack = encodePack([
    {
      name: 'temperature',
      unit: 'Cel',
      time: integerToDecimal(BigInt(startSeconds + round)),
      value: { type: 'number', decimal: { mantissa: BigInt(2000 + ((round * 7) % 500)), exponent: -2 } },
    },
  ]);
  if (!pack.ok) throw new Error(pack.error.message);
  return signTransaction({ ledgerHash, counter: BigInt(round + 1), senml: pack.value }, signer);
}
