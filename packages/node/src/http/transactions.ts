/**
 * Handing in transactions, one (application/cose) or many (application/cbor-seq), and following them. Safe to repeat: a
 * transaction is itself its idempotency key.
 *
 * The way in does as little as it can per request: the body arrives as one buffer, goes to the port as it is, and the
 * answer is written by hand.
 */
import { assert, unreachable } from '@cairn-ledger/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, HttpContext } from './app.ts';
import type { SubmitOutcome, TransactionStatus } from './edge-port.ts';
import { type Problem, problemOf, sendProblem, unknownTransaction } from './problem.ts';
import { idParams, outcomesSchema, transactionSchema } from './schemas.ts';
import { splitSequence } from './sequence.ts';
import { base64urlOf, hexOf, transactionJson } from './views.ts';

const COSE = 'application/cose';
const SEQUENCE = 'application/cbor-seq';
const JSON_TYPE = 'application/json; charset=utf-8';
/** A member's quota is per minute of block time. */
const QUOTA_RETRY_MS = 60_000;

type Sequence = { readonly transactions: Uint8Array };

export function addTransactionRoutes(app: App, context: HttpContext): void {
  const { port, limits } = context;

  const buffer = { parseAs: 'buffer' as const };
  app.addContentTypeParser(COSE, { ...buffer, bodyLimit: limits.transactionSizeBytesMax }, (_request, body, done) =>
    done(null, body),
  );
  app.addContentTypeParser(
    SEQUENCE,
    { ...buffer, bodyLimit: limits.sequenceSizeBytesMax },
    (_request, body: Buffer, done) => done(null, { transactions: body } satisfies Sequence),
  );

  const submitSchema = {
    tags: ['transactions'],
    operationId: 'submitTransactions',
    summary: 'Submit a transaction, or up to 1,000 of them',
    description:
      'application/cose is one COSE_Sign1, application/cbor-seq several one after another. With `Prefer: wait` (or `wait=<seconds>`) the answer ' +
      'comes once the transaction is certified: its receipt, or as JSON with `Accept: application/json`. Safe to repeat.',
    consumes: [COSE, SEQUENCE],
    response: {
      200: {
        description: 'Certified: the receipt; or, for a sequence with Prefer: wait, the outcomes',
        content: {
          [COSE]: { schema: {} },
          'application/json': { schema: { anyOf: [transactionSchema, outcomesSchema] } },
        },
      },
      202: {
        description: 'Taken in, and waiting to be ordered; for a sequence, one outcome each',
        content: { 'application/json': { schema: { anyOf: [transactionSchema, outcomesSchema] } } },
      },
    },
  };

  app.post(
    '/v1/transactions',
    { schema: submitSchema, config: { roles: ['submit'] }, serializerCompiler: () => JSON.stringify },
    (request, reply) => {
      const { body } = request;
      if (body instanceof Uint8Array) return submitOne(request, reply, body);
      if (isSequence(body)) return submitSequence(request, reply, body.transactions);
      return sendProblem(reply, problemOf('http.unsupported-media-type', 'the request has no body'));
    },
  );

  async function submitOne(request: FastifyRequest, reply: FastifyReply, bytes: Uint8Array): Promise<FastifyReply> {
    const [outcome] = await port.submit([bytes]);
    assert(outcome !== undefined, 'the port answers for every transaction');
    switch (outcome.type) {
      case 'rejected':
        return sendProblem(reply, rejection(outcome.error.code, outcome.error.message, outcome.id));
      case 'busy':
        return sendProblem(reply, { ...outcome.error, retryAfterMs: outcome.retryAfterMs });
      case 'accepted':
      case 'known':
        break;
    }
    const waitMs = waitMsOf(request.headers.prefer, limits.waitMsMax);
    if (waitMs > 0) return answerWaited(request, reply, outcome.id, waitMs);
    if (outcome.type === 'known') return answerKnown(reply, outcome.id);
    return answerPending(reply, hexOf(outcome.id));
  }

  async function answerKnown(reply: FastifyReply, id: Uint8Array): Promise<FastifyReply> {
    const status = await port.transaction(id);
    if (status?.status === 'rejected') return sendProblem(reply, verdict(status));
    return answerOpen(reply, id, status);
  }

  /** What is known of a transaction that may still be under way. */
  function answerOpen(reply: FastifyReply, id: Uint8Array, status: TransactionStatus | null): FastifyReply {
    if (status === null || status.status === 'pending') return answerPending(reply, hexOf(id));
    const code = status.certified ? 200 : 202;
    return reply
      .code(code)
      .header('content-type', JSON_TYPE)
      .send(JSON.stringify(transactionJson(status)));
  }

  function answerPending(reply: FastifyReply, id: string): FastifyReply {
    return reply
      .code(202)
      .header('content-type', JSON_TYPE)
      .header('location', `/v1/transactions/${id}`)
      .send(`{"id":"${id}","status":"pending","certified":false}`);
  }

  async function answerWaited(
    request: FastifyRequest,
    reply: FastifyReply,
    id: Uint8Array,
    waitMs: number,
  ): Promise<FastifyReply> {
    const [status] = await waitForAll(request, reply, [id], waitMs);
    if (status?.status === 'rejected') return sendProblem(reply, verdict(status));
    if (status?.certified !== true) return answerOpen(reply, id, status ?? null);
    const receipt = await port.receipt(id);
    if (!receipt.ok) return answerPending(reply, hexOf(id));
    if (!wants(request, 'application/json')) return reply.header('content-type', COSE).send(receipt.value);
    const json = { ...transactionJson(status), receipt: base64urlOf(receipt.value) };
    return reply.header('content-type', JSON_TYPE).send(JSON.stringify(json));
  }

  async function submitSequence(request: FastifyRequest, reply: FastifyReply, body: Uint8Array): Promise<FastifyReply> {
    const items = splitSequence(body, limits.sequenceCountMax);
    if (!items.ok) return sendProblem(reply, items.error);
    const tooLarge = items.value.findIndex((item) => item.length > limits.transactionSizeBytesMax);
    if (tooLarge >= 0) {
      const message = `item ${tooLarge} has ${items.value[tooLarge]!.length} bytes, at most ${limits.transactionSizeBytesMax} are allowed`;
      return sendProblem(reply, { code: 'tx.too-large', message });
    }
    const outcomes = await port.submit(items.value);
    const retryAfterMs = longestRetry(outcomes);
    if (outcomes.every((outcome) => outcome.type === 'busy')) {
      return sendProblem(reply, { ...outcomes[0]!.error, retryAfterMs });
    }
    if (retryAfterMs > 0) reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
    const waitMs = waitMsOf(request.headers.prefer, limits.waitMsMax);
    reply.header('content-type', JSON_TYPE);
    if (waitMs === 0) return reply.code(202).send(outcomesText(outcomes, []));
    const taken = outcomes.flatMap((outcome) =>
      outcome.type === 'accepted' || outcome.type === 'known' ? [outcome.id] : [],
    );
    const statuses = await waitForAll(request, reply, taken, waitMs);
    return reply.code(200).send(outcomesText(outcomes, statuses));
  }

  /** One status per id, in order; empty where too much is being waited for already. */
  async function waitForAll(
    request: FastifyRequest,
    reply: FastifyReply,
    ids: readonly Uint8Array[],
    waitMs: number,
  ): Promise<readonly (TransactionStatus | null)[]> {
    if (context.waiters + ids.length > limits.waitersMax) return [];
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    request.raw.socket.once('close', leave);
    context.waiters += ids.length;
    reply.header('preference-applied', 'wait');
    try {
      return await Promise.all(ids.map((id) => port.waitFor(id, waitMs, gone.signal)));
    } finally {
      context.waiters -= ids.length;
      request.raw.socket.removeListener('close', leave);
    }
  }

  app.get(
    '/v1/transactions/:id',
    {
      schema: {
        tags: ['transactions'],
        operationId: 'getTransaction',
        summary: 'Status, verdict and place of a transaction',
        description: 'With `Accept: application/cose` the transaction itself, exactly the bytes as ordered.',
        params: idParams,
        response: {
          200: {
            description: 'The transaction',
            content: { 'application/json': { schema: transactionSchema }, [COSE]: { schema: {} } },
          },
        },
      },
      config: { roles: ['read', 'submit'] },
    },
    async (request, reply) => {
      const status = await port.transaction(Buffer.from(request.params.id, 'hex'));
      if (status === null) {
        const problem = unknownTransaction(port.heldFrom());
        return sendProblem(reply, { ...problem, transaction: request.params.id.toLowerCase() });
      }
      if (!wants(request, COSE)) return reply.type('application/json').send(transactionJson(status));
      if (status.bytes !== null) return reply.header('content-type', COSE).send(status.bytes);
      return sendProblem(reply, problemOf('http.not-found', 'the bytes of this transaction are not at hand yet'));
    },
  );

  app.get(
    '/v1/transactions/:id/receipt',
    {
      schema: {
        tags: ['transactions'],
        operationId: 'getReceipt',
        summary: 'Receipt of an accepted transaction',
        description:
          'A receipt bundle (docs/wire-format.md, section 4), to be checked offline. `Prefer: wait` waits for it.',
        params: idParams,
        response: { 200: { description: 'The receipt', content: { [COSE]: { schema: {} } } } },
      },
      config: { roles: ['read', 'submit'] },
    },
    async (request, reply) => {
      const id = Buffer.from(request.params.id, 'hex');
      let receipt = await port.receipt(id);
      const waitMs = waitMsOf(request.headers.prefer, limits.waitMsMax);
      if (!receipt.ok && receipt.error.code === 'http.not-certified' && waitMs > 0) {
        await waitForAll(request, reply, [id], waitMs);
        receipt = await port.receipt(id);
      }
      if (receipt.ok) return reply.header('content-type', COSE).send(receipt.value);
      const retryAfterMs = receipt.error.code === 'http.not-certified' ? 1000 : undefined;
      return sendProblem(reply, { ...receipt.error, transaction: request.params.id.toLowerCase(), retryAfterMs });
    },
  );
}

