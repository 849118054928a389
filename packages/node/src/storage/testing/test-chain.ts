/**
 * A chain for tests and measurements: real transactions of any number of devices, executed by the real ledger into chain.db.
 * Keys and signatures are made up; nothing here checks them.
 */
import { createHash } from 'node:crypto';
import {
  assert,
  createBatch,
  createHistoryTree,
  createLedger,
  type Decimal,
  defaultParameters,
  encodeBatch,
  encodePack,
  type Genesis,
  genesisToLedgerHash,
  keyId,
  type Signer,
  sha256,
  signBatch,
  signTransaction,
  type TransactionContent,
  textToDecimal,
  toEpoch,
  toHeight,
  toValidatorIndex,
  type Validator,
} from '@cairn-ledger/core';
import type { ChainDb, NewBlock } from '../chain-db.ts';
import { executedToView, type OpenedBatch, openBatch } from '../view-block.ts';
import type { ViewBlock } from '../view-db.ts';

export const genesisTimeMs = 1_700_000_000_000;
const batchSize = 1000;

/** The epoch's only one; it signs nothing. */
const validator: Validator = {
  id: 'node-1',
  member: 'acme',
  linkKey: new Uint8Array(32).fill(1),
  votingKey: new Uint8Array(32).fill(2),
  checkpointKey: new Uint8Array(32).fill(3),
  addresses: [],
  life: null,
};

export type TestChain = ReturnType<typeof createTestChain>;

export function createTestChain(chain: ChainDb, options: { deviceCount?: number; gatewayDevices?: boolean } = {}) {
  const signers = Array.from({ length: options.deviceCount ?? 3 }, (_, i) => madeUpSigner(`device ${i}`));
  const gateway = madeUpSigner('gateway');
  const genesis = genesisOf(signers, gateway);
  const ledgerHash = genesisToLedgerHash(genesis);
  const ledger = createLedger({ genesis, verify: () => true });
  const history = createHistoryTree(chain.tiles, chain.tip()?.historySize ?? 0);
  const counters = new Map<Signer, bigint>();
  let height = chain.tip()?.height ?? -1;

  return {
    genesis,
    ledgerHash,
    history,
    device: (i: number): Signer => signers[i]!,
    gateway,
    /** A transaction with the signer's next counter, unless `content` gives one. */
    sign(signer: Signer, content: Partial<TransactionContent>): Uint8Array {
      const counter = content.counter ?? counters.get(signer) ?? 1n;
      if (content.counter === undefined) counters.set(signer, counter + 1n);
      return signTransaction({ ledgerHash, ...content, counter }, signer);
    },
    /** What the next block would be, its batches of 1,000 transactions each. */
    execute(transactions: readonly Uint8Array[]): { block: NewBlock; view: ViewBlock } {
      height += 1;
      return height === 0 ? genesisBlock() : executeBlock(transactions);
    },
    /** Executes and commits the next block; the first call makes the genesis block first. */
    commit(transactions: readonly Uint8Array[]): ViewBlock {
      if (height === -1) commitExecuted(this.execute([]));
      return commitExecuted(this.execute(transactions));
    },
  };

  function commitExecuted({ block, view }: { block: NewBlock; view: ViewBlock }): ViewBlock {
    const committed = chain.commitBlock(block);
    assert(committed.ok, committed.ok ? '' : committed.error.message);
    return view;
  }

  function genesisBlock(): { block: NewBlock; view: ViewBlock } {
    const { writes, leaves } = ledger.genesis();
    const block = blockOf({
      writes,
      tileWrites: history.append(leaves).tileWrites,
      epochStart: {
        epoch: 1,
        genesisHeight: 0,
        genesis: { digest: ledgerHash, timeMs: genesisTimeMs },
        validators: [validator],
        rules: 1,
      },
      target: { validators: [validator], rules: 1 },
    });
    return { block, view: { height: 0, digest: block.digest, transactions: [] } };
  }

  function executeBlock(transactions: readonly Uint8Array[]): { block: NewBlock; view: ViewBlock } {
    const opened: OpenedBatch[] = [];
    for (let start = 0; start < transactions.length; start += batchSize) {
      opened.push(openBatch(batchBytesOf(transactions.slice(start, start + batchSize)), height));
    }
    const execution = ledger.execute(chain.store, {
      height,
      timeMs: genesisTimeMs + height * 1000,
      rules: 1,
      epoch: 1,
      transactions: opened.flatMap((batch) => batch.transactions),
      misbehaviour: [],
      validators: [],
      authors: [],
    });
    const historySizeBefore = history.size();
    const { tileWrites } = history.append(execution.entries);
    const batches = opened.map(({ bytes }, i) => ({
      digest: sha256(bytes),
      epoch: 1,
      author: 0,
      seq: height * 64 + i,
      bytes,
    }));
    const block = blockOf({ batches, results: execution.results, writes: execution.writes, tileWrites });
    const { digest, results } = block;
    return { block, view: executedToView({ height, digest, batches: opened, results, historySizeBefore }) };
  }

  function blockOf(parts: Partial<NewBlock>): NewBlock {
    const header = new TextEncoder().encode(`header ${height}`);
    return {
      height,
      digest: sha256(header),
      header,
      body: new TextEncoder().encode(`body ${height}`),
      view: height,
      finalization: height % 2 === 0 ? new TextEncoder().encode(`finalization ${height}`) : null,
      timeMs: genesisTimeMs + height * 1000,
      batches: [],
      results: [],
      writes: [],
      tileWrites: [],
      statement: new TextEncoder().encode(`statement ${height}`),
      historySize: history.size(),
      epochStart: null,
      target: null,
      ...parts,
    };
  }

  function batchBytesOf(transactions: readonly Uint8Array[]): Uint8Array {
    const fields = {
      epoch: toEpoch(1),
      author: toValidatorIndex(0),
      seq: 1,
      base: 1,
      previous: new Uint8Array(0),
      expiryHeight: toHeight(height + 10_000),
    };
    return encodeBatch(signBatch(createBatch(fields, transactions), new Uint8Array(64)));
  }
}

