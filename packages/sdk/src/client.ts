/**
 * The client of a network, over the HTTP of its nodes.
 *
 * Handing in a transaction is safe to repeat: it is known by its id, so after a timeout the same bytes go to another node
 * (protocol.md section 2). What comes back is believed only where it can be checked: `deliver` and `receipt` verify the
 * receipt against the trust anchor. Reads without a receipt are what that one node says.
 */
import {
  base64urlToBytes,
  type CairnError,
  decodeBundle,
  decodeTransaction,
  type EpochChain,
  type EpochProof,
  epochOfReceipt,
  fail,
  fromHex,
  ok,
  type Result,
  toHex,
} from '@cairn-ledger/core';
import type {
  AccountAnswer,
  DeviceAnswer,
  MemberAnswer,
  OutcomeAnswer,
  ReadingsPage,
  StatusAnswer,
  TransactionAnswer,
  ValidatorAnswer,
} from './answers.ts';
import { createEpochFollower, type EpochFollower, type TrustOptions } from './epochs.ts';
import { createHttpClient, type HttpOptions, type HttpRequest, sleep } from './http.ts';
import { badAnswer, isErrorCode, isObject, parseJson, shortened } from './json-answer.ts';
import { parseReadings } from './readings-page.ts';
import { type VerifiedReceipt, verifyReceiptOf } from './verify.ts';

/** Receipts are verified from the anchor on; without one, `deliver` and `receipt` answer `client.no-anchor`. */
export type ClientOptions = HttpOptions & Partial<TrustOptions>;

/** A transaction that stands in the history, with its proof. */
export type Delivered = {
  readonly id: string;
  readonly receipt: Uint8Array;
  /** The bytes as ordered, which the receipt covers. Another signature of the same content may have come first. */
  readonly transaction: Uint8Array;
  readonly verified: VerifiedReceipt;
  /** What leads from the anchor to the epoch of the receipt: whoever verifies it later needs them, too. */
  readonly proofs: readonly EpochProof[];
};

export type WaitOptions = { readonly timeoutMs?: number; readonly signal?: AbortSignal };
export type ReadingsQuery = {
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly cursor?: string;
};

/** Limits of one request of several transactions. */
export const submitCountMax = 1_000;
export const submitBytesMax = 1_048_576;

const WAIT_MS = 10_000;
const DELIVER_TIMEOUT_MS = 60_000;
const POLL_MS = 200;

export type Client = {
  readonly nodes: readonly string[];
  /** Hands in one transaction; answers once a node has taken it (`pending`), or its verdict where that is known. */
  submit(transaction: Uint8Array, options?: WaitOptions): Promise<Result<TransactionAnswer, CairnError>>;
  /**
   * Hands in up to `submitCountMax` transactions and `submitBytesMax` bytes; one outcome each, in order.
   *
   * @param waitMs wait for the verdicts, at most so long; those still open come back as `pending`
   */
  submitMany(
    transactions: readonly Uint8Array[],
    waitMs?: number,
    options?: WaitOptions,
  ): Promise<Result<OutcomeAnswer[], CairnError>>;
  /** Hands in, waits for the receipt, verifies it. A rejection is an error with the ledger's code. */
  deliver(transaction: Uint8Array, options?: WaitOptions): Promise<Result<Delivered, CairnError>>;
  transaction(id: string): Promise<Result<TransactionAnswer, CairnError>>;
  /** The receipt of a transaction and its ordered bytes, verified with the validators of its epoch. */
  receipt(id: string): Promise<Result<Delivered, CairnError>>;
  status(): Promise<Result<StatusAnswer, CairnError>>;
  validators(): Promise<Result<ValidatorAnswer[], CairnError>>;
  members(): Promise<Result<MemberAnswer[], CairnError>>;
  device(id: string): Promise<Result<DeviceAnswer, CairnError>>;
  account(id: string): Promise<Result<AccountAnswer, CairnError>>;
  /**
   * One page, from a node that holds the whole history where one of `nodes` does; `heldFrom` above 0 says that none was found,
   * and older readings are missing.
   */
  readings(device: string, query?: ReadingsQuery): Promise<Result<ReadingsPage, CairnError>>;
  /** The validators as far as they have been followed, verified; null without an anchor. */
  epochs(): EpochChain | null;
  /** The answer to any GET, as JSON. */
  get<T>(path: string): Promise<Result<T, CairnError>>;
  /** The answer to a POST of JSON, as JSON. Tried again like everything here: what must not happen twice is not for it. */
  post<T>(path: string, body: unknown): Promise<Result<T, CairnError>>;
};

