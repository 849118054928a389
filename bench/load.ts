/**
 * The load: posts of many transactions to every node, as many under way at once as keep the network busy, and single ones
 * that wait for their receipt, to time finality. Requests go through one kept-alive connection each.
 */
import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

type Answer = { readonly status: number; readonly body: Buffer };

function post(
  url: string,
  contentType: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': contentType, 'content-length': body.length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Time from sending one transaction to holding its receipt, in milliseconds. */
export async function timeFinality(http: string, transaction: Uint8Array): Promise<number> {
  const start = performance.now();
  for (;;) {
    const { status, body } = await post(`${http}/v1/transactions`, 'application/cose', transaction, { prefer: 'wait' });
    if (status === 200) return performance.now() - start;
    if (status !== 429 && status !== 503)
      throw new Error(`a transaction was answered with ${status}: ${body.toString()}`);
    await sleep(20);
  }
}

/** Transactions posted and not executed yet: enough to keep the network busy, without a queue that only adds waiting. */
const underWayMax = 2_000;

/**
 * Posts all transactions, `senders` at once for each node; resolves when every one was acknowledged. Goes on only while
 * not too many are under way, as a feeder does that watches how far the network is.
 */
export async function postAll(
  nodes: readonly string[],
  transactions: readonly Uint8Array[],
  perPost: number,
  senders: number,
  executed: () => number,
): Promise<void> {
  let next = 0;
  const sender = async (http: string): Promise<void> => {
    while (next < transactions.length) {
      while (next - executed() > underWayMax) await sleep(5);
      const chunk = transactions.slice(next, next + perPost);
      next += perPost;
      if (chunk.length > 0) await postChunk(http, Buffer.concat(chunk));
    }
  };
  await Promise.all(nodes.flatMap((http) => Array.from({ length: senders }, () => sender(http))));
}

/** Repeated while the node is busy: sending again is safe, what it holds it answers as known. */
async function postChunk(http: string, body: Uint8Array): Promise<void> {
  for (;;) {
    const { status, body: answer } = await post(`${http}/v1/transactions`, 'application/cbor-seq', body);
    if (status !== 200 && status !== 202 && status !== 429 && status !== 503)
      throw new Error(`a post was answered with ${status}: ${answer.toString().slice(0, 300)}`);
    const outcomes =
      status === 429 || status === 503 ? [] : (JSON.parse(answer.toString()) as { code?: string; status: string }[]);
    const refused = outcomes.find((outcome) => outcome.code !== undefined && outcome.code !== 'node.busy');
    if (refused !== undefined) throw new Error(`a transaction was refused: ${JSON.stringify(refused)}`);
    if (outcomes.length > 0 && outcomes.every((outcome) => outcome.code === undefined)) return;
    await sleep(20);
  }
}

export type Progress = {
  readonly transactions: number;
  readonly readings: number;
  readonly height: number;
  readonly historyRoot: string;
  readonly stateRoot: string;
  readonly certifiedHeight: number;
};

export function progressOf(http: string): Promise<Progress> {
  return new Promise((resolve, reject) => {
    const sent = request(`${http}/v1/status`, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const status = JSON.parse(Buffer.concat(chunks).toString()) as Progress & { executedHeight: number };
        resolve({ ...status, height: status.executedHeight });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
