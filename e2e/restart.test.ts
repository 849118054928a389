/**
 * What the members can do when a network cannot go on by itself: more than f validators have lost their safety records, all but one
 * have lost everything, and all have. Real processes, the commands alone.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { signTransaction } from '@cairn-ledger/core';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import {
  assertAgreement,
  type E2eNetwork,
  type E2eNode,
  networkTest,
  orFail,
  sleep,
  statusOf,
  until,
  untilInSync,
} from './network.ts';

networkTest(
  'a network that cannot go on is restarted by its members',
  { timeoutMs: 900_000, devices: ['birch/meter'] },
  async (network, step) => {
    const [first, second, third, fourth] = network.nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    let counter = 0n;
    const deliver = async (what: string): Promise<void> => {
      counter++;
      const hash = new Uint8Array(32).fill(Number(counter));
      const signer = signerOf(network.keyPath('birch/meter'));
      const transaction = signTransaction({ ledgerHash: network.ledgerHash, counter, hashEnvelope: { hash } }, signer);
      // Its receipt is verified from the genesis on.
      orFail(await network.client.deliver(transaction), what);
    };
    const saved = join(network.dir, 'early.receipt');

    await step('two of four lose their safety records: it stands still, and loses nothing', async () => {
      for (let i = 0; i < 12; i++) await deliver(`transaction ${i}`);
      const sent = await network.cairn('send', 'temperature=20:Cel', '--wait', '--save', saved);
      assert.equal(sent.code, 0, sent.stderr);
      await assertAgreement(network.nodes);
      // It lacks the last blocks, and comes back only when the members have decided.
      await second.stop();
      for (let i = 0; i < 3; i++) await deliver(`transaction ${i} without node-2`);
      await assertAgreement([first, third, fourth]);
      await killAll(network);
      for (const node of [third, fourth]) rmSync(join(node.dir, 'data'), { recursive: true });
      await Promise.all([first, third, fourth].map((node) => node.start()));
      for (const node of [third, fourth]) await untilFenced(node, 'rolled-back');
      await untilLevel([first, third, fourth]);
      const { executedHeight } = await statusOf(first);
      await sleep(3_000);
      assert.equal((await statusOf(first)).executedHeight, executedHeight);
    });

    await step('a document is made of what the nodes say, and only with enough members it counts', async () => {
      await stopAll(network);
      const document = await draft(network, 'first');
      await sign(network, document, 'alder', 'birch');
      const early = await network.cairn('restart', 'apply', first.dir, document, '--lose');
      assert.deepEqual([early.code, /restart\.too-few-members/.test(early.stderr)], [4, true], early.stderr);
      await sign(network, document, 'cedar');
      await applyAll(network, document, second);
    });

    await step('the network goes on with the next epoch, and has everything that was final', async () => {
      await startAll(network);
      await untilInSync(network.nodes);
      for (const node of network.nodes) assert.equal(orFail(await node.client.status()).epoch, 2, node.id);
      assert.match(second.log(), /"event":"restart.waiting"/);
      for (let i = 0; i < 6; i++) await deliver(`transaction ${i} after the restart`);
      await assertAgreement(network.nodes);
      for (const node of network.nodes) {
        assert.doesNotMatch(node.log(), /fault\.proven|node\.diverged|"reason":"damaged"/, node.id);
      }
      const verified = await network.cairn('verify', saved);
      assert.equal(verified.code, 0, verified.stderr);
    });

    await step('a node is given one document for one epoch, and the same one twice changes nothing', async () => {
      await second.stop();
      const document = join(network.dir, 'first.restart');
      const again = await network.cairnJson<{ state: string }>('restart', 'apply', second.dir, document);
      assert.equal(again.state, 'applied');
      const other = join(network.dir, 'other.restart');
      const prepared = ['first-node-1.json', 'first-node-2.json'].map((name) => join(network.dir, name));
      await network.cairnJson('restart', 'draft', ...prepared, '--out', other);
      await sign(network, other, 'alder', 'birch', 'cedar');
      const refused = await network.cairn('restart', 'apply', second.dir, other);
      assert.deepEqual([refused.code, /restart\.other-document/.test(refused.stderr)], [4, true], refused.stderr);
      await second.start();
      await untilInSync(network.nodes);
    });

    await step('with the chain at one node alone, the others take it over and all go on', async () => {
      await killAll(network);
      for (const node of [second, third, fourth]) rmSync(join(node.dir, 'data'), { recursive: true });
      await startAll(network);
      for (const node of [second, third, fourth]) await untilFenced(node, 'rolled-back');
      await untilLevel(network.nodes);
      await stopAll(network);
      const document = await draft(network, 'second');
      await sign(network, document, 'alder', 'cedar', 'elm');
      await applyAll(network, document);
      await startAll(network);
      await untilInSync(network.nodes);
      await deliver('a transaction after the second restart');
      await assertAgreement(network.nodes);
    });
  },
);

networkTest('a network of which nothing is left but the keys', { timeoutMs: 240_000 }, async (network, step) => {
  await step('it begins at the genesis again, when its members say that all may be lost', async () => {
    const before = await network.cairn('send', 'temperature=20:Cel', '--wait');
    assert.equal(before.code, 0, before.stderr);
    await assertAgreement(network.nodes);
    await killAll(network);
    for (const node of network.nodes) rmSync(join(node.dir, 'data'), { recursive: true });
    await startAll(network);
    for (const node of network.nodes) await untilFenced(node, 'rolled-back');
    await stopAll(network);
    const files = await prepare(network, 'all');
    const refused = await network.cairn(...draftArguments(files, 'all', network));
    assert.deepEqual([refused.code, /restart\.more-known/.test(refused.stderr)], [4, true], refused.stderr);
    const document = await draft(network, 'all', '--lose');
    await sign(network, document, 'alder', 'birch', 'elm');
    await applyAll(network, document);
    await startAll(network);
    await untilInSync(network.nodes);
    const after = await network.cairn('send', 'temperature=21:Cel', '--wait');
    assert.equal(after.code, 0, after.stderr);
    await assertAgreement(network.nodes);
  });
});

async function startAll({ nodes }: E2eNetwork): Promise<void> {
  await Promise.all(nodes.map((node) => node.start()));
}

async function stopAll({ nodes }: E2eNetwork): Promise<void> {
  await Promise.all(nodes.filter((node) => node.isRunning()).map((node) => node.stop()));
}

async function killAll({ nodes }: E2eNetwork): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()));
}

async function untilFenced(node: E2eNode, reason: string): Promise<void> {
  await until(`${node.id} is fenced`, 240_000, async () => {
    const status = orFail(await node.client.status());
    return status.mode === 'fenced' && status.fencedFor === reason;
  });
}

/** Each has executed what the furthest has. */
async function untilLevel(nodes: readonly E2eNode[]): Promise<void> {
  await until('all have executed the same', 60_000, async () => {
    const heights = await Promise.all(nodes.map(async (node) => (await statusOf(node)).executedHeight));
    return new Set(heights).size === 1;
  });
}