/**
 * How long a client wants to wait, in milliseconds: RFC 7240 `wait=<seconds>`; bare `wait` is as long as allowed. 0 when
 * it does not.
 */
export function waitMsOf(prefer: string | string[] | undefined, waitMsMax: number): number {
  if (prefer === undefined) return 0;
  const found = /(?:^|[,;\s])wait(?:\s*=\s*"?(\d{1,6})"?)?\s*(?:$|[,;])/i.exec(String(prefer));
  if (found === null) return 0;
  return found[1] === undefined ? waitMsMax : Math.min(waitMsMax, Number(found[1]) * 1000);
}

/** True when the Accept header names this very type; wildcards mean the default. */
export function wants(request: FastifyRequest, type: string): boolean {
  return request.headers.accept?.includes(type) === true;
}

function isSequence(body: unknown): body is Sequence {
  return typeof body === 'object' && body !== null && 'transactions' in body;
}

function rejection(code: string, message: string, id: Uint8Array | undefined): Problem {
  const retryAfterMs = code === 'quota.exceeded' ? QUOTA_RETRY_MS : undefined;
  return { code, message, transaction: id === undefined ? undefined : hexOf(id), retryAfterMs };
}

function verdict(status: TransactionStatus): Problem {
  return rejection(status.code ?? 'node.internal', status.message ?? 'the transaction was rejected', status.id);
}

