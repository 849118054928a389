/**
 * The folder of a real node, made without a network: keys and genesis as `cairn init` makes them, then blocks signed by all
 * four validators' keys and executed by the production code into the first node's databases, journal and mark.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Batch,
  type CheckpointStatement,
  checkpointDigest,
  createBatch,
  createBlock,
  createCertificate,
  decodeGenesis,
  decodeTransaction,
  defaultParameters,
  type EncodedOperation,
  type EpochSet,
  encodeBatch,
  encodeCertificate,
  type Hash,
  isChange,
  type JournalRecord,
  propose,
  type Signer,
  sha256,
  signBatch,
  signCheckpoint,
  signedBytes,
  signTransaction as signLedgerTransaction,
  toHash,
  toHeight,
  toValidatorIndex,
  toView,
  type Vote,
  vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { signTransaction, type TransactionInput } from '@cairn-ledger/sdk';
import { foundNetwork } from '../../cli/founding/found-network.ts';
import { createNodeSigner } from '../../crypto/signer.ts';
import { recordToBytes } from '../../driver/journal-record.ts';
import { orThrow } from '../../failure.ts';
import { openJournal } from '../../journal/journal.ts';
import { readKeyFile } from '../../keys/key-file.ts';
import { readNodeKeys } from '../../keys/node-keys.ts';
import { openSigningMark, signingMarkPath } from '../../keys/signing-mark-file.ts';
import { openChainDb } from '../../storage/chain-db.ts';
import { replaceChainDb } from '../../storage/chain-replacement.ts';
import { encodeSignatures } from '../../storage/checkpoint-signatures.ts';
import { storedToEpochSet } from '../../storage/epoch-table.ts';
import type { ChainSnapshot } from '../../storage/snapshot-import.ts';
import { snapshotOf } from '../../storage/testing/chain-snapshot.ts';
import { openViewDb } from '../../storage/view-db.ts';
import { followChain } from '../../storage/view-follow.ts';
import { createChainExecutor, type FinalizedBlock } from '../../threads/chain-executor.ts';

export type NodeFolderOptions = {
  readonly blocks?: number;
  readonly transactionsPerBlock?: number;
  /** Heights at the tip whose checkpoints are not certified yet. */
  readonly uncertified?: number;
  /** Of five validators the second one is removed by vote in this block, so that the epoch ends L heights later. */
  readonly removalAt?: number;
  /** The chain is founded at this height from a snapshot, and has gone on from there. */
  readonly foundedAt?: number;
};

export type MadeFolder = {
  readonly dir: string;
  readonly tipHeight: number;
  readonly ledgerHash: Hash;
  readonly markPath: string;
  /** The chain as it was before it was founded anew; of a folder that is not, there is none. */
  readonly wholePath: string;
  /** All validators sign; a quorum is three. */
  readonly votingSigners: readonly Signer[];
  readonly checkpointSigners: readonly Signer[];
  /** Adds blocks to chain.db alone, as if the node had gone on; returns the new tip's height. */
  grow(blocks: number): Promise<number>;
  remove(): void;
};

const selfId = 'node-1';
const removedId = 'node-2';
const fourMembers = ['alder', 'birch', 'cedar', 'elm'];
const genesisTimeMs = 1_700_000_000_000;
const expiryBlocks = 1_000_000;

