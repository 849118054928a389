/**
 * Server-sent events: blocks, the verdicts of their transactions, and status. The id of an event is its place in the
 * chain, `height` for a block and `height.position` for a transaction in it; so it means the same on every node, and a
 * subscriber goes on where it was after a restart, or at another node. It never sees an event twice, nor misses one.
 *
 * Each subscriber is a pump that reads blocks in order: from a ring of those read lately, or from the port. Nothing is queued for it: a slow subscriber is merely late, and one that reads nothing runs into the
 * server's idle time-out. Status has no id; only the latest is sent.
 */
import type { ServerResponse } from 'node:http';
import type { App, HttpContext } from './app.ts';
import type { BlockView, EdgePort, NodeStatus } from './edge-port.ts';
import { problemOf, sendProblem } from './problem.ts';
import { eventsQuery } from './schemas.ts';
import { blockJson, hexOf, statusJson } from './views.ts';

const RING_BLOCKS_MAX = 256;
const RING_TRANSACTIONS_MAX = 50_000;
const KEEP_ALIVE_MS = 15_000;

/** The last event seen: a block (position -1) or one of its transactions. */
export type EventPlace = { readonly height: number; readonly position: number };

export type EventHub = {
  readonly count: number;
  /** Starts sending to a response that has its head; resolves when the subscriber has gone. */
  subscribe(response: ServerResponse, types: ReadonlySet<string>, after: EventPlace | null): Promise<void>;
  close(): void;
};

type Subscriber = { wake: () => void; readonly response: ServerResponse };

export function createEventHub(port: EdgePort): EventHub {
  const ring = new Map<number, BlockView>();
  const subscribers = new Set<Subscriber>();
  let ringTransactions = 0;
  let tip = port.status().executedHeight;
  let status: NodeStatus | null = null;
  let statusNumber = 0;

  const unsubscribe = port.onEvent((event) => {
    switch (event.type) {
      case 'block':
        tip = Math.max(tip, event.height);
        break;
      case 'status':
        status = event.status;
        statusNumber++;
        break;
    }
    for (const subscriber of subscribers) subscriber.wake();
  });

  /** A block with its transactions: read once for all subscribers, and only while there are any. */
  async function blockAt(height: number): Promise<BlockView | null> {
    const known = ring.get(height);
    if (known !== undefined) return known;
    const block = await port.block(height, true);
    if (block !== null) keep(block);
    return block;
  }

  function keep(block: BlockView): void {
    if (ring.has(block.height)) return;
    ring.set(block.height, block);
    ringTransactions += block.transactionCount;
    while (ring.size > RING_BLOCKS_MAX || (ringTransactions > RING_TRANSACTIONS_MAX && ring.size > 1)) {
      const [oldest] = ring.values();
      ring.delete(oldest!.height);
      ringTransactions -= oldest!.transactionCount;
    }
  }

  async function pump(subscriber: Subscriber, types: ReadonlySet<string>, after: EventPlace): Promise<void> {
    const { response } = subscriber;
    let { height, position } = after;
    let sentStatus = 0;
    while (!response.destroyed && !response.writableEnded) {
      const woken = new Promise<void>((resolve) => {
        subscriber.wake = resolve;
      });
      if (types.has('status') && status !== null && sentStatus !== statusNumber) {
        sentStatus = statusNumber;
        await write(response, `event: status\ndata: ${JSON.stringify(statusJson(status))}\n\n`);
      } else if (position !== Number.POSITIVE_INFINITY && height <= tip) {
        // The rest of a block that was left in the middle.
        await sendBlock(response, types, height, position);
        position = Number.POSITIVE_INFINITY;
      } else if (height < tip) {
        height++;
        await sendBlock(response, types, height, -2);
      } else {
        await woken;
      }
    }
  }

  /** Sends what of a block comes after `position`; -2 is before the block itself. */
  async function sendBlock(
    response: ServerResponse,
    types: ReadonlySet<string>,
    height: number,
    position: number,
  ): Promise<void> {
    const block = types.has('transaction')
      ? await blockAt(height)
      : (ring.get(height) ?? (await port.block(height, false)));
    if (block === null) return write(response, `event: gap\ndata: {"height":${height}}\n\n`);
    if (types.has('block') && position < -1) {
      const json = JSON.stringify(blockJson({ ...block, transactions: null }));
      await write(response, `id: ${height}\nevent: block\ndata: ${json}\n\n`);
    }
    if (!types.has('transaction')) return;
    const transactions = block.transactions ?? [];
    for (let first = Math.max(0, position + 1); first < transactions.length; first += 100) {
      await write(response, transactionEvents(block, first, Math.min(first + 100, transactions.length)));
    }
  }

  const keepAlive = setInterval(() => {
    for (const { response } of subscribers) if (response.writableLength === 0) response.write(':\n\n');
  }, KEEP_ALIVE_MS);
  keepAlive.unref();

  return {
    get count() {
      return subscribers.size;
    },
    async subscribe(response, types, after) {
      const subscriber: Subscriber = { wake: () => undefined, response };
      subscribers.add(subscriber);
      response.once('close', () => subscriber.wake());
      try {
        await pump(subscriber, types, after ?? { height: tip, position: Number.POSITIVE_INFINITY });
      } finally {
        subscribers.delete(subscriber);
      }
    },
    close() {
      unsubscribe();
      clearInterval(keepAlive);
      for (const { response, wake } of subscribers) {
        response.end();
        wake();
      }
    },
  };
}

