/** An edge port for tests: answers from plain lists, and records what it was asked. */
import { createHash } from 'node:crypto';
import { type CairnError, defaultParameters, fail, ok } from '@cairn-ledger/core';
import type {
  BlockView,
  CheckpointView,
  EdgeEvent,
  EdgePort,
  EpochView,
  NodeStatus,
  ReadingsRequest,
  ReadingView,
  SubmitOutcome,
  TransactionStatus,
} from './edge-port.ts';
import type { MembershipView } from './membership-port.ts';
import type { News } from './news.ts';

/** 32 bytes that are easy to tell apart. */
export const bytes32 = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
export const idOf = (transaction: Uint8Array): Buffer => createHash('sha256').update(transaction).digest();

export const readyStatus: NodeStatus = {
  ledger: { name: 'test', hash: bytes32(1) },
  node: { id: 'node-1', member: 'acme', version: '0.1.0' },
  mode: 'active',
  fencedFor: null,
  inSync: true,
  epoch: 1,
  view: 12,
  rules: 1,
  finalizedHeight: 7,
  executedHeight: 7,
  certifiedHeight: 6,
  blockTimeMs: 1_700_000_000_000,
  historySize: 9,
  historyRoot: bytes32(2),
  stateRoot: bytes32(3),
  transactions: 7,
  readings: 40,
  mempool: { transactions: 0, sizeBytes: 0 },
  validators: 4,
  quorum: 3,
  suspended: [],
  uptimeMs: 1_000,
  peers: [
    { id: 'node-2', connected: true, height: 7, roundTripMs: 0.4 },
    { id: 'node-3', connected: true, height: 7, roundTripMs: 0.5 },
    { id: 'node-<4>', connected: false, height: null, roundTripMs: null },
  ],
};

export function blockAt(height: number, transactionCount = 1): BlockView {
  return {
    height,
    epoch: 1,
    view: height + 5,
    rules: 1,
    digest: bytes32(height),
    parent: bytes32(height - 1),
    timeMs: 1_700_000_000_000 + height,
    nextSet: null,
    batches: [{ author: 'node-1', seq: height, digest: bytes32(100 + height) }],
    transactionCount,
    transactions: Array.from({ length: transactionCount }, (_, position) => ({
      id: bytes32(height * 10 + position),
      code: position === 1 ? 'tx.replayed' : 'ok',
      leafIndex: position === 1 ? null : height + position,
    })),
  };
}

export function checkpointAt(height: number): CheckpointView {
  return {
    height,
    epoch: 1,
    round: 0,
    historySize: height + 2,
    historyRoot: bytes32(2),
    stateRoot: bytes32(3),
    validatorSet: bytes32(4),
    certified: true,
    signatures: [{ validator: 'node-1', protected: new Uint8Array([160]), signature: new Uint8Array(64) }],
  };
}

export function statusOfTransaction(id: Uint8Array, change: Partial<TransactionStatus> = {}): TransactionStatus {
  return {
    id,
    status: 'accepted',
    code: null,
    message: null,
    height: 7,
    position: 0,
    leafIndex: 8,
    certified: true,
    provenance: 'device-signed',
    bytes: new Uint8Array([1, 2, 3]),
    ...change,
  };
}

export const membershipOfTest: MembershipView = {
  height: 7,
  epoch: 1,
  isChanging: false,
  votesNeeded: 2,
  parameters: defaultParameters,
  rules: 1,
  members: [
    { id: 'acme', name: 'Acme' },
    { id: 'bolt', name: 'Bolt' },
  ],
  validators: [
    {
      id: 'node-1',
      member: 'acme',
      state: 'suspended',
      causes: ['attested'],
      sinceHeight: 5,
      linkKey: bytes32(5),
      addresses: ['127.0.0.1:7000'],
      host: 'rack 4',
      operator: null,
    },
    {
      id: 'node-9',
      member: 'bolt',
      state: 'admitted',
      causes: [],
      sinceHeight: null,
      linkKey: null,
      addresses: [],
      host: null,
      operator: 'Run & Co',
    },
  ],
  guests: ['node-9'],
  proposals: [
    {
      id: bytes32(9),
      member: 'acme',
      openedHeight: 3,
      lapsesHeight: 100_003,
      outcome: 'open',
      closedHeight: null,
      change: { kind: 'remove-validator', validator: 'node-1' },
      yes: ['acme'],
      no: [],
    },
    {
      id: bytes32(10),
      member: 'bolt',
      openedHeight: 4,
      lapsesHeight: 100_004,
      outcome: 'refused',
      closedHeight: 6,
      change: { kind: 'change-parameters', parameters: { ...defaultParameters, deltaMs: 200 } },
      yes: ['bolt'],
      no: ['acme'],
    },
  ],
};

export function epochAt(epoch: number, present: number): EpochView {
  return {
    epoch,
    fromHeight: epoch === 1 ? 0 : epoch * 10 - 9,
    toHeight: epoch < present ? epoch * 10 : null,
    rules: 1,
    validatorSet: bytes32(4),
    validators: ['node-1', 'node-2'],
    quorum: 2,
    proof: epoch < present ? new Uint8Array([0x82, epoch]) : null,
  };
}

