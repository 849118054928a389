/** The largest validator sets, with the longest texts: what is said of epochs stays within what a link takes. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import {
  channelOf,
  defaultParameters,
  encodeCbor,
  encodeMessage,
  type Genesis,
  genesisToLedgerHash,
  type Message,
  type Signer,
  sha256,
  sortValidators,
  toEpoch,
  toHeight,
  type Validator,
  validatorToCbor,
} from '@cairn-ledger/core';
import { createNodeSigner } from '../crypto/signer.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { FRAME_BYTES_MAX } from '../transport/transport.ts';
import { anchorEpochs, followToPresent } from './known-epochs.ts';
import { createPeers } from './peers.ts';
import { type Answering, portTo, type ServedChain, serveDatabase } from './testing/served-chain.ts';
import { createSignedChain } from './testing/signed-chain.ts';

/** As model/validator-set.ts has them. */
const validatorSetMax = 256;
const addressesMax = 8;
const epochsCount = 8;
const longest = 'x'.repeat(255);
const signerOf = (name: string): Signer => createNodeSigner('ed25519', sha256(new TextEncoder().encode(name)));
const members = Array.from({ length: validatorSetMax }, (_, i) => `${i}`.padStart(32, 'm'));
const signers = new Map(
  members.map((id) => [id, { voting: signerOf(`${id}/voting`), checkpoint: signerOf(`${id}/checkpoint`) }]),
);
const validators = sortValidators(
  members.map(
    (id): Validator => ({
      id,
      member: id,
      linkKey: signerOf(`${id}/link`).publicKey,
      votingKey: signers.get(id)!.voting.publicKey,
      checkpointKey: signers.get(id)!.checkpoint.publicKey,
      addresses: Array.from({ length: addressesMax }, (_, i) => `${i}${longest}`.slice(0, 255)),
      host: longest,
      operator: longest,
      life: null,
    }),
  ),
);
const genesis: Genesis = {
  name: 'large',
  timeMs: 1_700_000_000_000,
  rules: 1,
  parameters: defaultParameters,
  validators,
  members: members.map((id) => ({ id, name: id })),
  keys: [],
  assets: [],
  balances: [],
};
const ledgerHash = genesisToLedgerHash(genesis);
const dir = mkdtempSync(join(tmpdir(), 'cairn-large-'));
const path = join(dir, 'chain.db');
let served: ServedChain;
/** The longest answer of each type. */
const longestOf = new Map<Message['type'], number>();

before(() => {
  const chain = orThrow(openChainDb(path, { ledgerHash }));
  const signed = createSignedChain({ genesis, ledgerHash, chain, signersOf: (id) => signers.get(id)! });
  for (let epoch = 1; epoch < epochsCount; epoch++) {
    signed.add();
    want(chain.tip()!.height, epoch);
    while (signed.set().epoch === epoch) signed.add();
  }
  for (let i = 0; i < 6; i++) signed.add();
  chain.close();
  served = serveDatabase(path, ledgerHash);
});

after(() => {
  served.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Makes the ledger want a set in which one validator has a new life number. */
function want(height: number, life: number): void {
  const [first, ...others] = validators;
  const set = [{ ...first!, life: new Uint8Array(16).fill(life) }, ...others];
  const database = new DatabaseSync(path);
  database
    .prepare('INSERT INTO targets (height, validators, rules) VALUES (?, ?, 1)')
    .run(height, encodeCbor(set.map(validatorToCbor)));
  database.close();
}

const honest: Answering = (request) => {
  const answer = served.serve(request);
  if (answer !== null && answer !== 'silent') {
    const { length } = encodeMessage(answer);
    assert.ok(length <= FRAME_BYTES_MAX[channelOf(answer)], `${answer.type} has ${length} bytes`);
    longestOf.set(answer.type, Math.max(length, longestOf.get(answer.type) ?? 0));
  }
  return answer;
};

test('the epochs of the largest sets are followed from the genesis, some at a time', async () => {
  const port = portTo({ one: honest });
  const peers = createPeers({ port, signal: new AbortController().signal });
  const anchor = { genesis, ledgerHash };
  const epochs = await followToPresent(anchor, anchorEpochs(anchor), peers, sodiumVerifier);
  assert.equal(epochs?.length, epochsCount);
  assert.equal(epochs.at(-1)!.validators.length, validatorSetMax);
  const asked = port.asked.filter(([, { type }]) => type === 'request-epochs').length;
  assert.ok(asked >= 3, 'they do not fit into one answer');
  assert.ok(longestOf.get('epochs')! > 2 << 20, 'the sets are large');
});

test('so are snapshots, checkpoints and finalizations of the largest sets', () => {
  const tip = served.chain.tip()!.height;
  const requests: Message[] = [
    { type: 'request-snapshot', from: toHeight(0) },
    { type: 'request-checkpoint', height: toHeight(tip) },
    { type: 'request-chain', from: toHeight(tip - 3) },
    { type: 'request-boundary', epoch: toEpoch(1) },
  ];
  for (const request of requests) {
    const answer = honest(request);
    assert.ok(answer !== null && answer !== 'silent', request.type);
    if (answer.type === 'snapshot') assert.equal(answer.snapshot?.height, tip);
  }
});