function transactionEvents(block: BlockView, first: number, end: number): string {
  let text = '';
  for (let position = first; position < end; position++) {
    const { id, code, leafIndex } = block.transactions![position]!;
    const leaf = leafIndex === null ? '' : `,"leafIndex":${leafIndex}`;
    const data = `{"id":"${hexOf(id)}","code":${JSON.stringify(code)},"height":${block.height},"position":${position}${leaf}}`;
    text += `id: ${block.height}.${position}\nevent: transaction\ndata: ${data}\n\n`;
  }
  return text;
}

/** Writes, and waits until the subscriber has room for more, or is gone. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.writableEnded || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.removeListener('drain', done);
      response.removeListener('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** `height` or `height.position`; null for anything else. */
export function parsePlace(text: string): EventPlace | null {
  const found = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (found === null) return null;
  return { height: Number(found[1]), position: found[2] === undefined ? -1 : Number(found[2]) };
}

export function addEventRoutes(app: App, { limits, hub, log }: HttpContext): void {
  const perClient = new Map<string, number>();

  app.get(
    '/v1/events',
    {
      schema: {
        tags: ['events'],
        operationId: 'subscribe',
        summary: 'Server-sent events: blocks, verdicts, status',
        description:
          'Starts with the next block, or after `Last-Event-ID` (or `after`). Ids mean the same on every node. The event `gap` names a height that ' +
          'this node no longer has.',
        querystring: eventsQuery,
        response: { 200: { description: 'A stream', content: { 'text/event-stream': { schema: {} } } } },
      },
      config: { roles: ['read'] },
    },
    (request, reply) => {
      const { client } = request;
      const open = perClient.get(client) ?? 0;
      if (hub.count >= limits.subscribersMax || open >= limits.subscribersPerClientMax) {
        const problem = problemOf('http.too-many-subscribers', `${open} streams of yours are open`, {
          retryAfterMs: 10_000,
        });
        return sendProblem(reply, problem);
      }
      const last = request.headers['last-event-id'] ?? request.query.after;
      const after = last === undefined ? null : parsePlace(String(last));
      if (last !== undefined && after === null) {
        return sendProblem(
          reply,
          problemOf('http.bad-request', `"${String(last).slice(0, 40)}" is not the id of an event`),
        );
      }
      const types = new Set((request.query.types ?? 'block,status').split(','));
      perClient.set(client, open + 1);
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-accel-buffering': 'no',
      });
      reply.raw.write('retry: 2000\n\n');
      hub
        .subscribe(reply.raw, types, after)
        .catch((error: unknown) => log.error('http.events-failed', { error }))
        .finally(() => {
          const left = (perClient.get(client) ?? 1) - 1;
          if (left === 0) perClient.delete(client);
          else perClient.set(client, left);
          reply.raw.end();
        });
      return reply;
    },
  );
}
