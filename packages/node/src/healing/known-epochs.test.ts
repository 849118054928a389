import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  type Block,
  type CheckpointStatement,
  createBlock,
  createCertificate,
  defaultParameters,
  type EpochProof,
  equalBytes,
  type Genesis,
  genesisToLedgerHash,
  type Hash,
  type Message,
  nobleSigner,
  nobleVerifier,
  sha256,
  signCheckpoint,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
  type Validator,
  type Vote,
  validatorSetDigest,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { anchorEpochs, epochOfHeight, followToPresent, type SyncAnchor, TwoFutures } from './known-epochs.ts';
import { createPeers } from './peers.ts';
import { type Answering, portTo } from './testing/served-chain.ts';

const signerOf = (id: string, use: number) => {
  const seed = new Uint8Array(32).fill(use);
  seed.set(new TextEncoder().encode(id));
  return nobleSigner('ed25519', seed);
};

function validatorNamed(id: string): Validator {
  return {
    id,
    member: id,
    linkKey: signerOf(id, 1).publicKey,
    votingKey: signerOf(id, 2).publicKey,
    checkpointKey: signerOf(id, 3).publicKey,
    addresses: [],
    life: null,
  };
}

const setOf = (...ids: string[]): Validator[] => ids.map(validatorNamed);
/** Sets of the epochs 1, 2, ...: one joins, one leaves, the rules change. */
const sets = [
  setOf('a', 'b', 'c', 'd'),
  setOf('a', 'b', 'c', 'd', 'e'),
  setOf('b', 'c', 'd', 'e'),
  setOf('b', 'c', 'd', 'e'),
];
const boundaryHeights = [20, 40, 60];

const genesis: Genesis = {
  name: 'epochs',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators: sets[0]!,
  members: sets
    .flat()
    .map(({ id }) => ({ id, name: id }))
    .filter(({ id }, i, all) => all.findIndex((m) => m.id === id) === i),
  keys: [],
  assets: [],
  balances: [],
};
const ledgerHash = genesisToLedgerHash(genesis);
const anchor: SyncAnchor = { genesis, ledgerHash };

function statementOf(epoch: number, height: number, next: readonly Validator[]): CheckpointStatement {
  const hash = sha256(Uint8Array.of(height));
  return {
    ledgerHash,
    epoch: toEpoch(epoch),
    height: toHeight(height),
    round: 0,
    historySize: 2 + height,
    historyRoot: hash,
    stateRoot: hash,
    validatorSet: validatorSetDigest(next),
  };
}

/** That an epoch ended at a height, signed by so many of its set. */
function proofOf(epoch: number, height: number, next: readonly Validator[], count = 99): EpochProof {
  const statement = statementOf(epoch, height, next);
  const signers = sets[epoch - 1]!.slice(0, count);
  const signatures = signers.map((validator, i) =>
    signCheckpoint(statement, toValidatorIndex(i), validator, 1_700_000_000, signerOf(validator.id, 3)),
  );
  return { signatures, validators: next };
}

const proofs = boundaryHeights.map((height, i) => proofOf(i + 1, height, sets[i + 1]!));

function boundaryBlock(epoch: number, height: number, nextSet: Hash | null): Block {
  return createBlock(
    {
      epoch: toEpoch(epoch),
      height: toHeight(height),
      rules: 1,
      parent: sha256(Uint8Array.of(height, 1)),
      timeMs: 1_700_000_000_000 + height,
      checkpoint: sha256(Uint8Array.of(height, 2)),
      nextSet,
    },
    [],
    [],
  );
}

const boundaries = boundaryHeights.map((height, i) => boundaryBlock(i + 1, height, validatorSetDigest(sets[i + 1]!)));

function finalizationOf(epoch: number, block: Block) {
  const proposal = { epoch: toEpoch(epoch), view: toView(9), parentView: toView(8), digest: block.digest };
  const vote: Vote = { type: 'finalize', proposal };
  return createCertificate(
    sets[epoch - 1]!.map(({ id }, i) => ({
      vote,
      signer: toValidatorIndex(i),
      signature: signerOf(id, 2).sign(voteSignedBytes(vote, ledgerHash)),
    })),
  );
}

function peerWith(own: readonly EpochProof[], blocks: readonly Block[] = boundaries): Answering {
  return (request): Message | null => {
    if (request.type === 'request-epochs') return { type: 'epochs', proofs: own.slice(request.from - 1) };
    if (request.type === 'request-boundary') {
      const block = blocks[request.epoch - 1];
      return block === undefined ? null : { type: 'certificate', certificate: finalizationOf(request.epoch, block) };
    }
    const found =
      request.type === 'request-block' ? blocks.find(({ digest }) => equalBytes(digest, request.digest)) : undefined;
    return found === undefined ? null : { type: 'block', block: found };
  };
}

