/**
 * A network of one block, for tests of clients: it knows one genesis with four validators, accepts what it is given into
 * a history tree, and certifies it with real signatures. Behind it a fake HTTP server that can be made to misbehave.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  checkpointSignedBytes,
  decodeTransaction,
  defaultParameters,
  encodeBundle,
  encodeGenesis,
  genesisEntries,
  genesisToTrustAnchor,
  type Hash,
  leafHash,
  merkleRoot,
  protectedHeaderOf,
  proveInclusion,
  sha256,
  type TrustAnchor,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  transactionEntry,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { createKey, createSigner, type KeyPair } from '../key.ts';

export type FakeNetwork = {
  readonly genesis: Uint8Array;
  readonly ledgerHash: Hash;
  readonly anchor: TrustAnchor;
  readonly accepted: Map<string, Uint8Array>;
  accept(transaction: Uint8Array): string;
  receiptOf(id: string, signers?: number): Uint8Array;
};

const height = toHeight(5);

export function createFakeNetwork(validatorsCount = 4): FakeNetwork {
  const keys = Array.from({ length: validatorsCount }, () => createKey());
  const person = createKey();
  const genesis = {
    name: 'fake',
    timeMs: 1_700_000_000_000,
    rules: 1,
    parameters: defaultParameters,
    validators: keys.map((key, index) => ({
      id: `node-${index + 1}`,
      member: 'alder',
      linkKey: createKey().publicKey,
      votingKey: createKey().publicKey,
      checkpointKey: key.publicKey,
      addresses: [`127.0.0.1:${7000 + index}`],
      life: null,
    })),
    members: [{ id: 'alder', name: 'Alder' }],
    keys: [
      {
        role: 'person' as const,
        algorithm: 'ed25519' as const,
        publicKey: person.publicKey,
        member: 'alder',
        device: null,
      },
    ],
    assets: [],
    balances: [],
  };
  const bytes = encodeGenesis(genesis);
  const ledgerHash = sha256(bytes);
  const anchor = genesisToTrustAnchor(bytes);
  if (!anchor.ok) throw new Error(anchor.error.message);
  const leaves: Hash[] = genesisEntries(genesis).map(leafHash);
  const places = new Map<string, number>();
  const accepted = new Map<string, Uint8Array>();
  const validatorSet = validatorSetDigest(genesis.validators);

  return {
    genesis: bytes,
    ledgerHash,
    anchor: anchor.value,
    accepted,
    accept(transaction) {
      const decoded = decodeTransaction(transaction);
      if (!decoded.ok) throw new Error(decoded.error.message);
      const id = toHex(decoded.value.id);
      if (!accepted.has(id)) {
        accepted.set(id, transaction);
        places.set(id, leaves.length);
        leaves.push(leafHash(transactionEntry(decoded.value)));
      }
      return id;
    },
    receiptOf(id, signers = anchor.value.quorum) {
      const leafIndex = places.get(id)!;
      const historyRoot = merkleRoot(leaves);
      const statement = {
        ledgerHash,
        epoch: toEpoch(1),
        height,
        round: 0,
        historySize: leaves.length,
        stateRoot: toHash(new Uint8Array(32)),
        validatorSet,
      };
      const rows = keys.slice(0, signers).map((key: KeyPair, index) => {
        const signer = createSigner(key);
        const protectedHeader = protectedHeaderOf({
          statement,
          kid: signer.kid,
          signer: `node-${index + 1}`,
          issuedSeconds: 1_700_000_100,
        });
        return { protectedHeader, signature: signer.sign(checkpointSignedBytes(protectedHeader, historyRoot)) };
      });
      return encodeBundle({
        proof: { treeSize: leaves.length, leafIndex, path: proveInclusion(leaves, leafIndex) },
        rows,
      });
    },
  };
}

export type FakeNode = {
  readonly url: string;
  /** Method and path of what came in, in order. */
  readonly requests: string[];
  /** Answers the next requests in place of the network: return false to let it through. */
  misbehave: ((request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean) | null;
  close(): Promise<void>;
};

export async function startFakeNode(network: FakeNetwork): Promise<FakeNode> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push(`${request.method} ${request.url}`);
      const body = Buffer.concat(chunks);
      if (node.misbehave?.(request, response, body) !== true) answer(network, request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const node: FakeNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    misbehave: null,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return node;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): true {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(typeof value === 'string' ? value : JSON.stringify(value));
  return true;
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): true {
  return sendJson(
    response,
    status,
    { code, title: code, status, detail: `the detail of ${code}`, whatToDo: 'Do this.' },
    headers,
  );
}

function answer(network: FakeNetwork, request: IncomingMessage, response: ServerResponse, body: Buffer): unknown {
  const path = request.url ?? '';
  if (request.method === 'POST' && path === '/v1/transactions') {
    const isSequence = request.headers['content-type'] === 'application/cbor-seq';
    const transactions = isSequence ? splitTransactions(body) : [new Uint8Array(body)];
    const ids = transactions.map((transaction) => network.accept(transaction));
    if (isSequence)
      return sendJson(
        response,
        200,
        ids.map((id) => ({ id, status: 'accepted', certified: true, height })),
      );
    return sendJson(response, 200, { id: ids[0], status: 'accepted', certified: true, height });
  }
  const [, id, receipt] = /^\/v1\/transactions\/([0-9a-f]{64})(\/receipt)?$/.exec(path) ?? [];
  const transaction = id === undefined ? undefined : network.accepted.get(id);
  if (id === undefined || transaction === undefined) return sendProblem(response, 404, 'http.not-found');
  if (receipt !== undefined)
    return response.writeHead(200, { 'content-type': 'application/cose' }).end(network.receiptOf(id));
  return sendJson(response, 200, {
    id,
    status: 'accepted',
    certified: true,
    height,
    bytes: Buffer.from(transaction).toString('base64url'),
  });
}

/** Cuts a sequence by decoding ever longer pieces: slow, and without an opinion of its own about lengths. */
export function splitTransactions(body: Uint8Array): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let start = 0; start < body.length; ) {
    let end = start + 100;
    while (end <= body.length && !decodeTransaction(new Uint8Array(body.subarray(start, end))).ok) end++;
    if (end > body.length) throw new Error('not a sequence of transactions');
    items.push(new Uint8Array(body.subarray(start, end)));
    start = end;
  }
  return items;
}
