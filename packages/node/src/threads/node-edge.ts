/**
 * Edge thread: the port behind HTTP and the gateway, over the two databases opened for reading, what the main thread last
 * said of the node's status, and the news of the ledger thread.
 */
import {
  AssertionFailed,
  type CairnError,
  encodeBundle,
  encodeEpochProof,
  fail,
  type Genesis,
  type Hash,
  type HistoryReader,
  type KeyView as LedgerKeyView,
  ok,
  type Result,
  readAccount,
  readAccounts,
  readAsset,
  readDevice,
  readDevices,
  readKey,
  readKeys,
  readMember,
  readMembers,
  readReplayWindow,
  type Validator,
} from '@cairn-ledger/core';
import type { BootstrapPeer, HostPort } from '../config/node-config.ts';
import type {
  AccountView,
  BlockView,
  CheckpointView,
  DeviceView,
  EdgeEvent,
  EdgePort,
  KeyView,
  MemberView,
  NodeStatus,
  Page,
  PageRequest,
  TransactionStatus,
} from '../http/edge-port.ts';
import type { MembershipPort, MembershipView } from '../http/membership-port.ts';
import type { LocalNews, News } from '../http/news.ts';
import { unknownTransaction } from '../http/problem.ts';
import type { InvitationBook } from '../membership/invitation-book.ts';
import { createInviting } from '../membership/inviting.ts';
import { membershipOf, proposalWith } from '../membership/standing.ts';
import type { StoredCheckpoint } from '../storage/chain-db.ts';
import { epochProofOf } from '../storage/epoch-proofs.ts';
import { damageOf } from '../storage/storage-error.ts';
import type { ViewDb } from '../storage/view-db.ts';
import { createViewQueries, type FoundTransaction } from '../storage/view-queries.ts';
import type { Admission } from './admission.ts';
import { blockToView, checkpointToView, epochToView, signaturesOf, statementOf } from './chain-views.ts';
import { heldHeightOf } from './held-heights.ts';
import type { LedgerNews } from './messages.ts';
import type { ProvenChain } from './proven-chain.ts';
import type { ReceiptCheck } from './receipt-check.ts';
import type { Waiters } from './waiters.ts';

export type NodeEdgeParts = {
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly chain: ProvenChain;
  readonly view: ViewDb;
  readonly history: HistoryReader;
  readonly isReceiptSound: ReceiptCheck;
  readonly admission: Admission;
  readonly waiters: Waiters;
  readonly book: InvitationBook;
  /** Of this node. */
  readonly validatorId: string;
  /** Where this node listens for peers. */
  readonly listen: HostPort;
  /** Addresses that take the place of those on the ledger; null where none are set. */
  readonly addressesOf: (validatorId: string) => readonly string[] | null;
  readonly fence: MembershipPort['fence'];
  readonly unfence: MembershipPort['unfence'];
  readonly status: () => NodeStatus;
  readonly metrics: () => Promise<string>;
};

export type NodeEdge = EdgePort & {
  /** Whether this transaction was executed, whatever came of it. */
  isExecuted(id: Uint8Array): boolean;
  onNews(news: LedgerNews): void;
  onLocalNews(news: LocalNews): void;
  onStatus(): void;
  /** For a gateway that does not know its key's counter any more. */
  highestCounter(kid: Uint8Array): Promise<bigint | null>;
};