async function prepare(network: E2eNetwork, name: string): Promise<string[]> {
  const files: string[] = [];
  for (const { id, dir } of network.nodes) {
    const file = join(network.dir, `${name}-${id}.json`);
    const prepared = await network.cairn('restart', 'prepare', dir, '--out', file);
    assert.equal(prepared.code, 0, prepared.stderr);
    files.push(file);
  }
  return files;
}

function draftArguments(files: readonly string[], name: string, network: E2eNetwork): string[] {
  return ['restart', 'draft', ...files, '--out', join(network.dir, `${name}.restart`)];
}

async function draft(network: E2eNetwork, name: string, ...options: string[]): Promise<string> {
  const args = draftArguments(await prepare(network, name), name, network);
  const drafted = await network.cairn(...args, ...options);
  // The kill may have met a block on its way: nothing of the test is in it, so it is given up.
  const isOnItsWay = /votes that are known here/.test(drafted.stderr);
  if (isOnItsWay) await network.cairnJson(...args, '--lose');
  else assert.equal(drafted.code, 0, drafted.stderr);
  return join(network.dir, `${name}.restart`);
}

async function sign(network: E2eNetwork, document: string, ...members: string[]): Promise<void> {
  for (const member of members) await network.cairnJson('restart', 'sign', document, '--key', network.keyPath(member));
}

/** @param behind it has yet to come to the height that the document names */
async function applyAll(network: E2eNetwork, document: string, behind: E2eNode | null = null): Promise<void> {
  for (const { id, dir } of network.nodes) {
    const applying = ['restart', 'apply', dir, document];
    const refused = await network.cairn(...applying, '--json');
    const isVoted = /restart\.voted-above/.test(refused.stderr);
    const { state } = await network.cairnJson<{ state: string }>(...applying, ...(isVoted ? ['--lose'] : []));
    assert.equal(state, id === behind?.id ? 'below' : 'ready', id);
  }
}
