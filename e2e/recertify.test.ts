/**
 * A network whose validators do not sign the same results stands still, and goes on when all have executed again. Real processes, the
 * commands alone. That two nodes alone are told of a round does what a bug would: no result has a quorum.
 */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { signTransaction } from '@cairn-ledger/core';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { assertAgreement, type E2eNode, networkTest, orFail, sleep, statusOf, until, untilInSync } from './network.ts';

const lag = 4;
const waitMs = 120_000;

type Standing = { readonly certifiedHeight: number; readonly height: number; readonly nextRound: number };

networkTest(
  'a network whose results differ goes on when they are executed again',
  { timeoutMs: 600_000, devices: ['birch/meter'] },
  async (network, step) => {
    const [first, second, third, fourth] = network.nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    const saved = join(network.dir, 'early.receipt');
    let counter = 0n;
    let above = 0;
    const sign = (): Uint8Array => {
      counter++;
      const hash = new Uint8Array(32).fill(Number(counter));
      const signer = signerOf(network.keyPath('birch/meter'));
      return signTransaction({ ledgerHash: network.ledgerHash, counter, hashEnvelope: { hash } }, signer);
    };
    const recertify = (node: E2eNode, ...args: string[]) =>
      network.cairnJson<Standing & { executedAgain?: number }>('recertify', node.dir, ...args);
    const stopAll = () => Promise.all(network.nodes.map((node) => node.stop()));
    const startAll = () => Promise.all(network.nodes.map((node) => node.start()));

    await step('all nodes say the same certified height, and none that runs can be told anything', async () => {
      for (let i = 0; i < 6; i++) orFail(await network.client.deliver(sign()), `transaction ${i}`);
      const sent = await network.cairn('send', 'temperature=20:Cel', '--wait', '--save', saved);
      assert.equal(sent.code, 0, sent.stderr);
      await assertAgreement(network.nodes);
      const running = await network.cairn('recertify', first.dir);
      assert.match(running.stderr, /journal\.in-use/);
      above = await untilAllSayTheSame();
    });

    await step(
      'two that are told of a round alone: nothing is certified, and it stands still L heights later',
      async () => {
        for (const node of [first, second]) await recertify(node, '--above', String(above), '--round', '1');
        await startAll();
        await until('all have executed as far as they may', waitMs, async () => {
          void network.client.submit(sign());
          await sleep(300);
          const heights = await Promise.all(network.nodes.map(async (node) => (await statusOf(node)).executedHeight));
          return heights.every((height) => height === above + lag);
        });
        await sleep(2_000);
        for (const node of network.nodes) {
          const { executedHeight, certifiedHeight } = await statusOf(node);
          assert.deepEqual([executedHeight, certifiedHeight], [above + lag, above], node.id);
        }
      },
    );

    await step('executed again by all, in the next round, it goes on', async () => {
      await stopAll();
      for (const node of network.nodes) {
        const done = await recertify(node, '--above', String(above), '--round', '2');
        assert.equal(done.executedAgain, lag, node.id);
        assert.ok(existsSync(join(node.dir, 'data', 'chain.db.superseded')));
      }
      await startAll();
      await untilInSync(network.nodes);
      for (let i = 0; i < 6; i++) orFail(await network.client.deliver(sign()), `transaction ${i} afterwards`);
      await assertAgreement(network.nodes);
      for (const node of network.nodes) {
        assert.doesNotMatch(node.log(), /fault\.proven|node\.diverged|node\.fenced|"reason":"damaged"/, node.id);
      }
      const verified = await network.cairn('verify', saved);
      assert.equal(verified.code, 0, verified.stderr);
    });

    await step('what they have on disk is sound, and who has lost its chain takes it over', async () => {
      await stopAll();
      for (const node of [first, fourth]) {
        const audited = await network.cairn('audit', node.dir, '--replay');
        assert.equal(audited.code, 0, audited.stdout + audited.stderr);
      }
      const late = await network.cairn('recertify', fourth.dir, '--above', String(above), '--round', '3');
      assert.deepEqual([late.code, /recertify\.certified/.test(late.stderr)], [4, true], late.stderr);
      // With the view, which is of the chain that is lost.
      for (const database of ['chain.db', 'view.db'])
        for (const suffix of ['', '-wal', '-shm']) rmSync(join(third.dir, 'data', database + suffix), { force: true });
      await startAll();
      await untilInSync(network.nodes);
      orFail(await network.client.deliver(sign()), 'the last transaction');
      await assertAgreement(network.nodes);
      for (const node of network.nodes)
        assert.doesNotMatch(node.log(), /fault\.proven|node\.diverged|"reason":"damaged"/, node.id);
    });

    async function untilAllSayTheSame(): Promise<number> {
      let said: Standing[] = [];
      await until('all nodes say the same certified height', waitMs, async () => {
        await sleep(1_500);
        await stopAll();
        said = await Promise.all(network.nodes.map((node) => recertify(node)));
        const isSame = said.every(
          ({ certifiedHeight, height }) => certifiedHeight === height && height === said[0]!.height,
        );
        if (!isSame) await startAll();
        return isSame;
      });
      return said[0]!.certifiedHeight;
    }
  },
);
