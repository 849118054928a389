import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Message, toHeight } from '@cairn-ledger/core';
import { requestsPerPeerMax } from './peer-slots.ts';
import { type Checked, createPeers, type HealingPort, isNothing, isTrue, isWrong, type PeersOptions } from './peers.ts';

type Behaviour = 'honest' | 'silent' | 'without' | 'lying' | { readonly answersAfterMs: number };

const timeoutMs = 1_000;
const lateMs = 50;
const outcomeOf = (height: number): Message => ({ type: 'request-outcome', height: toHeight(height) });
const answer: Message = { type: 'outcome', height: toHeight(1), outcome: null };

/** What is open at each peer, and at most was; what each was asked. */
function portTo(behaviours: Record<string, Behaviour>) {
  const asked: string[] = [];
  const open = new Map<string, number>();
  const most = new Map<string, number>();
  const until = (signal: AbortSignal, ms: number | null): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => resolve(true), ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
  const port: HealingPort = {
    peers: () => Object.keys(behaviours),
    async ask(peer, _, signal) {
      asked.push(peer);
      open.set(peer, (open.get(peer) ?? 0) + 1);
      most.set(peer, Math.max(most.get(peer) ?? 0, open.get(peer)!));
      const behaviour = behaviours[peer]!;
      const ms = typeof behaviour === 'object' ? behaviour.answersAfterMs : behaviour === 'silent' ? null : 1;
      const isAnswered = await until(signal, ms);
      open.set(peer, open.get(peer)! - 1);
      if (!isAnswered) return null;
      const height = behaviour === 'lying' ? 13 : behaviour === 'without' ? 0 : 1;
      return { message: { ...answer, height: toHeight(height) } as Message, bytes: 10 };
    },
  };
  return { port, asked, most };
}

function check(message: Message): Checked<string> {
  assert.ok(message.type === 'outcome');
  if (message.height === 13) return isWrong('thirteen');
  return message.height === 0 ? isNothing : isTrue('yes');
}

function peersOf(behaviours: Record<string, Behaviour>, options: Partial<PeersOptions> = {}) {
  const made = portTo(behaviours);
  const signal = new AbortController().signal;
  return { ...made, peers: createPeers({ port: made.port, signal, timeoutMs, lateMs, ...options }) };
}

async function tookMs(action: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await action();
  return performance.now() - startedMs;
}

test('where a peer is late the next one is asked as well, and from then on before it', async () => {
  const { peers, asked } = peersOf({ dead: 'silent', one: 'honest', two: 'honest' });
  const ms = await tookMs(async () => assert.equal(await peers.askAny(outcomeOf(1), check), 'yes'));
  assert.ok(ms < timeoutMs, `${ms} ms`);
  assert.deepEqual(asked, ['dead', 'one']);
  assert.equal(peers.inOrder().at(-1), 'dead');
  for (let i = 0; i < 5; i++) await peers.askAny(outcomeOf(1), check);
  assert.equal(asked.filter((peer) => peer === 'dead').length, 1);
});

test('many that ask at once lose the time to be late once, and no more than so many are open at a peer', async () => {
  const { peers, most } = peersOf({ dead: 'silent', one: 'honest', two: 'honest' });
  const ms = await tookMs(() => Promise.all(Array.from({ length: 100 }, () => peers.askAny(outcomeOf(1), check))));
  assert.ok(ms < timeoutMs, `${ms} ms`);
  for (const [peer, count] of most) assert.ok(count <= requestsPerPeerMax, `${count} at ${peer}`);
  assert.equal(peers.inOrder().at(-1), 'dead');
});

test('what is asked at once goes to all that answer well', async () => {
  const { peers, asked } = peersOf({ one: 'honest', two: 'honest', three: 'honest' });
  await Promise.all(Array.from({ length: 12 }, () => peers.askAny(outcomeOf(1), check)));
  for (const name of ['one', 'two', 'three']) assert.equal(asked.filter((peer) => peer === name).length, 4);
});

test('a peer that says it has nothing costs no time, and counts neither as silent nor as wrong', async () => {
  const { peers } = peersOf({ empty: 'without', liar: 'lying', one: 'honest' });
  const ms = await tookMs(async () => assert.equal(await peers.askAny(outcomeOf(1), check), 'yes'));
  assert.ok(ms < timeoutMs, `${ms} ms`);
  assert.deepEqual(peers.conduct().get('empty'), { answers: 1, wrong: 0, silent: 0 });
  assert.equal(peers.conduct().get('liar')!.wrong, 1);
  assert.deepEqual(peers.inOrder(), ['empty', 'one', 'liar']);
});

