/** How a node that has no chain finds out whether others have one: whole nodes' links, over the loopback. */
import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  channelOf,
  createBlock,
  createCertificate,
  decodeMessage,
  defaultParameters,
  encodeMessage,
  type Message,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { foundNetwork } from './cli/founding/found-network.ts';
import { readFounding } from './config/founding.ts';
import { readNodeConfig } from './config/node-config.ts';
import { installNodeSha256 } from './crypto/sha256.ts';
import { createNodeSigner } from './crypto/signer.ts';
import { orThrow } from './failure.ts';
import { isNotedAsRolledBack } from './keys/rolled-back.ts';
import { isMarkedUnused } from './keys/unused-record.ts';
import { createLog } from './logging.ts';
import { createNode } from './node.ts';
import { foundFromPeers, type RepairParts, setJournalAside } from './node-repair.ts';
import { createTlsTransport } from './transport/tls-transport.ts';

installNodeSha256();
const dir = mkdtempSync(join(tmpdir(), 'cairn-founding-'));
after(() => rmSync(dir, { recursive: true }));

const http = { host: '127.0.0.1', port: 0 };
const nodes = await Promise.all(
  ['node-1', 'node-2', 'node-3', 'node-4'].map(async (id) => ({
    id,
    member: 'alder',
    address: `127.0.0.1:${await freePort()}`,
    http,
    mqtt: null,
    publicPath: null,
  })),
);
const { nodeDirs } = orThrow(
  foundNetwork(
    {
      name: 'of four',
      members: [{ id: 'alder', name: 'Alder', person: null }],
      nodes,
      devices: [],
      assets: [],
      balances: [],
      parameters: defaultParameters,
    },
    join(dir, 'network'),
    Date.now(),
  ),
);

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function partsOf(id: string, signal: AbortSignal): RepairParts {
  const config = orThrow(readNodeConfig(nodeDirs[id]!));
  const log = createLog({ level: 'fatal', base: {} });
  return { config, founding: orThrow(readFounding(config)), log, signal, known: null, onProgress: () => undefined };
}

test('a node without a chain waits while too few answer, and begins at the genesis when a quorum has nothing', async () => {
  const stopping = new AbortController();
  const begin = (id: string) => foundFromPeers(partsOf(id, stopping.signal)).then((founded) => ({ id, founded }));
  const early = [begin('node-1'), begin('node-2')];
  const first = await Promise.race([...early, sleep(4_000, 'waits' as const)]);
  assert.equal(first, 'waits', 'two of four are no quorum');
  assert.deepEqual(await Promise.all([...early.slice(0, 1), begin('node-3')]), [
    { id: 'node-1', founded: null },
    { id: 'node-3', founded: null },
  ]);
  stopping.abort(new Error('enough'));
  await Promise.allSettled(early);
  assert.ok(!existsSync(join(nodeDirs['node-1']!, 'data', 'chain.db')));
});

test('a node that waits for its peers stops when it is told to', async () => {
  const stopping = new AbortController();
  const waiting = foundFromPeers(partsOf('node-4', stopping.signal));
  await sleep(300);
  stopping.abort(new Error('enough'));
  await assert.rejects(waiting, /enough|abort/);
});

/** The links of a node that answers as told. */
async function answering(id: string, answerTo: (request: Message) => Message | null): Promise<() => Promise<void>> {
  const { config, founding } = partsOf(id, new AbortController().signal);
  const transport = createTlsTransport({
    id,
    linkSecretKey: founding.keys.link.secretKey,
    ledgerHash: founding.ledgerHash,
    listen: config.listen,
    peers: founding.genesis.validators.filter((each) => each.id !== id),
    events: {
      onFrame: (peer, _channel, frame) => {
        const request = decodeMessage(frame);
        const answer = request.ok ? answerTo(request.value) : null;
        if (answer !== null) transport.send(peer, channelOf(answer), encodeMessage(answer));
      },
      onConnected: () => undefined,
      onDisconnected: () => undefined,
    },
  });
  await transport.start();
  return () => transport.stop();
}

/** The first block, finalized by these validators. */
function firstPage(...signers: readonly number[]): Message {
  const { ledgerHash } = partsOf('node-1', new AbortController().signal).founding;
  const fields = { epoch: toEpoch(1), height: toHeight(1), rules: 1, parent: ledgerHash, timeMs: 1 };
  const block = createBlock({ ...fields, checkpoint: ledgerHash, nextSet: null }, [], []);
  const proposal = { epoch: toEpoch(1), view: toView(1), parentView: toView(0), digest: block.digest };
  const vote = { type: 'finalize' as const, proposal };
  const votes = signers.map((signer) => {
    const { keys } = partsOf(`node-${signer + 1}`, new AbortController().signal).founding;
    const { sign } = createNodeSigner('ed25519', keys.voting.secretKey);
    return { vote, signer: toValidatorIndex(signer), signature: sign(voteSignedBytes(vote, ledgerHash)) };
  });
  return { type: 'chain', blocks: [block], finalization: createCertificate(votes) };
}