export type FakeEdge = EdgePort & {
  status: () => NodeStatus;
  submitted: Uint8Array[];
  asked: { readings: { device: string; request: ReadingsRequest } | null; waited: number };
  /** By hex id; absent ones are unknown. */
  statuses: Map<string, TransactionStatus>;
  blocks: Map<number, BlockView>;
  heldFromHeight: number;
  newsOf: Map<number, readonly News[]>;
  readingList: ReadingView[];
  next: string | null;
  outcome: (transaction: Uint8Array) => SubmitOutcome;
  /** Reason of the operator's fence; null when there is none. */
  fencedFor: string | null;
  emit: (event: EdgeEvent) => void;
};

export function createFakeEdge(change: Partial<FakeEdge> = {}): FakeEdge {
  const listeners = new Set<(event: EdgeEvent) => void>();
  const refuse = (code: string, message: string) => fail<CairnError>({ code, message });
  const key = (id: Uint8Array) => Buffer.from(id).toString('hex');
  const edge: FakeEdge = {
    submitted: [],
    asked: { readings: null, waited: 0 },
    statuses: new Map(),
    heldFromHeight: 0,
    blocks: new Map([1, 2, 3, 4, 5, 6, 7].map((height) => [height, blockAt(height)])),
    newsOf: new Map(),
    readingList: [],
    next: null,
    outcome: (transaction) => ({ type: 'accepted', id: idOf(transaction) }),
    fencedFor: null,
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    submit: async (transactions) => {
      edge.submitted.push(...transactions);
      return transactions.map((transaction) => edge.outcome(transaction));
    },
    transaction: async (id) => edge.statuses.get(key(id)) ?? null,
    receipt: async (id) => {
      const status = edge.statuses.get(key(id));
      if (status === undefined) return refuse('http.not-found', 'no transaction with this id is known here');
      if (status.status === 'rejected') return refuse('http.no-receipt', `it was rejected: ${status.code}`);
      return status.certified
        ? ok(new Uint8Array([7, 7, 7]))
        : refuse('http.not-certified', 'its height is not certified');
    },
    waitFor: async (id) => {
      edge.asked.waited++;
      return edge.statuses.get(key(id)) ?? null;
    },
    heldHeight: async (height) => (edge.blocks.has(height) ? Uint8Array.of(0x80, height) : null),
    block: async (height, withTransactions) => {
      const block = edge.blocks.get(height);
      if (block === undefined) return null;
      return withTransactions ? block : { ...block, transactions: null };
    },
    news: async (height) => (edge.blocks.has(height) ? (edge.newsOf.get(height) ?? []) : null),
    nextNews: async (height) => {
      const next = [...edge.newsOf.keys()].filter((each) => each > height).sort((a, b) => a - b)[0];
      return next ?? null;
    },
    checkpoint: async (height) => (edge.blocks.has(height) ? checkpointAt(height) : null),
    latestCheckpoint: async () => checkpointAt(6),
    heldFrom: () => edge.heldFromHeight,
    epochs: async (from, limit) => {
      const all = [1, 2, 3].map((epoch) => epochAt(epoch, 3)).filter(({ epoch }) => epoch >= from);
      return { items: all.slice(0, limit), next: all[limit]?.epoch ?? null };
    },
    epochProof: async (epoch) => epochAt(epoch, 3).proof,
    validators: async () => [
      {
        id: 'node-1',
        member: 'acme',
        linkKey: bytes32(5),
        votingKey: bytes32(6),
        checkpointKey: bytes32(7),
        addresses: ['127.0.0.1:7000'],
      },
    ],
    status: () => readyStatus,
    members: async () => [{ id: 'acme', name: 'Acme "Inc" <b>', keys: [] }],
    account: async (id) =>
      id.startsWith('acme')
        ? { id, balances: [{ asset: 'coin', amount: 18_446_744_073_709_551_615n, decimals: 2 }] }
        : null,
    accounts: async ({ cursor }) =>
      cursor === 'bad'
        ? refuse('http.bad-cursor', 'no such place')
        : ok({ items: [{ id: 'acme', balances: [] }], next: 'x1' }),
    device: async (id) =>
      id === 'acme/probe'
        ? {
            id,
            member: 'acme',
            device: 'probe',
            keys: [
              {
                kid: new Uint8Array(8),
                algorithm: 'ed25519',
                role: 'device',
                publicKey: bytes32(8),
                registeredHeight: 0,
                revokedHeight: null,
              },
            ],
          }
        : null,
    devices: async () => ok({ items: [], next: null }),
    readings: async (device, request) => {
      edge.asked.readings = { device, request };
      if (device !== 'acme/probe') return null;
      if (request.cursor === 'bad') return refuse('http.bad-cursor', 'no such place');
      return ok({ items: edge.readingList, next: edge.next });
    },
    genesis: () => new Uint8Array([0xa0]),
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    membership: async () => membershipOfTest,
    proposal: async (id) => {
      const proposal = membershipOfTest.proposals.find((each) => key(each.id) === key(id));
      return proposal === undefined ? null : { proposal, votesNeeded: 2 };
    },
    invite: async () => refuse('invitation.too-many', 'no invitations here'),
    invitations: async () => [],
    cancelInvitation: async () => ok(false),
    join: async () => refuse('invitation.unknown', 'no invitations here'),
    fence: async (reason) => {
      edge.fencedFor = reason;
      return ok(undefined);
    },
    unfence: async () => {
      if (edge.fencedFor === null) return refuse('node.not-liftable', 'another reason');
      edge.fencedFor = null;
      return ok(undefined);
    },
    metrics: async () => '# HELP cairn_height x\ncairn_height 1\n',
    ...change,
  };
  return edge;
}
