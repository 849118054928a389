/** Scenarios 8, 10, 11 and 23: a node that was away, and peers that do not want it back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Block, createBlock, type Message, nothingToRecall, toEpoch, toHeight, toView } from '@cairn-ledger/core';
import { serveFromDisk } from '../virtual-ledger.ts';
import { ScenarioWorld } from './scenario-world.ts';

type Chain = Extract<Message, { type: 'chain' }>;

/** Six blocks while node 3 is away; node 0 is Byzantine, and the first to be asked for what node 3 has missed. */
function createWorldWithGap(name: string, tells: string, blocksCount = 6): ScenarioWorld {
  const world = new ScenarioWorld({ name, tells, byzantine: [0] });
  world.start();
  world.crash(3);
  world.untold(
    () => `${blocksCount} blocks later: node 3 comes back`,
    () => {
      for (let i = 1; i <= blocksCount; i++) world.commit(1, `payment ${i}`, [1, 2]);
    },
  );
  return world;
}

function pageOf(world: ScenarioWorld, from = 1): Chain {
  const page = serveFromDisk(world.nodes[1]!.disk, { type: 'request-chain', from: toHeight(from) });
  assert.ok(page?.type === 'chain');
  return page;
}

function assertCaughtUp(world: ScenarioWorld): void {
  world.until('node 3 has what node 1 has', () => world.blocks(3).length === world.blocks(1).length);
  world.settle();
  assert.deepEqual(world.executed(3), world.executed(1));
}

test('08: a page of the chain with a block out of its place is refused as a whole, and another peer is asked', () => {
  const world = createWorldWithGap(
    '08-part-unlike-its-place',
    `Node 3 comes back and asks node 0 for the chain. Node 0 answers with real blocks in wrong places, then with one block
changed: no such page leads to its finalization. The page of another peer does.`,
  );
  const page = pageOf(world);
  const [first, second, ...rest] = page.blocks as Block[];
  const changed = createBlock({ ...second!.header, timeMs: second!.header.timeMs + 1 }, second!.batches, []);
  const answers: Chain[] = [
    { ...page, blocks: [second!, first!, ...rest] },
    { ...page, blocks: [first!, ...rest] },
    { ...page, blocks: [first!, changed, ...rest] },
  ];
  world.rewrite(0, (message) => (message.type === 'chain' ? answers : message.type === 'block' ? [] : [message]));
  world.start(3);
  assertCaughtUp(world);
  world.finish();
});

test('10: what a peer claims of its height moves nobody, upwards or downwards', () => {
  const world = createWorldWithGap(
    '10-claimed-heights',
    `Node 0 tells node 3 that it stands at height 1,000,000, then at height 2, and answers no question about either. Node 3
believes certificates only, and gets its blocks elsewhere.`,
  );
  world.rewrite(0, (message) => {
    if (message.type !== 'status') return message.type === 'chain' || message.type === 'block' ? [] : [message];
    const claims = [1_000_000, 2];
    return claims.map((height) => ({
      type: 'status',
      epoch: toEpoch(1),
      view: toView(height),
      lastFinalized: toView(height - 1),
      height: toHeight(height),
      asks: false,
      finalization: null,
      recall: nothingToRecall,
    }));
  });
  world.start(3);
  assertCaughtUp(world);
  assert.ok(world.blocks(3).length < 10);
  world.finish();
});

test('11: blocks that are delivered twice while catching up are executed once', () => {
  const world = createWorldWithGap(
    '11-block-delivered-twice',
    `Node 0 sends every page of the chain three times, and each of its blocks alone as well, before and after. Node 3 executes
each height once.`,
  );
  world.rewrite(0, (message) => {
    if (message.type !== 'chain') return [message, message];
    const blocks: Message[] = message.blocks.map((block) => ({ type: 'block', block }));
    return [...blocks, message, message, ...blocks, message];
  });
  world.start(3);
  assertCaughtUp(world);
  const heights = world.blocks(3).map(({ header }) => header.height);
  assert.deepEqual(
    heights,
    heights.map((_, i) => i + 1),
  );
  world.finish();
});

test('23: a node far behind catches up while the others go on under load', () => {
  const world = new ScenarioWorld({
    name: '23-catching-up-under-load',
    tells: `Node 3 is cut off while the others order a payment every 30 ms for 8 seconds. They do not stop when it comes back:
still it is with them again within two seconds.`,
  });
  world.start();
  let count = 0;
  const load = (durationMs: number) => {
    for (const endMs = world.nowMs + durationMs; world.nowMs < endMs; world.pass(30))
      world.submit(count % 3, `payment ${++count}`);
  };
  world.partition([0, 1, 2], [3]);
  world.untold(
    () => `${world.blocks(0).length} blocks later`,
    () => load(8_000),
  );
  const behind = world.blocks(0).length - world.blocks(3).length;
  assert.ok(behind > 200, `${behind} blocks behind`);
  world.heal();
  world.untold(
    () => `two seconds later, under the same load: ${world.blocks(0).length - world.blocks(3).length} blocks behind`,
    () => load(2_000),
  );
  assert.ok(world.blocks(0).length - world.blocks(3).length <= 3);
  world.commit(3, 'the last one');
  assert.equal(world.executed(3).length, count + 1);
  world.finish();
});