function follow(answering: Readonly<Record<string, Answering>>, from: SyncAnchor = anchor) {
  const peers = createPeers({ port: portTo(answering), signal: new AbortController().signal, timeoutMs: 30 });
  return { followed: followToPresent(from, anchorEpochs(from), peers, nobleVerifier), peers };
}

const honest = peerWith(proofs);

test('epochs are followed from the genesis over the boundaries', async () => {
  const epochs = (await follow({ honest }).followed)!;
  assert.deepEqual(
    epochs.map(({ epoch, genesisHeight, validators }) => [epoch, genesisHeight, validators.length]),
    [
      [1, 0, 4],
      [2, 20, 5],
      [3, 40, 4],
      [4, 60, 4],
    ],
  );
  assert.equal(epochOfHeight(epochs, 20).epoch, 1, 'a boundary block is of the epoch that it ends');
  assert.equal(epochOfHeight(epochs, 21).epoch, 2);
  assert.equal(epochOfHeight(epochs, 1e9).epoch, 4);
});

test('the longest history that is proven counts, whoever has it', async () => {
  const epochs = await follow({
    stale: peerWith([]),
    half: peerWith(proofs.slice(0, 1)),
    silent: () => 'silent',
    honest,
  }).followed;
  assert.equal(epochs!.length, 4);
});

const forged = proofOf(1, 20, setOf('x', 'y', 'z', 'w'));
for (const [what, own] of Object.entries({
  'a quorum that is none': [proofOf(1, 20, sets[1]!, 2)],
  'a set that the signatures do not name': [{ ...proofs[0]!, validators: sets[2]! }],
  'signatures of other validators': [
    {
      ...proofs[0]!,
      signatures: proofs[0]!.signatures
        .map((each) => ({ ...each, signer: toValidatorIndex((each.signer + 1) % 4) }))
        .sort((a, b) => a.signer - b.signer),
    },
  ],
  'an epoch left out': [proofs[1]!],
  'boundaries that go down': [proofs[0]!, proofOf(2, 10, sets[2]!)],
  'signatures that do not hold': [
    { ...forged, signatures: forged.signatures.map((each) => ({ ...each, signature: new Uint8Array(64) })) },
  ],
})) {
  test(`refused and counted: ${what}`, async () => {
    // Proofs are told from the first one on, whatever was asked for.
    const liar: Answering = (request) => (request.type === 'request-epochs' ? { type: 'epochs', proofs: own } : null);
    const { followed, peers } = follow({ liar, honest });
    assert.equal((await followed)!.length, 4);
    assert.ok(peers.conduct().get('liar')!.wrong > 0);
  });
}

test('two futures, both signed by quorums, are an alarm and no choice', async () => {
  const other = peerWith([proofOf(1, 25, setOf('a', 'b', 'c', 'd', 'f'))]);
  await assert.rejects(follow({ honest, other }).followed, TwoFutures);
});

test('a set that goes on unchanged needs the boundary block to be believed', async () => {
  // Any checkpoint of an epoch names its own set: it looks like the end of it.
  const made = proofOf(4, 77, sets[3]!);
  const liar = peerWith([...proofs, made]);
  const { followed, peers } = follow({ liar, honest });
  assert.equal((await followed)!.length, 4);
  assert.ok(peers.conduct().get('liar')!.wrong > 0);
  const unfinished = boundaryBlock(4, 77, null);
  const withBlock = peerWith([...proofs, made], [...boundaries, unfinished]);
  assert.equal((await follow({ withBlock, honest }).followed)!.length, 4, 'a block that ends no epoch is no boundary');
});

test('a later set that is trusted is led through, or nothing is believed', async () => {
  const later = { epoch: 3, setDigest: validatorSetDigest(sets[2]!) };
  assert.equal((await follow({ honest }, { ...anchor, later }).followed)!.length, 4);
  const other = { epoch: 3, setDigest: sha256(Uint8Array.of(1)) };
  assert.equal(await follow({ honest }, { ...anchor, later: other }).followed, null);
  assert.equal(await follow({ stale: peerWith(proofs.slice(0, 1)) }, { ...anchor, later }).followed, null);
});

test('keys of validators of old make another past, and lead nobody away from a set that is trusted', async () => {
  const later = { epoch: 3, setDigest: validatorSetDigest(sets[2]!) };
  const thieves = peerWith([proofOf(1, 25, setOf('a', 'b', 'c', 'd', 'f'))]);
  const from = { ...anchor, later };
  // Without an anchor these are two futures; whoever answers first, the true one is found with it.
  for (const answering of [
    { thieves, honest },
    { honest, thieves },
  ])
    assert.deepEqual(
      (await follow(answering, from).followed)!.map(({ genesisHeight }) => genesisHeight),
      [0, 20, 40, 60],
    );
  // From the anchor on they are what they are.
  const fork = peerWith([...proofs.slice(0, 2), proofOf(3, 55, setOf('b', 'c', 'd', 'g'))]);
  await assert.rejects(follow({ honest, fork }, from).followed, TwoFutures);
});
