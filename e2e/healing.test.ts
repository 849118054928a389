/** A network that changes and mends itself: a fifth node joins by vote and validates, one leaves, under load all the time. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeCbor, fromHex, propose, signTransaction, type Validator, vote } from '@cairn-ledger/core';
import { type AccountAnswer, createClient } from '@cairn-ledger/sdk';
import { choosePorts } from '../packages/node/src/cli/dev/ports.ts';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { nodeConfigIn, writeNodeConfig } from '../packages/node/src/config/node-config.ts';
import { createNodeKeys } from '../packages/node/src/keys/node-keys.ts';
import {
  assertAgreement,
  basePort,
  type E2eNetwork,
  type E2eNode,
  type FoundedNetwork,
  networkTest,
  orFail,
  until,
} from './network.ts';

const members = ['alder', 'birch', 'cedar', 'elm'];

networkTest('the set of validators changes under load', { timeoutMs: 240_000 }, async (network, step) => {
  const counters = new Map<string, bigint>();
  const founders = [...network.nodes];
  const load = startLoad(network, nextCounter);

  function nextCounter(owner: string): bigint {
    const counter = (counters.get(owner) ?? 0n) + 1n;
    counters.set(owner, counter);
    return counter;
  }

  async function decide(change: Parameters<typeof propose.toCbor>[0]['change']): Promise<void> {
    const { ledgerHash } = network;
    const [proposer, ...voters] = members.slice(0, 3);
    const opening = signTransaction(
      { ledgerHash, counter: nextCounter(proposer!), operations: [propose.toCbor({ change })] },
      signerOf(network.keyPath(proposer!)),
    );
    const opened = orFail(await network.client.deliver(opening), 'the proposal');
    for (const voter of voters) {
      const operations = [vote.toCbor({ proposal: fromHex(opened.id)!, isYes: true })];
      const voting = signTransaction(
        { ledgerHash, counter: nextCounter(voter), operations },
        signerOf(network.keyPath(voter)),
      );
      orFail(await network.client.deliver(voting), `the vote of ${voter}`);
    }
  }

  await step('a fifth node joins by proposal and votes, and validates', async () => {
    const joiner = await prepareJoiner(network);
    await decide({ type: 'admit-validator', validator: joiner.validator });
    await joiner.node.start();
    await until('the fifth node is a validator', 60_000, async () => {
      const statuses = await Promise.all(network.nodes.map((node) => node.client.status()));
      return statuses.every((status) => status.ok && status.value.validators === 5 && status.value.inSync);
    });
    await assertAgreement(network.nodes);
  });

  await step('one leaves, the others go on', async () => {
    await decide({ type: 'remove-validator', validator: 'node-1' });
    const rest = network.nodes.filter(({ id }) => id !== 'node-1');
    await until('four validate', 60_000, async () => {
      const statuses = await Promise.all(rest.map((node) => node.client.status()));
      return statuses.every((status) => status.ok && status.value.validators === 4 && status.value.inSync);
    });
    await until('the one that left follows', 10_000, async () => {
      const left = orFail(await founders[0]!.client.status());
      return left.mode === 'observing';
    });
    await assertAgreement(rest);
    const before = load.count();
    await until('transactions are final as before', 10_000, async () => load.count() > before + 20);
    await load.stop();
  });
});

const balances = [{ account: 'alder', amount: '1000000' }];

/** What the nodes are started with from now on. */
let nodeOptions = '';
const wrapOf = () => ({ env: { NODE_OPTIONS: nodeOptions } });

networkTest('nodes mend themselves', { timeoutMs: 300_000, balances, wrapOf }, async (network, step) => {
  const counters = new Map<string, bigint>();
  const [first, second, third, fourth] = network.nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
  const load = startLoad(network, (owner) => {
    const counter = (counters.get(owner) ?? 0n) + 1n;
    counters.set(owner, counter);
    return counter;
  });

  await step('a node whose data folder is wiped takes over the state of the others, and signs again', async () => {
    await until('some blocks are there', 20_000, async () => load.count() > 30);
    await fourth.kill();
    rmSync(join(fourth.dir, 'data'), { recursive: true });
    await fourth.start();
    await untilActive(fourth);
    assert.match(fourth.log(), /"what":"state-sync"|"what":"chain-replaced"/);
    await assertAgreement(network.nodes);
  });

  await step('one whose history takes long to fetch signs meanwhile, and has all of it in the end', async () => {
    await second.kill();
    rmSync(join(second.dir, 'data'), { recursive: true });
    nodeOptions = `--import=${new URL('./past-comes-later.ts', import.meta.url).href}`;
    await second.start();
    nodeOptions = '';
    await until('it has begun without, and collected it', 60_000, async () =>
      /"event":"past.adopted"/.test(second.log()),
    );
    assert.match(second.log(), /"event":"past.collecting","belowHeight":\d+/);
    assert.doesNotMatch(second.log(), /"event":"past.(?:problem|refused)"/);
    await until('it serves again, and lacks nothing', 20_000, async () => {
      const status = await second.client.status();
      return status.ok && status.value.heldFrom === 0 && status.value.inSync;
    });
    await untilActive(second);
    await assertAgreement(network.nodes);
  });

  await step('a node whose journal is damaged sets it aside, and is taken back', async () => {
    await third.kill();
    damageJournal(third);
    await third.start();
    await untilActive(third);
    assert.match(third.log(), /"what":"journal"/);
    assert.match(third.log(), /"type":"ready"/);
    await assertAgreement(network.nodes);
  });

  await step(
    'a balance that is changed on the disk of a running node is never shown; the node mends itself',
    async () => {
      tamperBalance(second, 'alder', 'eur');
      const shown = new Set<string>();
      await until('node-2 was fenced, and has mended its chain', 60_000, async () => {
        const answer = await second.client.get<AccountAnswer>('/v1/accounts/alder');
        if (answer.ok) shown.add(answer.value.balances[0]!.amount);
        // Where peers have no state of just this height, the chain is made anew from what they have.
        return /"what":"chain-(?:repaired|replaced)"/.test(second.log());
      });
      await untilActive(second);
      assert.match(second.log(), /"event":"node.fenced","reason":"damaged"/);
      const { balances: shownNow } = orFail(await second.client.get<AccountAnswer>('/v1/accounts/alder'));
      for (const amount of [...shown, shownNow[0]!.amount]) assert.equal(amount, '1000000');
      await assertAgreement(network.nodes);
    },
  );

  await step('a node whose chain is no database any more fetches it again', async () => {
    await first.kill();
    // With its log, it would be whole again.
    rmSync(join(first.dir, 'data', 'chain.db-wal'), { force: true });
    writeFileSync(join(first.dir, 'data', 'chain.db'), 'nothing of it is left');
    await first.start();
    await untilActive(first);
    assert.match(first.log(), /"what":"chain-replaced"/);
    await assertAgreement(network.nodes);
    const before = load.count();
    await until('transactions are final as before', 10_000, async () => load.count() > before + 20);
    await load.stop();
  });

  await step('when all lose everything, none signs again by itself, and each says why', async () => {
    await Promise.all(network.nodes.map((node) => node.kill()));
    for (const node of network.nodes) rmSync(join(node.dir, 'data'), { recursive: true });
    await Promise.all(network.nodes.map((node) => node.start()));
    for (const node of network.nodes) {
      const status = orFail(await node.client.status());
      assert.deepEqual([status.mode, status.fencedFor], ['fenced', 'rolled-back'], node.id);
    }
  });
});