test('a late answer is taken, and forgives that it was late', async () => {
  const { peers } = peersOf({ slow: { answersAfterMs: lateMs * 3 } });
  assert.equal(await peers.askAny(outcomeOf(1), check), 'yes');
  assert.deepEqual(peers.conduct().get('slow'), { answers: 1, wrong: 0, silent: 0 });
});

test('nobody is left: null, once all have had their time', async () => {
  const { peers } = peersOf({ dead: 'silent', empty: 'without' });
  assert.equal(await peers.askAny(outcomeOf(1), check), null);
  // It has let its time run out: who else has nothing is not waited for that long again.
  const ms = await tookMs(async () => assert.equal(await peers.askAny(outcomeOf(1), check), null));
  assert.ok(ms < timeoutMs, `${ms} ms`);
  assert.equal(await peersOf({}).peers.askAny(outcomeOf(1), check), null);
});

test('asking all stops as soon as the answers are enough', async () => {
  const { peers } = peersOf({ dead: 'silent', one: 'honest', two: 'honest', three: 'honest' });
  let answers = new Map<string, string>();
  const isEnough = (given: ReadonlyMap<string, string>): boolean => given.size >= 2;
  const ms = await tookMs(async () => {
    answers = await peers.askUntil(outcomeOf(1), check, isEnough);
  });
  assert.ok(ms < timeoutMs, `${ms} ms`);
  assert.ok(answers.size >= 2 && !answers.has('dead'));
});

test('asking all waits for each its time once, and later for a silent one only a little longer than for the others', async () => {
  const { peers } = peersOf({ dead: 'silent', one: 'honest', two: 'honest' });
  const ask = async (): Promise<void> =>
    assert.deepEqual([...(await peers.askAll(outcomeOf(1), check)).keys()].sort(), ['one', 'two']);
  assert.ok((await tookMs(ask)) >= timeoutMs - 5);
  assert.ok((await tookMs(ask)) < timeoutMs);
  const { peers: lonely } = peersOf({ dead: 'silent' });
  assert.equal((await lonely.askAll(outcomeOf(1), check)).size, 0);
  const ms = await tookMs(async () => assert.equal((await lonely.askAll(outcomeOf(1), check)).size, 0));
  assert.ok(ms >= timeoutMs - 5, 'where nobody else has answered it has its time again');
});

test('in one Delta a peer is asked for no more than it answers in one', async () => {
  const deltaMs = 200;
  const { peers, asked } = peersOf({ one: 'honest' }, { deltaMs, timeoutMs: 5_000, lateMs: 5_000 });
  const request: Message = { type: 'request-state', height: toHeight(1), paths: [] };
  const all = Array.from({ length: 10 }, () => peers.askAny(request, check));
  await Promise.all(all.slice(0, 7));
  assert.equal(asked.length, 7);
  const ms = await tookMs(() => Promise.all(all));
  assert.ok(ms > deltaMs / 4, `${ms} ms`);
  assert.equal(asked.length, 10);
});

test('who is not the only one that asks takes its share', async () => {
  const { peers, most } = peersOf({ one: 'honest', two: 'honest' }, { share: 0.25 });
  await Promise.all(Array.from({ length: 20 }, () => peers.askAny(outcomeOf(1), check)));
  assert.deepEqual([...most.values()], [requestsPerPeerMax / 4, requestsPerPeerMax / 4]);
});

test('everything that is under way, or waits for its turn, ends with the reason of the signal', async () => {
  const ending = new AbortController();
  const { peers, asked } = peersOf({ dead: 'silent' }, { signal: ending.signal });
  const all = Array.from({ length: 20 }, () => peers.askAny(outcomeOf(1), check));
  const everybody = peers.askAll(outcomeOf(1), check);
  const reason = new Error('the node stops');
  await turn();
  ending.abort(reason);
  for (const each of [...all, everybody]) await assert.rejects(each, reason);
  assert.equal(asked.length, requestsPerPeerMax);
  await assert.rejects(peers.askOne('dead', outcomeOf(1), check), reason);
});

test('what a check throws reaches whoever asks', async () => {
  const { peers } = peersOf({ one: 'honest', two: 'honest' });
  const broken = (): never => {
    throw new RangeError('broken');
  };
  await assert.rejects(peers.askAny(outcomeOf(1), broken), RangeError);
  await assert.rejects(peers.askAll(outcomeOf(1), broken), RangeError);
});