function longestRetry(outcomes: readonly SubmitOutcome[]): number {
  let longest = 0;
  for (const outcome of outcomes) if (outcome.type === 'busy') longest = Math.max(longest, outcome.retryAfterMs);
  return longest;
}

/** `statuses` of those taken in, in order; missing ones are pending. */
function outcomesText(outcomes: readonly SubmitOutcome[], statuses: readonly (TransactionStatus | null)[]): string {
  let taken = 0;
  const parts = outcomes.map((outcome): string => {
    switch (outcome.type) {
      case 'accepted':
      case 'known':
        return outcomeText(outcome.id, statuses[taken++] ?? null);
      case 'rejected': {
        const id = outcome.id === undefined ? '' : `"id":"${hexOf(outcome.id)}",`;
        return `{${id}"status":"rejected",${reasonText(outcome.error.code, outcome.error.message)}}`;
      }
      case 'busy':
        return `{"status":"busy",${reasonText(outcome.error.code, outcome.error.message)}}`;
      default:
        return unreachable(outcome);
    }
  });
  return `[${parts.join(',')}]`;
}

function outcomeText(id: Uint8Array, status: TransactionStatus | null): string {
  const start = `{"id":"${hexOf(id)}","status":"${status?.status ?? 'pending'}"`;
  if (status === null || status.status === 'pending') return `${start}}`;
  const place = `${start},"certified":${status.certified},"height":${status.height}`;
  return status.code === null || status.status === 'accepted'
    ? `${place}}`
    : `${place},${reasonText(status.code, status.message ?? '')}}`;
}

function reasonText(code: string, message: string): string {
  return `"code":${JSON.stringify(code)},"message":${JSON.stringify(message)}`;
}