/** A pack of temperatures, one per time in ms since 1970. */
export function packAt(timesMs: readonly number[], device?: string): Uint8Array {
  const readings = timesMs.map((timeMs, i) => ({
    name: 'temperature',
    unit: 'Cel',
    time: decimalOf(`${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`),
    value: { type: 'number' as const, decimal: decimalOf(`${20 + (i % 5)}.${i % 100}1`) },
  }));
  const pack = encodePack(readings, device);
  assert(pack.ok, pack.ok ? '' : pack.error.message);
  return pack.value;
}

function decimalOf(text: string): Decimal {
  const decimal = textToDecimal(text);
  assert(decimal !== null, `${text} is a decimal`);
  return decimal;
}

function madeUpSigner(name: string): Signer {
  const publicKey = new Uint8Array(createHash('sha256').update(name).digest());
  return { algorithm: 'ed25519', publicKey, kid: keyId('ed25519', publicKey), sign: () => new Uint8Array(64).fill(7) };
}

function genesisOf(signers: readonly Signer[], gateway: Signer): Genesis {
  return {
    name: 'test network',
    timeMs: genesisTimeMs,
    rules: 1,
    parameters: { ...defaultParameters, transactionsPerMinute: 1_000_000_000, bytesPerMinute: 1_000_000_000_000 },
    validators: [],
    members: [{ id: 'acme', name: 'Acme Ltd' }],
    keys: [
      ...signers.map(({ publicKey }, i) => ({
        role: 'device' as const,
        algorithm: 'ed25519' as const,
        publicKey,
        member: 'acme',
        device: `d${i}`,
      })),
      { role: 'gateway', algorithm: 'ed25519', publicKey: gateway.publicKey, member: 'acme', device: null },
    ],
    assets: [],
    balances: [],
  };
}
