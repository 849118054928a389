/**
 * A small network for the ledger's tests: two members with keys of every role, two assets, a store in memory, and a clock
 * that moves one second with each block.
 *
 * Public keys are real, signatures are not (`verify` believes every one that is not listed as forged): signing in plain
 * JavaScript would make up nearly all of a test's time.
 */
import type { Encodable } from '../../bytes/cbor.ts';
import { encodeCbor } from '../../bytes/cbor.ts';
import { compareBytes, toHex } from '../../bytes/hex.ts';
import { nobleSigner } from '../../crypto/noble-signer.ts';
import type { KeyAlgorithm, Signer } from '../../crypto/verifier.ts';
import { type Genesis, genesisToLedgerHash } from '../../model/genesis.ts';
import { defaultParameters, type Parameters } from '../../model/parameters.ts';
import type { KeyRole, RegisteredKey } from '../../model/registered-key.ts';
import { signTransaction, type TransactionContent } from '../../model/sign-transaction.ts';
import { decodeTransaction, type Transaction } from '../../model/transaction.ts';
import { assert } from '../../result.ts';
import type { Execution, LedgerBlock } from '../execute.ts';
import { createLedger } from '../ledger.ts';
import { keyToPath, type ListingStore, type Write } from '../store.ts';

export const genesisTimeMs = 1_700_000_000_000;

const signers = new Map<number, Signer>();

/** The same key for the same number, from 1 to 255; makes signatures of zeros. */
export function signerOf(number: number, algorithm: KeyAlgorithm = 'ed25519'): Signer {
  const name = algorithm === 'ed25519' ? number : -number;
  let signer = signers.get(name);
  if (signer === undefined) {
    const { publicKey, kid } = nobleSigner(algorithm, new Uint8Array(32).fill(number));
    signer = { algorithm, publicKey, kid, sign: () => new Uint8Array(64) };
    signers.set(name, signer);
  }
  return signer;
}

export const people = {
  acmePerson: signerOf(1),
  acmeNode: signerOf(2),
  acmeDevice: signerOf(3),
  /** A gateway without a name. */
  acmeGateway: signerOf(4),
  /** A gateway with the name acme/edge. */
  acmeEdge: signerOf(5),
  borealPerson: signerOf(6),
  borealDevice: signerOf(7, 'p256'),
  /** Registered nowhere. */
  stranger: signerOf(8),
} as const;

function keyOf(signer: Signer, role: KeyRole, member: string, device: string | null = null): RegisteredKey {
  return { role, algorithm: signer.algorithm, publicKey: signer.publicKey, member, device };
}

/** acme issues coin and kwh; boreal issues nothing. Validators are not part of what is tested here. */
export function createGenesis(parameters: Partial<Parameters> = {}): Genesis {
  return {
    name: 'test network',
    timeMs: genesisTimeMs,
    rules: 1,
    parameters: { ...defaultParameters, ...parameters },
    validators: [1, 2, 3, 4].map((i) => ({
      id: `node-${i}`,
      member: i % 2 === 0 ? 'acme' : 'boreal',
      linkKey: signerOf(100 + i).publicKey,
      votingKey: signerOf(110 + i).publicKey,
      checkpointKey: signerOf(120 + i).publicKey,
      addresses: [`127.0.0.1:${7000 + i}`],
      life: null,
    })),
    members: [
      { id: 'acme', name: 'Acme Ltd' },
      { id: 'boreal', name: 'Boreal AS' },
    ],
    keys: [
      keyOf(people.acmePerson, 'person', 'acme'),
      keyOf(people.acmeNode, 'node', 'acme'),
      keyOf(people.acmeDevice, 'device', 'acme', 'meter'),
      keyOf(people.acmeGateway, 'gateway', 'acme'),
      keyOf(people.acmeEdge, 'gateway', 'acme', 'edge'),
      keyOf(people.borealPerson, 'person', 'boreal'),
      keyOf(people.borealDevice, 'device', 'boreal', 'pump'),
    ],
    assets: [
      { id: 'coin', decimals: 2, issuer: 'acme' },
      { id: 'kwh', decimals: 3, issuer: 'acme' },
    ],
    balances: [
      { account: 'acme', asset: 'coin', amount: 1_000n },
      { account: 'acme/meter', asset: 'coin', amount: 100n },
      { account: 'boreal', asset: 'coin', amount: 50n },
    ],
  };
}

/** A pack with one reading of 20.5 degrees, at a fixed time; with a base name if given. */
export function packOf(name = 'temperature', baseName?: string): Uint8Array {
  const record: [number, Encodable][] = [
    [0, name],
    [2, 20],
    [6, 1_700_000_000],
  ];
  return encodeCbor([new Map(baseName === undefined ? record : [...record, [-2, baseName]])]);
}

export type World = ReturnType<typeof createWorld>;
export type Content = Partial<Omit<TransactionContent, 'ledgerHash'>> & { readonly ledgerHash?: Uint8Array };

export function createWorld(parameters: Partial<Parameters> = {}, genesis: Genesis = createGenesis(parameters)) {
  const ledgerHash = genesisToLedgerHash(genesis);
  const forged = new Set<string>();
  const ledger = createLedger({ genesis, verify: (transaction) => !forged.has(toHex(transaction.id)) });
  const store = createMemoryStore();
  store.apply(ledger.genesis().writes);
  const counters = new Map<string, bigint>();
  let height = 0;
  let timeMs = genesisTimeMs;

  return {
    genesis,
    ledgerHash,
    ledger,
    store,
    forged,
    height: () => height,
    timeMs: () => timeMs,
    /** The moment of the next block. */
    next: () => ({ height: height + 1, timeMs: timeMs + 1_000 }),
    /** A transaction with the signer's next counter, unless `content` gives one. */
    sign(signer: Signer, content: Content): Transaction {
      const kid = toHex(signer.kid);
      const counter = content.counter ?? (counters.get(kid) ?? -1n) + 1n;
      if (counter > (counters.get(kid) ?? -1n)) counters.set(kid, counter);
      const decoded = decodeTransaction(signTransaction({ ledgerHash, ...content, counter }, signer));
      assert(decoded.ok, decoded.ok ? '' : decoded.error.message);
      return decoded.value;
    },
    /** Executes the next block and stores what it writes. */
    execute(transactions: LedgerBlock['transactions'], block: Partial<LedgerBlock> = {}): Execution {
      height = block.height ?? height + 1;
      timeMs = block.timeMs ?? timeMs + 1_000;
      const execution = ledger.execute(store, {
        epoch: 1,
        rules: 1,
        misbehaviour: [],
        validators: genesis.validators,
        authors: [],
        ...block,
        height,
        timeMs,
        transactions,
      });
      store.apply(execution.writes);
      return execution;
    },
  };
}

export function createMemoryStore(): ListingStore & { apply(writes: readonly Write[]): void; entries(): Write[] } {
  const entries = new Map<string, Write>();
  return {
    get: (key) => entries.get(keyToPath(key))?.value ?? null,
    list: (prefix) =>
      [...entries.values()].flatMap(({ key, value }) =>
        keyToPath(key).startsWith(keyToPath(prefix)) ? [{ key, value: value! }] : [],
      ),
    apply(writes) {
      for (const write of writes) {
        if (write.value === null) entries.delete(keyToPath(write.key));
        else entries.set(keyToPath(write.key), write);
      }
    },
    entries: () => [...entries.values()].sort((a, b) => compareBytes(a.key, b.key)),
  };
}