export function createClient(options: ClientOptions): Client {
  const http = createHttpClient(options);
  const { anchor } = options;
  const follower = anchor === undefined ? null : createEpochFollower({ ...options, anchor });
  const client: Client = {
    nodes: http.nodes,
    submit: (transaction, wait = {}) =>
      askJson<TransactionAnswer>({
        method: 'POST',
        path: '/v1/transactions',
        headers: { 'content-type': 'application/cose', accept: 'application/json' },
        body: transaction,
        ...wait,
      }),
    async submitMany(transactions, waitMs = 0, wait = {}) {
      const outcomes = await askRows<OutcomeAnswer>({
        method: 'POST',
        path: '/v1/transactions',
        headers: { 'content-type': 'application/cbor-seq', ...preferWait(waitMs) },
        body: joinBytes(transactions),
        waitMs,
        ...wait,
      });
      if (!outcomes.ok || outcomes.value.length === transactions.length) return outcomes;
      return fail({
        code: 'client.bad-answer',
        message: 'the node answered with another number of outcomes than transactions',
      });
    },
    deliver,
    transaction: (id) => askJson({ path: `/v1/transactions/${id}` }),
    receipt,
    status: () => askJson({ path: '/v1/status' }),
    validators: () => askRows<ValidatorAnswer>({ path: '/v1/validators' }, 'validators'),
    members: () => askRows<MemberAnswer>({ path: '/v1/members' }, 'members'),
    device: (id) => askJson({ path: `/v1/devices/${encodeURIComponent(id)}` }),
    account: (id) => askJson({ path: `/v1/accounts/${encodeURIComponent(id)}` }),
    async readings(device, query = {}) {
      const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
      const answer = await http.request({ path: `/v1/devices/${encodeURIComponent(device)}/readings?${parameters}` });
      return answer.ok ? parseReadings(textOf(answer.value.bytes)) : answer;
    },
    epochs: () => follower?.chain() ?? null,
    get: (path) => askAny({ path }),
    post: (path, body) =>
      askAny({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        body: new TextEncoder().encode(JSON.stringify(body)),
      }),
  };
  return client;

  async function deliver(transaction: Uint8Array, wait: WaitOptions = {}): Promise<Result<Delivered, CairnError>> {
    const decoded = decodeTransaction(transaction);
    if (!decoded.ok) return decoded;
    const id = toHex(decoded.value.id);
    const deadline = performance.now() + (wait.timeoutMs ?? DELIVER_TIMEOUT_MS);
    for (;;) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return notInTime(id);
      const waitMs = Math.min(WAIT_MS, leftMs);
      const answer = await askJson<TransactionAnswer>({
        method: 'POST',
        path: '/v1/transactions',
        headers: { 'content-type': 'application/cose', accept: 'application/json', ...preferWait(waitMs) },
        body: transaction,
        waitMs,
        timeoutMs: leftMs,
        signal: wait.signal,
      });
      if (!answer.ok) return answer;
      if (answer.value.status === 'rejected') return rejection(answer.value);
      if (answer.value.certified) return receipt(id);
      if (wait.signal?.aborted) return fail({ code: 'client.aborted', message: 'the request was aborted' });
      await sleep(POLL_MS, wait.signal);
    }
  }

  async function receipt(id: string): Promise<Result<Delivered, CairnError>> {
    if (follower === null) {
      return fail({
        code: 'client.no-anchor',
        message: 'a receipt can only be verified with the genesis of the network; give it as anchor',
      });
    }
    if (fromHex(id)?.length !== 32)
      return fail({ code: 'usage.bad-id', message: 'a transaction id is 64 hexadecimal digits' });
    const fresh = await follower.ensureFresh();
    if (!fresh.ok) return fresh;
    const [status, bundle] = await Promise.all([
      askJson<TransactionAnswer>({ path: `/v1/transactions/${id}` }),
      http.request({ path: `/v1/transactions/${id}/receipt`, headers: { accept: 'application/cose' } }),
    ]);
    if (!status.ok) return status;
    if (status.value.status === 'rejected') return rejection(status.value);
    if (!bundle.ok) return bundle;
    const { bytes } = status.value;
    const transaction = typeof bytes === 'string' ? base64urlToBytes(bytes) : null;
    if (transaction === null || transaction.length === 0) {
      return fail({
        code: 'client.bad-answer',
        message: 'the node gave no transaction bytes with the receipt; ask another node',
      });
    }
    const verified = await verifyOver(follower, bundle.value.bytes, transaction);
    if (!verified.ok) return verified;
    if (verified.value.id !== id)
      return fail({
        code: 'receipt.other-transaction',
        message: 'the node gave the receipt of another transaction; ask another node',
      });
    const { membershipChanges } = verified.value;
    const proofs = follower.chain().proofs.slice(0, membershipChanges);
    return ok({ id, receipt: bundle.value.bytes, transaction, verified: verified.value, proofs });
  }

  async function askAny<T>(request: HttpRequest): Promise<Result<T, CairnError>> {
    const answer = await http.request(request);
    if (!answer.ok) return answer;
    return parseJson(answer.value, request.path) as Result<T, CairnError>;
  }

  /** An answer that is an object. Its fields are what that one node says, and may be anything. */
  async function askJson<T>(request: HttpRequest): Promise<Result<T, CairnError>> {
    const answer = await askAny<T>(request);
    return answer.ok && !isObject(answer.value) ? badAnswer('the node', request.path, 'no object') : answer;
  }

  /** A list of objects, bare or under its name. */
  async function askRows<T>(request: HttpRequest, name?: string): Promise<Result<T[], CairnError>> {
    const answer = await askAny<unknown>(request);
    if (!answer.ok) return answer;
    const { value } = answer;
    const rows = name !== undefined && isObject(value) ? (value[name] ?? []) : value;
    if (Array.isArray(rows) && rows.every(isObject)) return ok(rows as T[]);
    return badAnswer('the node', request.path, 'no list of objects');
  }
}