export async function makeNodeFolder(options: NodeFolderOptions = {}): Promise<MadeFolder> {
  const { blocks = 12, transactionsPerBlock = 5, uncertified = 0, removalAt, foundedAt } = options;
  const members = removalAt === undefined ? fourMembers : [...fourMembers, 'fir'];
  const root = mkdtempSync(join(tmpdir(), 'cairn-node-folder-'));
  const founded = orThrow(foundNetwork(planOf(members), join(root, 'network'), genesisTimeMs));
  const dirs = members.map((_, i) => founded.nodeDirs[`node-${i + 1}`]!);
  const dir = dirs[0]!;
  const genesisBytes = new Uint8Array(readFileSync(founded.genesisPath));
  const genesis = orThrow(decodeGenesis(genesisBytes));
  const ledgerHash = sha256(genesisBytes);
  const nodeKeys = dirs.map((nodeDir) => orThrow(readNodeKeys(join(nodeDir, 'keys'))));
  const votingSigners = nodeKeys.map(({ voting }) => createNodeSigner('ed25519', voting.secretKey));
  const checkpointSigners = nodeKeys.map(({ checkpoint }) => createNodeSigner('ed25519', checkpoint.secretKey));
  const meter = signerAt(founded.keyPaths['birch/meter']!);
  const desk = signerAt(founded.keyPaths['alder/desk']!);
  let counter = 0n;

  const chainPath = join(dir, 'data', 'chain.db');
  const wholePath = join(root, 'whole.db');
  let chain = orThrow(openChainDb(chainPath, { ledgerHash }));
  let executor = createChainExecutor(genesis, ledgerHash, chain);
  const { journal } = orThrow(await openJournal(join(dir, 'data', 'journal')));
  let isJournalOpen = true;
  let tipHeight = blocks;
  const markPath = signingMarkPath(join(dir, 'keys'), ledgerHash);
  const mark = orThrow(openSigningMark(markPath));
  const statements: CheckpointStatement[] = [];
  /** By id of the validator, in the present epoch. */
  let authors = new Map<string, { seq: number; previous: Uint8Array }>();
  const finalized: FinalizedBlock[] = [];
  let snapshot: ChainSnapshot | null = null;
  for (let height = 1; height <= blocks; height++) await addBlock(height);
  const present = storedToEpochSet(chain.epochs.latest()!);
  const view = blocks - present.genesis.height;
  mark.write({ epoch: present.epoch, view, seq: authors.get(selfId)?.seq ?? 0, checkpointHeight: blocks });
  mark.close();
  await journal.close();
  isJournalOpen = false;
  if (snapshot !== null) foundAnew(snapshot, foundedAt!);
  orThrow(followChain(orThrow(openViewDb(join(dir, 'data', 'view.db'))), chain)).close();
  chain.close();
  return {
    dir,
    tipHeight: blocks,
    ledgerHash,
    markPath,
    wholePath,
    votingSigners,
    checkpointSigners,
    async grow(count) {
      chain = orThrow(openChainDb(chainPath, { ledgerHash }));
      executor = createChainExecutor(genesis, ledgerHash, chain);
      for (let added = 0; added < count; added++) {
        tipHeight++;
        await addBlock(tipHeight);
      }
      chain.close();
      return tipHeight;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };

  async function addBlock(height: number): Promise<void> {
    const set = storedToEpochSet(chain.epochs.at(height));
    const { epoch, validators } = set;
    const lag = defaultParameters.checkpointLag;
    if (height === set.genesis.height + 1) authors = new Map();
    const signers = validators.slice(0, set.quorum).map((_, i) => toValidatorIndex(i));
    const transactions = height === removalAt ? removal() : transactionsOf(height);
    const batch = sealBatch(set, height % validators.length, transactions);
    const before = chain.tip()!;
    const wanted = chain.epochs.targetAt(Math.max(0, height - lag));
    const view = toView(height - set.genesis.height);
    const named = statements[Math.max(0, height - lag) - 1];
    const block = createBlock(
      {
        epoch,
        height: toHeight(height),
        rules: 1,
        parent: toHash(before.digest),
        timeMs: before.timeMs + 1000,
        checkpoint: named === undefined ? sha256(chain.checkpoint(0)!.statement) : checkpointDigest(named),
        nextSet: isChange(set, wanted) ? wanted.digest : null,
      },
      [{ author: batch.header.author, seq: batch.header.seq, digest: batch.digest }],
      [],
    );
    const proposal = { epoch, view, parentView: toView(view - 1), digest: block.digest };
    const finalization = certify(set, { type: 'finalize', proposal });
    const isOwn = validators[batch.header.author]!.id === selfId;
    // Own batches are kept unsigned.
    const kept = isOwn ? signBatch(batch, new Uint8Array(64)) : batch;
    await record({ type: 'batch', batch: kept }, { type: 'block', block });
    await record({ type: 'own-vote', vote: { type: 'notarize', proposal } });
    await record(
      { type: 'certificate', certificate: certify(set, { type: 'notarize', proposal }) },
      { type: 'certified', epoch, view, isOk: true },
      { type: 'own-vote', vote: { type: 'finalize', proposal } },
    );
    await record({ type: 'certificate', certificate: finalization });
    const bytes = encodeBatch(batch);
    const decoded = batch.transactions.map((transaction) => orThrow(decodeTransaction(transaction)));
    const final: FinalizedBlock = {
      block,
      view,
      finalization: encodeCertificate(finalization),
      misbehaviour: [],
      batches: [{ batch, bytes, transactions: viewsOf(decoded, bytes), verdicts: new Uint8Array(decoded.length) }],
    };
    finalized.push(final);
    const { outcome } = executor.execute(final);
    statements.push(outcome.statement);
    await record({ type: 'own-checkpoint', statement: outcome.statement });
    if (height > blocks - uncertified && height <= blocks) return;
    const issued = Math.floor(outcome.timeMs / 1000);
    const signatures = signers.map((i) =>
      signCheckpoint(outcome.statement, i, validators[i]!, issued, checkpointSigners[nodeOf(set, i)]!),
    );
    const encoded = encodeSignatures(signatures);
    orThrow(chain.putCertified(height, 0, encoded));
    if (height === foundedAt) snapshot = snapshotOf(chain, lag, encoded);
  }

  /** Place among the nodes, which are numbered from 1. */
  function nodeOf({ validators }: EpochSet, index: number): number {
    return Number(validators[index]!.id.slice('node-'.length)) - 1;
  }

  /** In place of the chain that was made one that begins with the snapshot; what came after it is executed again. */
  function foundAnew(from: ChainSnapshot, foundedHeight: number): void {
    const certified = Array.from(
      { length: blocks - foundedHeight },
      (_, i) => chain.checkpoint(foundedHeight + 1 + i)!,
    );
    chain.close();
    copyFileSync(chainPath, wholePath);
    orThrow(replaceChainDb(chainPath, ledgerHash, from));
    chain = orThrow(openChainDb(chainPath, { ledgerHash }));
    executor = createChainExecutor(genesis, ledgerHash, chain);
    for (const block of finalized.slice(foundedHeight)) executor.execute(block);
    for (const { height, signatures } of certified)
      if (signatures !== null) orThrow(chain.putCertified(height, 0, signatures));
  }

  /** A member proposes that a validator leaves, and the others agree. */
  function removal(): Uint8Array[] {
    const change = { type: 'remove-validator' as const, validator: removedId };
    const persons = members.map((member) => signerAt(founded.keyPaths[member]!));
    const proposed = signOperation(persons[0]!, propose.toCbor({ change }));
    const { id } = orThrow(decodeTransaction(proposed));
    const votes = persons.slice(1).map((person) => signOperation(person, vote.toCbor({ proposal: id, isYes: true })));
    return [proposed, ...votes];
  }

  function signOperation(signer: Signer, operation: EncodedOperation): Uint8Array {
    counter++;
    return signLedgerTransaction({ ledgerHash, counter, operations: [operation] }, signer);
  }

  /** Readings of two devices, payments, and one payment more than there is money for. */
  function transactionsOf(height: number): Uint8Array[] {
    return Array.from({ length: transactionsPerBlock }, (_, i) => {
      const time = String(1_700_000_000 + height * 60 + i);
      const readings = [{ name: 'level', time, value: { type: 'number' as const, text: String(i) } }];
      if (i === 0) return sign(meter, { transfers: [{ to: 'alder/desk', asset: 'eur', amount: 3n }] });
      if (i === 1) return sign(meter, { transfers: [{ to: 'alder/desk', asset: 'eur', amount: 1_000_000n }] });
      return sign(i % 2 === 0 ? meter : desk, { readings });
    });
  }

  function sign(signer: Signer, input: Partial<TransactionInput>): Uint8Array {
    counter++;
    return orThrow(signTransaction({ ledgerHash, counter, ...input }, signer));
  }

  function sealBatch(set: EpochSet, author: number, transactions: readonly Uint8Array[]): Batch {
    const { epoch } = set;
    const { id } = set.validators[author]!;
    const at = authors.get(id) ?? { seq: 0, previous: new Uint8Array(0) };
    authors.set(id, at);
    at.seq++;
    const fields = {
      epoch,
      author: toValidatorIndex(author),
      seq: at.seq,
      base: 1,
      previous: at.previous,
      expiryHeight: toHeight(expiryBlocks),
    };
    const batch = createBatch(fields, transactions);
    at.previous = batch.digest;
    return signBatch(
      batch,
      votingSigners[nodeOf(set, author)]!.sign(signedBytes('batch', ledgerHash, batch.headerBytes)),
    );
  }

  function certify(set: EpochSet, vote: Vote) {
    const signers = set.validators.slice(0, set.quorum).map((_, i) => toValidatorIndex(i));
    return createCertificate(
      signers.map((signer) => ({
        vote,
        signer,
        signature: votingSigners[nodeOf(set, signer)]!.sign(voteSignedBytes(vote, ledgerHash)),
      })),
    );
  }

  async function record(...records: readonly JournalRecord[]): Promise<void> {
    if (!isJournalOpen) return;
    for (const each of records) {
      const { type, payload } = recordToBytes(each);
      journal.append(type, payload);
    }
    await journal.sync();
  }
}

/** The same transactions, their bytes views of the encoded batch, as the executor has them. */
function viewsOf(
  transactions: readonly Extract<ReturnType<typeof decodeTransaction>, { ok: true }>['value'][],
  batch: Uint8Array,
) {
  let from = 0;
  return transactions.map((transaction) => {
    const start = Buffer.from(batch.buffer, batch.byteOffset, batch.length).indexOf(transaction.bytes, from);
    from = start + transaction.bytes.length;
    return orThrow(decodeTransaction(batch.subarray(start, from)));
  });
}

function signerAt(path: string): Signer {
  const key = orThrow(readKeyFile(path));
  return createNodeSigner(key.algorithm, key.secretKey);
}

function planOf(members: readonly string[]) {
  return {
    name: 'audited',
    members: members.map((id) => ({ id, name: id, person: null })),
    nodes: members.map((member, i) => ({
      id: `node-${i + 1}`,
      member,
      address: `127.0.0.1:${17_000 + i}`,
      http: { host: '127.0.0.1', port: 17_100 + i },
      mqtt: null,
      publicPath: null,
    })),
    devices: [
      { id: 'alder/desk', key: null },
      { id: 'birch/meter', key: null },
    ],
    assets: [{ id: 'eur', decimals: 2, issuer: 'alder' }],
    balances: [{ account: 'birch/meter', asset: 'eur', amount: 10_000n }],
    parameters: defaultParameters,
  };
}