export function createNodeEdge(parts: NodeEdgeParts): NodeEdge {
  const { genesis, chain, view, history, admission, waiters } = parts;
  const queries = createViewQueries(chain, view);
  const listeners = new Set<(event: EdgeEvent) => void>();
  let certifiedHeight = chain.latestCertified()?.height ?? 0;

  const inviting = createInviting({
    book: parts.book,
    ledgerHash: parts.status().ledger.hash,
    ledgerName: genesis.name,
    genesis: parts.genesisBytes,
    inviter: parts.validatorId,
    peers: bootstrapPeers,
    memberName: (id) => readMember(chain.store, id)?.name ?? null,
    memberOfValidator: (id) =>
      membership().validators.find((one) => one.id === id && one.state !== 'removed')?.member ?? null,
    nowMs: Date.now,
  });

  /** Of the epoch that the next block belongs to. */
  function presentValidators(): readonly Validator[] {
    return chain.epochs.latest()?.validators ?? [];
  }

  /** This node first, then the others of the set, by id. */
  function bootstrapPeers(): BootstrapPeer[] {
    const { validatorId, listen, addressesOf } = parts;
    const own = `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`;
    const peers = presentValidators().map(({ id, linkKey, addresses }): BootstrapPeer => {
      // On the ledger stands what the others were told; a node that listens on all addresses knows no better.
      const isWildcard = listen.host === '0.0.0.0' || listen.host === '::';
      const known = id === validatorId && !isWildcard ? [own] : (addressesOf(id) ?? addresses);
      return { id, linkKey, addresses: known };
    });
    return peers.sort((a, b) => Number(b.id === validatorId) - Number(a.id === validatorId));
  }

  function membership(): MembershipView {
    return membershipOf(chain.store, { validators: presentValidators(), status: parts.status() });
  }

  function statusOf(id: Uint8Array): TransactionStatus | null {
    const found = queries.transactionById(id);
    if (found !== null) return foundToStatus(found);
    if (!admission.isPending(id)) return null;
    return {
      id,
      status: 'pending',
      code: null,
      message: null,
      height: null,
      position: null,
      leafIndex: null,
      certified: false,
      provenance: null,
      bytes: null,
    };
  }

  function foundToStatus(found: FoundTransaction): TransactionStatus {
    const isAccepted = found.leafIndex !== null;
    return {
      id: found.id,
      status: isAccepted ? 'accepted' : 'rejected',
      code: isAccepted ? null : found.code,
      message: found.message,
      height: found.height,
      position: found.position,
      leafIndex: found.leafIndex,
      certified: found.height <= certifiedHeight,
      provenance: found.provenance,
      bytes: found.bytes,
    };
  }

  /** The checkpoint of a height, or the next certified one above: either covers what the height holds. */
  function certifiedFrom(height: number): StoredCheckpoint | null {
    return height <= certifiedHeight ? chain.certifiedFrom(height) : null;
  }

  function receiptOf(found: FoundTransaction): Result<Uint8Array, CairnError> {
    if (found.leafIndex === null) {
      return fail({
        code: 'http.no-receipt',
        message: `the transaction was rejected (${found.code}): only accepted ones have receipts`,
      });
    }
    const checkpoint = certifiedFrom(found.height);
    const rows = checkpoint === null ? null : signaturesOf(chain, checkpoint);
    if (checkpoint === null || rows === null) {
      return fail({
        code: 'http.not-certified',
        message: 'the checkpoint over this transaction is not certified yet: ask again in a moment',
      });
    }
    const { historySize } = statementOf(checkpoint);
    const path = pathTo(found.leafIndex, historySize);
    const receipt = encodeBundle({ proof: { treeSize: historySize, leafIndex: found.leafIndex, path }, rows });
    if (parts.isReceiptSound(receipt, found.bytes, checkpoint.height)) return ok(receipt);
    throw damageOf('history', `leaf ${found.leafIndex} does not lead to what was certified`);
  }

  /** Where the chain was founded from a snapshot, the last blocks before it are here too, without what was in them. */
  function pathTo(leafIndex: number, size: number): Hash[] {
    try {
      return history.prove(leafIndex, size);
    } catch (cause) {
      if (!(cause instanceof AssertionFailed)) throw cause;
      throw damageOf('history', `the history cannot be read (${cause.message})`);
    }
  }

  /** What the ledger told of a block, and last of all that an epoch begins after it. */
  function newsAt(height: number): News[] | null {
    if (height < chain.newsHeldFrom() || height > (chain.tip()?.height ?? -1)) return null;
    const news = chain.newsOf(height);
    const { epoch, genesisHeight, validators, rules } = chain.epochs.at(height + 1);
    if (genesisHeight !== height || height === 0 || news === null) return news;
    const data = { epoch, fromHeight: height + 1, validators: validators.map(({ id }) => id), rules };
    return [...news, { kind: 'epoch-began', data }];
  }

  function nextNewsAfter(height: number): number | null {
    const tip = chain.tip()?.height ?? -1;
    if (height >= tip) return null;
    const from = chain.newsHeldFrom();
    if (height + 1 < from) return from - 1;
    // The first epoch begins with the genesis, which is no news.
    const epoch = chain.epochs.of(chain.epochs.at(Math.max(height, 0) + 1).epoch + 1);
    const heights = [chain.nextNewsHeight(height), epoch?.genesisHeight ?? null];
    return heights.reduce((first, each) => (each !== null && (first === null || each < first) ? each : first), null);
  }

  function heldFrom(): number {
    const founded = chain.foundedHeight();
    return founded === 0 ? 0 : founded + 1;
  }

  function blockAt(height: number, withTransactions: boolean): BlockView | null {
    const stored = chain.blockByHeight(height);
    if (stored === null || height < heldFrom() || height > view.progress().height) return null;
    return blockToView(chain, view, stored, withTransactions ? queries.transactionsOfBlock(height) : null);
  }

  function checkpointView(stored: StoredCheckpoint | null): CheckpointView | null {
    return stored === null ? null : checkpointToView(chain, stored);
  }

  function keyToView(key: LedgerKeyView): KeyView {
    return {
      kid: key.kid,
      algorithm: key.algorithm,
      role: key.role,
      publicKey: key.publicKey,
      registeredHeight: key.fromHeight,
      revokedHeight: key.untilHeight,
    };
  }

  function keysWhere(isWanted: (key: LedgerKeyView) => boolean): KeyView[] {
    return readKeys(chain.store).filter(isWanted).map(keyToView);
  }

  function accountToView(account: { id: string; balances: readonly { asset: string; amount: bigint }[] }): AccountView {
    return {
      id: account.id,
      balances: account.balances.map((balance) => ({
        ...balance,
        decimals: readAsset(chain.store, balance.asset)?.decimals ?? 0,
      })),
    };
  }

  return {
    isExecuted: (id) => queries.transactionById(id) !== null,
    submit: (transactions) => admission.submit(transactions),
    transaction: async (id) => statusOf(id),
    async receipt(id) {
      const found = queries.transactionById(id);
      if (found !== null) return receiptOf(found);
      if (admission.isPending(id))
        return fail({
          code: 'http.not-certified',
          message: 'the transaction is not in a block yet: ask again in a moment',
        });
      return fail(unknownTransaction(heldFrom()));
    },
    async waitFor(id, timeoutMs, signal) {
      const isDone = (status: TransactionStatus | null): boolean =>
        status !== null && status.status !== 'pending' && status.certified;
      const known = statusOf(id);
      if (isDone(known)) return known;
      await waiters.wait(id, known?.height ?? null, timeoutMs, signal);
      return statusOf(id);
    },
    block: async (height, withTransactions) => blockAt(height, withTransactions),
    heldHeight: async (height, withEdge) => heldHeightOf(chain, height, withEdge),
    news: async (height) => newsAt(height),
    nextNews: async (height) => nextNewsAfter(height),
    checkpoint: async (height) => checkpointView(chain.checkpoint(height)),
    latestCheckpoint: async () => checkpointView(chain.latestCertified()),
    heldFrom,
    async epochs(from, limit) {
      // One more than shown: with it comes how the last one shown ended.
      const stored = chain.epochs.page(from, limit + 1);
      const items = stored.slice(0, limit).map((epoch, i) => epochToView(chain, epoch, stored[i + 1] ?? null));
      return { items, next: stored[limit]?.epoch ?? null };
    },
    async epochProof(epoch) {
      const next = chain.epochs.of(epoch + 1);
      const proof = next === null ? null : epochProofOf(chain, next);
      return proof === null ? null : encodeEpochProof(proof);
    },
    validators: async () => presentValidators(),
    status: parts.status,
    async members(): Promise<MemberView[]> {
      return readMembers(chain.store).map(({ id, name }) => ({
        id,
        name,
        keys: keysWhere((key) => key.member === id && key.device === null),
      }));
    },
    async account(id) {
      const account = readAccount(chain.store, id);
      return account === null ? null : accountToView(account);
    },
    async accounts(page) {
      const all = readMembers(chain.store).flatMap((member) => readAccounts(chain.store, member.id));
      return pageOf(all, page, (account) => account.id, accountToView);
    },
    async device(id): Promise<DeviceView | null> {
      const device = readDevice(chain.store, id);
      if (device === null) return null;
      return {
        id,
        member: device.member,
        device: device.device,
        keys: keysWhere((key) => key.member === device.member && key.device === device.device),
      };
    },
    async devices(page) {
      return pageOf(
        readDevices(chain.store),
        page,
        (device) => device.id,
        ({ id, member, device }): DeviceView => ({
          id,
          member,
          device,
          keys: keysWhere((key) => key.member === member && key.device === device),
        }),
      );
    },
    async readings(device, request) {
      if (readDevice(chain.store, device) === null) return null;
      const page = queries.readings(device, request);
      if (!page.ok) return page;
      return ok({
        next: page.value.next,
        items: page.value.items.map(({ reading, ...found }) => ({
          device: found.device,
          name: reading.name,
          unit: reading.unit ?? null,
          timeMs: reading.timeMs,
          timeText: reading.timeText,
          value: reading.value,
          sumText: reading.sum?.text ?? null,
          provenance: found.provenance,
          transaction: found.transaction,
          height: found.height,
        })),
      });
    },
    genesis: () => parts.genesisBytes,
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    membership: async () => membership(),
    proposal: async (id) => proposalWith(chain.store, id),
    invite: async (input) => inviting.invite(input),
    invitations: async () => inviting.invitations(),
    cancelInvitation: async (id) => inviting.cancel(id),
    join: async (secret, request) => inviting.join(secret, request),
    fence: parts.fence,
    unfence: parts.unfence,
    metrics: parts.metrics,
    async highestCounter(kid) {
      return readKey(chain.store, kid) === null ? null : readReplayWindow(chain.store, kid).highest;
    },
    onLocalNews(news) {
      for (const listener of listeners) listener({ type: 'local', news });
    },
    onNews(news) {
      if (news.type === 'certified') {
        certifiedHeight = Math.max(certifiedHeight, news.height);
        return waiters.onCertified(certifiedHeight);
      }
      chain.noteExecuted(news);
      admission.onExecuted(news.ids);
      waiters.onExecuted(news.height, news.ids);
      if (news.height <= certifiedHeight) waiters.onCertified(certifiedHeight);
      for (const listener of listeners) listener({ type: 'block', height: news.height });
    },
    onStatus() {
      for (const listener of listeners) listener({ type: 'status', status: parts.status() });
    },
  };
}

/** One page of a list in the order of its ids; the cursor is the last id of the page before. */
function pageOf<T, V>(
  all: readonly T[],
  page: PageRequest,
  idOf: (item: T) => string,
  view: (item: T) => V,
): Result<Page<V>, CairnError> {
  const sorted = [...all].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const after = page.cursor;
  const rest = after === null ? sorted : sorted.filter((item) => idOf(item) > after);
  const items = rest.slice(0, page.limit);
  return ok({ items: items.map(view), next: rest.length > page.limit ? idOf(items.at(-1)!) : null });
}