async function untilActive(node: E2eNode): Promise<void> {
  await until(`${node.id} is active`, 90_000, async () => {
    const status = orFail(await node.client.status());
    return status.mode === 'active' && status.inSync;
  });
}

/** As somebody would who has the disk: the value is another uint, in the same encoding. */
function tamperBalance(node: E2eNode, account: string, asset: string): void {
  const database = new DatabaseSync(join(node.dir, 'data', 'chain.db'), { timeout: 10_000 });
  try {
    const key = new TextEncoder().encode(`account/${account}/${asset}`);
    const value = encodeCbor(999_999_999);
    const { changes } = database.prepare('UPDATE state SET value = ? WHERE key = ?').run(value, key);
    assert.equal(changes, 1, 'there is such a balance');
  } finally {
    database.close();
  }
}

/** In the middle of its oldest segment, where no crash explains it. */
function damageJournal(node: E2eNode): void {
  const dir = join(node.dir, 'data', 'journal');
  const [segment] = readdirSync(dir)
    .filter((name) => statSync(join(dir, name)).size > 4_096)
    .sort();
  const path = join(dir, segment!);
  const bytes = readFileSync(path);
  bytes.fill(0xff, 2_000, 2_064);
  writeFileSync(path, bytes);
}

async function prepareJoiner(network: FoundedNetwork): Promise<{ node: E2eNode; validator: Validator }> {
  const dir = join(network.dir, 'fifth');
  const ports = orFail(await choosePorts(basePort + 50, false, 1));
  mkdirSync(dir, { recursive: true });
  const keys = orFail(createNodeKeys(join(dir, 'keys')));
  const listen = { host: '127.0.0.1', port: ports.link[0]! };
  const http = { host: '127.0.0.1', port: ports.http[0]! };
  writeNodeConfig(dir, {
    ...nodeConfigIn(dir, { validatorId: 'node-5', listen, http, logLevel: 'debug' }),
    genesisPath: network.genesisPath,
  });
  return {
    node: network.addNode('node-5', dir, `http://127.0.0.1:${http.port}`, listen.port),
    validator: {
      id: 'node-5',
      member: 'alder',
      linkKey: keys.link.publicKey,
      votingKey: keys.voting.publicKey,
      checkpointKey: keys.checkpoint.publicKey,
      addresses: [`127.0.0.1:${listen.port}`],
      life: null,
    },
  };
}

/** Hands in transactions one after the other, at one node after the other, until stopped; each must become final. */
function startLoad(
  network: E2eNetwork,
  nextCounter: (owner: string) => bigint,
): { count(): number; stop(): Promise<void> } {
  let isOver = false;
  let count = 0;
  const signer = signerOf(network.keyPath('alder/desk'));
  const client = createClient({ nodes: network.nodes.map((node) => node.http), anchor: network.anchor });
  const running = (async () => {
    while (!isOver) {
      const counter = nextCounter('alder/desk');
      const transaction = signTransaction(
        { ledgerHash: network.ledgerHash, counter, hashEnvelope: { hash: hashOf(counter) } },
        signer,
      );
      orFail(await client.deliver(transaction), `transaction ${counter} of the load`);
      count++;
    }
  })();
  let failure: unknown = null;
  running.catch((error: unknown) => {
    failure = error;
  });
  return {
    count() {
      if (failure !== null) throw failure;
      return count;
    },
    async stop() {
      isOver = true;
      await running;
    },
  };
}

function hashOf(counter: bigint): Uint8Array {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setBigUint64(0, counter);
  return hash;
}