/** Verifies a receipt with the validators of its epoch, which nodes are asked for where the chain does not reach yet. */
async function verifyOver(
  follower: EpochFollower,
  receipt: Uint8Array,
  transaction: Uint8Array,
): Promise<Result<VerifiedReceipt, CairnError>> {
  const bundle = decodeBundle(receipt);
  if (!bundle.ok) return bundle;
  const chain = await follower.leadTo(epochOfReceipt(bundle.value));
  if (!chain.ok) return chain;
  let verified = verifyReceiptOf(chain.value, receipt, transaction);
  if (!verified.ok && verified.error.code === 'receipt.unknown-signer') {
    // A node may have told of an unchanged set where the set has changed: the others know better.
    const compared = await follower.compareWitnesses();
    if (!compared.ok) return compared;
    if (compared.value) verified = verifyReceiptOf(follower.chain(), receipt, transaction);
  }
  if (verified.ok) follower.onVerified(verified.value.epoch, Date.parse(verified.value.time) / 1000);
  return verified;
}

/** Cuts transactions into groups that one request may carry, in order. */
export function groupsToSubmit(transactions: readonly Uint8Array[], countMax: number = submitCountMax): Uint8Array[][] {
  const groups: Uint8Array[][] = [];
  let group: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const transaction of transactions) {
    if (group.length === countMax || sizeBytes + transaction.length > submitBytesMax) {
      groups.push(group);
      group = [];
      sizeBytes = 0;
    }
    group.push(transaction);
    sizeBytes += transaction.length;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function preferWait(waitMs: number): Record<string, string> {
  return waitMs > 0 ? { prefer: `wait=${Math.max(1, Math.floor(waitMs / 1000))}` } : {};
}

function rejection({ code, message }: TransactionAnswer): Result<never, CairnError> {
  return fail({
    code: isErrorCode(code) ? code : 'tx.rejected',
    message: typeof message === 'string' ? shortened(message) : 'the ledger rejected the transaction',
  });
}

function notInTime(id: string): Result<never, CairnError> {
  return fail({
    code: 'client.timeout',
    message: `the network has not certified transaction ${id} in time. It is safe to hand in the same bytes again; \`cairn status\` shows what the network does.`,
  });
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
