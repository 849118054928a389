import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CairnError, decodeMessage, type Message } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { orThrow } from '../failure.ts';
import { notGivenByPeers, rowsAsText } from '../healing/testing/chain-rows-as-text.ts';
import { type ServedChain, serveDatabase } from '../healing/testing/served-chain.ts';
import { mergePast, pastPathOf } from '../storage/past-merge.ts';
import { createPastCollector, type PastCollector } from './past-collector.ts';

let folder: MadeFolder;
let whole: ServedChain;
let path: string;

before(async () => {
  folder = await makeNodeFolder({ blocks: 14, transactionsPerBlock: 10, foundedAt: 9 });
  whole = serveDatabase(folder.wholePath, folder.ledgerHash, () => 0);
  path = join(folder.dir, 'data', 'chain.db');
});

after(() => {
  whole.close();
  folder.remove();
});

type Collecting = {
  readonly collector: PastCollector;
  readonly collected: Promise<number>;
  readonly problems: CairnError[];
  readonly asked: Message[];
};

function collect(
  answerOf: (request: Message) => Message | null | 'silent',
  linked = ['one', 'two', 'three'],
): Collecting {
  const { promise: collected, resolve } = Promise.withResolvers<number>();
  const problems: CairnError[] = [];
  const asked: Message[] = [];
  const collector = createPastCollector({
    settings: { path, genesis: new Uint8Array(readFileSync(join(folder.dir, 'genesis.cbor'))), restarts: new Map() },
    linked,
    send(peer, _channel, frame) {
      const request = orThrow(decodeMessage(frame));
      asked.push(request);
      const answer = answerOf(request);
      if (answer !== null && answer !== 'silent') setImmediate(() => collector.takesAnswer(peer, answer));
      return answer !== null;
    },
    onCollected: resolve,
    onRefused: (peer, what) => problems.push({ code: 'refused', message: `${peer}: ${what}` }),
    onLost: () => problems.push({ code: 'lost', message: 'the thread has died' }),
    onProblem: (error) => problems.push(error),
  });
  return { collector, collected, problems, asked };
}

test('what peers answer over the links of the node lies whole beside the chain at the end', async () => {
  const { collector, collected, problems } = collect(whole.serve);
  assert.ok((await collected) > 0);
  await collector.stop();
  assert.deepEqual(problems, []);
  const own = orThrow(mergePast(path));
  assert.equal(own, 9);
  const given = (of: string) => ({ ...rowsAsText(of, notGivenByPeers), news: [] });
  assert.deepEqual(given(path), given(folder.wholePath));
});

test('it waits for peers, and stops in the middle of a question', async () => {
  const made = await makeNodeFolder({ blocks: 8, transactionsPerBlock: 2, foundedAt: 6 });
  const before = path;
  path = join(made.dir, 'data', 'chain.db');
  const { collector, asked, problems } = collect(() => 'silent', []);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(asked, [], 'nobody is linked');
  await collector.stop();
  assert.deepEqual(problems, []);
  const second = collect(() => 'silent');
  const deadlineMs = performance.now() + 10_000;
  while (second.asked.length === 0 && performance.now() < deadlineMs) await new Promise((r) => setTimeout(r, 10));
  assert.ok(second.asked.length > 0);
  await second.collector.stop();
  assert.deepEqual(second.problems, []);
  assert.ok(existsSync(pastPathOf(path)));
  path = before;
  made.remove();
});

test('an answer that nobody asked for is not taken', async () => {
  const { collector } = collect(() => null, []);
  collector.onConnected('one');
  assert.equal(collector.takesAnswer('one', { type: 'epochs', proofs: [] }), false);
  collector.onDisconnected('one');
  await collector.stop();
});