const none: Message = { type: 'snapshot', snapshot: null };

test('where peers have a chain and nobody a certified state, every block is executed', async () => {
  let isWhole = false;
  const stop = await answering('node-2', ({ type }) => {
    if (type === 'request-snapshot') return none;
    return type === 'request-chain' && isWhole ? firstPage(0) : null;
  });
  const stopping = new AbortController();
  try {
    const founding = foundFromPeers(partsOf('node-4', stopping.signal), 500);
    assert.equal(await Promise.race([founding, sleep(1_500, 'waits')]), 'waits', 'nobody has the first blocks');
    isWhole = true;
    assert.equal(await founding, 'held');
  } finally {
    stopping.abort(new Error('enough'));
    await stop();
  }
});

test('a quorum that has no state to offer at the moment has a chain all the same, where one of them proves it', async () => {
  for (const [signers, expected] of [
    [[0, 1, 2], 'held'],
    [[0, 1], null],
  ] as const) {
    const page = firstPage(...signers);
    const stops = await Promise.all([
      answering('node-2', ({ type }) => (type === 'request-snapshot' ? none : null)),
      answering('node-3', ({ type }) => (type === 'request-snapshot' ? none : type === 'request-chain' ? page : null)),
    ]);
    try {
      assert.equal(await foundFromPeers(partsOf('node-4', AbortSignal.timeout(60_000))), expected);
    } finally {
      await Promise.all(stops.map((stop) => stop()));
    }
  }
});

test('a journal is noted as lost before it is moved: a crash in between forgets nothing', () => {
  const { config } = partsOf('node-3', new AbortController().signal);
  assert.throws(() => setJournalAside(config), /ENOENT/, 'there is no journal to move');
  assert.ok(isNotedAsRolledBack(config.dataDir));
});

test('keys of the genesis that lie alone are used ones: they wait for what peers say, and stop in order while they wait', async () => {
  const nodeDir = nodeDirs['node-4']!;
  const config = orThrow(readNodeConfig(nodeDir));
  assert.ok(isMarkedUnused(config.dataDir), 'founding says that they are new');
  rmSync(config.dataDir, { recursive: true });
  const node = createNode({ ...config, logLevel: 'fatal' });
  const begun = node.begin().then(
    () => null,
    (error: unknown) => error,
  );
  assert.equal(await Promise.race([begun, sleep(1_000, 'waits')]), 'waits');
  assert.ok(isNotedAsRolledBack(config.dataDir), 'a crash in between leaves it known');
  assert.ok(!existsSync(join(config.dataDir, 'chain.db')));
  await node.stop();
  assert.equal(((await begun) as { code?: string }).code, 'node.stopping');
});

test('new keys start at once, and have been used from then on', async () => {
  const config = orThrow(readNodeConfig(nodeDirs['node-2']!));
  assert.ok(isMarkedUnused(config.dataDir));
  const node = createNode({ ...config, logLevel: 'fatal', workers: 0 });
  await node.begin();
  assert.ok(!isMarkedUnused(config.dataDir) && existsSync(join(config.dataDir, 'journal')));
  assert.ok(!isNotedAsRolledBack(config.dataDir));
  await node.stop();
});

test('keys alone are new after all where a quorum has nothing either', async () => {
  for (const id of ['node-1', 'node-2', 'node-3'])
    rmSync(orThrow(readNodeConfig(nodeDirs[id]!)).dataDir, { recursive: true, force: true });
  // The one that ran before has left a mark beside its keys: of the others nothing is known.
  const nodes = ['node-1', 'node-3', 'node-4'].map((id) => {
    const config = orThrow(readNodeConfig(nodeDirs[id]!));
    return { node: createNode({ ...config, logLevel: 'fatal', workers: 0 }), config };
  });
  const others = foundFromPeers(partsOf('node-2', AbortSignal.timeout(60_000)));
  await Promise.all([...nodes.map(({ node }) => node.begin()), others]);
  for (const { config } of nodes) assert.ok(!isNotedAsRolledBack(config.dataDir));
  await Promise.all(nodes.map(({ node }) => node.stop()));
});
