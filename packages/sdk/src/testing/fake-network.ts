/**
 * A network of one block, for tests of clients: it begins with one genesis of four validators, accepts what it is given into
 * a history tree, and certifies it with real signatures; its validators may change. Behind it a fake HTTP server that can be
 * made to misbehave.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  bytesToBase64url,
  type CheckpointStatement,
  decodeTransaction,
  defaultParameters,
  type EpochProof,
  encodeBundle,
  encodeEpochProof,
  encodeGenesis,
  genesisEntries,
  genesisToTrustAnchor,
  type Hash,
  leafHash,
  merkleRoot,
  proveInclusion,
  quorum,
  receiptHeaderOf,
  sha256,
  signCheckpoint,
  sortValidators,
  type TrustAnchor,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  toValidatorIndex,
  transactionEntry,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { createKey, createSigner, type KeyPair } from '../key.ts';

export type FakeNetwork = {
  readonly genesis: Uint8Array;
  readonly ledgerHash: Hash;
  readonly anchor: TrustAnchor;
  readonly accepted: Map<string, Uint8Array>;
  /** The proofs of all changes of validators, in order. */
  readonly proofs: EpochProof[];
  accept(transaction: Uint8Array): string;
  /** @param signers how many of the newest set sign; a quorum unless told */
  receiptOf(id: string, signers?: number): Uint8Array;
  /** The newest set changes to these validators, known ones or new ones. */
  changeTo(...ids: readonly string[]): void;
  /** The proof that an epoch ended at a height and these validators come next, whether or not that happened. */
  endOf(epoch: number, height: number, ids: readonly string[]): EpochProof;
  latestCheckpoint(): unknown;
};

export type FakeNetworkOptions = {
  readonly validatorsCount?: number;
  /** When the genesis was made; a minute ago unless told. */
  readonly genesisMs?: number;
};

const height = toHeight(5);

export function createFakeNetwork(options: FakeNetworkOptions = {}): FakeNetwork {
  const { validatorsCount = 4, genesisMs = Date.now() - 60_000 } = options;
  const keys = new Map<string, KeyPair>();
  const validators = new Map<string, Validator>();
  const sets = [setOf(Array.from({ length: validatorsCount }, (_, index) => `node-${index + 1}`))];
  const proofs: EpochProof[] = [];
  const person = createKey();
  const genesis = {
    name: 'fake',
    timeMs: genesisMs,
    rules: 1,
    parameters: defaultParameters,
    validators: sets[0]!,
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

  return {
    genesis: bytes,
    ledgerHash,
    anchor: anchor.value,
    accepted,
    proofs,
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
    receiptOf(id, signers) {
      const leafIndex = places.get(id)!;
      const rows = sign(sets.length, statementOf(sets.length), signers).map(({ row }) => row);
      return encodeBundle({
        proof: { treeSize: leaves.length, leafIndex, path: proveInclusion(leaves, leafIndex) },
        rows,
      });
    },
    changeTo(...ids) {
      proofs.push(endOf(sets.length, height + proofs.length, ids));
      sets.push(setOf(ids));
    },
    endOf,
    latestCheckpoint() {
      const statement = statementOf(sets.length);
      return {
        height,
        historyRoot: toHex(statement.historyRoot),
        signatures: sign(sets.length, statement).map(({ row }) => ({
          protected: bytesToBase64url(row.protectedHeader),
          signature: bytesToBase64url(row.signature),
        })),
      };
    },
  };

  function setOf(ids: readonly string[]): Validator[] {
    return sortValidators(ids.map(validatorOf));
  }

  function validatorOf(id: string): Validator {
    const key = keys.get(id) ?? createKey();
    keys.set(id, key);
    const validator = validators.get(id) ?? {
      id,
      member: 'alder',
      linkKey: createKey().publicKey,
      votingKey: createKey().publicKey,
      checkpointKey: key.publicKey,
      addresses: [`127.0.0.1:${7000 + keys.size}`],
      life: null,
    };
    validators.set(id, validator);
    return validator;
  }

  function statementOf(epoch: number, change: Partial<CheckpointStatement> = {}): CheckpointStatement {
    return {
      ledgerHash,
      epoch: toEpoch(epoch),
      height,
      round: 0,
      historySize: leaves.length,
      historyRoot: merkleRoot(leaves),
      stateRoot: toHash(new Uint8Array(32)),
      validatorSet: validatorSetDigest(sets[epoch - 1]!),
      ...change,
    };
  }

  function endOf(epoch: number, endHeight: number, ids: readonly string[]): EpochProof {
    const next = setOf(ids);
    const statement = statementOf(epoch, { height: toHeight(endHeight), validatorSet: validatorSetDigest(next) });
    return { signatures: sign(epoch, statement).map(({ signature }) => signature), validators: next };
  }

  /** The signatures of the first validators of an epoch, in both of their forms. */
  function sign(epoch: number, statement: CheckpointStatement, count?: number) {
    const set = sets[epoch - 1]!;
    return set.slice(0, count ?? quorum(set.length)).map((validator, index) => {
      const issuedSeconds = Math.floor(Date.now() / 1000);
      const key = createSigner(keys.get(validator.id)!);
      const signature = signCheckpoint(statement, toValidatorIndex(index), validator, issuedSeconds, key);
      const row = { protectedHeader: receiptHeaderOf(signature, validator), signature: signature.signature };
      return { signature, row };
    });
  }
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
  if (path === '/v1/checkpoints/latest') return sendJson(response, 200, network.latestCheckpoint());
  const [, from] = /^\/v1\/epochs\?from=(\d+)$/.exec(path) ?? [];
  if (from !== undefined) return sendJson(response, 200, epochsPage(network.proofs, Number(from)));
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

const pageRowsMax = 2;

/** Row e has the proof of how epoch e ended: none for the last. */
export function epochsPage(proofs: readonly EpochProof[], from: number): unknown {
  const last = Math.min(proofs.length + 1, from + pageRowsMax - 1);
  const epochs = [];
  for (let epoch = from; epoch <= last; epoch++) {
    const proof = proofs[epoch - 1];
    epochs.push({ epoch, ...(proof !== undefined && { proof: bytesToBase64url(encodeEpochProof(proof)) }) });
  }
  return { epochs, next: last <= proofs.length ? last + 1 : null };
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
