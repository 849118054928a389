/** How a node is, as it is told to people and programs: its mode, and whether it takes transactions. */
import { type CairnError, type Genesis, type Hash, type Outcome, unreachable } from '@cairn-ledger/core';
import type { Driver } from './driver/driver.ts';
import type { NodeMode, NodeStatus } from './http/edge-port.ts';
import type { Mempool } from './threads/mempool.ts';
import type { Transport } from './transport/transport.ts';
import { nodeVersion } from './version.ts';

/** Heights that execution may be behind without the node being called behind. */
const behindHeights = 8;

/** What the process is about; everything else its driver knows. */
export type Phase = 'starting' | 'running' | 'stopping';

export type StatusParts = {
  readonly id: string;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  readonly life: LifeState;
  readonly driver: Driver;
  readonly transport: Pick<Transport, 'peers'>;
  readonly mempool: Pick<Mempool, 'transactionsCount' | 'sizeBytes'>;
  /** Of the executed height. */
  readonly outcome: Outcome;
  readonly member: string | null;
  readonly uptimeMs: number;
};

/** An observer comes by each page of the chain by asking for it, which is how it keeps up. */
export function isBehind(driver: Driver): boolean {
  const { isSyncing, executedHeight, finalizedHeight } = driver.replica.status();
  return (isSyncing && driver.isMember) || executedHeight + behindHeights < finalizedHeight;
}

/** What a life is about, and whether it began after a repair and has yet to show that it comes to the same results as the others. */
export type LifeState = { readonly phase: Phase; readonly isObserving: boolean };

export function modeOf({ phase, isObserving }: LifeState, driver: Driver): NodeMode {
  if (phase !== 'running') return phase;
  const fences = driver.fences.filter((reason) => reason !== 'damaged' || !isObserving);
  if (fences.length > 0) return 'fenced';
  if (isBehind(driver)) return 'syncing';
  return driver.isMember && !isObserving ? 'active' : 'observing';
}

export function statusOf(parts: StatusParts): NodeStatus {
  const { driver, life, genesis, outcome, mempool } = parts;
  const { statement, timeMs } = outcome;
  const { set } = driver;
  const replica = driver.replica.status();
  const mode = modeOf(life, driver);
  const peers = parts.transport.peers();
  const validators = new Set(set.validators.map(({ id }) => id));
  const connected = peers.filter((peer) => peer.isConnected && validators.has(peer.id)).length;
  return {
    ledger: { name: genesis.name, hash: parts.ledgerHash },
    node: { id: parts.id, member: parts.member ?? '', version: nodeVersion },
    mode,
    fencedFor: mode === 'fenced' ? driver.fencedFor : null,
    inSync: mode === 'active' && connected + 1 >= set.quorum,
    epoch: replica.epoch,
    view: replica.view,
    rules: set.rules,
    finalizedHeight: replica.finalizedHeight,
    executedHeight: replica.executedHeight,
    certifiedHeight: replica.certifiedHeight,
    blockTimeMs: timeMs,
    historySize: statement.historySize,
    historyRoot: statement.historyRoot,
    stateRoot: statement.stateRoot,
    // The edge thread knows these: it reads them from the view.
    transactions: 0,
    readings: 0,
    mempool: { transactions: mempool.transactionsCount, sizeBytes: mempool.sizeBytes },
    validators: set.validators.length,
    quorum: set.quorum,
    suspended: replica.suspended.map((validator) => set.validators[validator]!.id),
    uptimeMs: parts.uptimeMs,
    peers: peers.map((peer) => ({ id: peer.id, connected: peer.isConnected, height: null, roundTripMs: peer.rttMs })),
  };
}

/** Why no transactions are taken at present; null when they are. */
export function refusalOf(life: LifeState, driver: Driver): CairnError | null {
  const mode = modeOf(life, driver);
  switch (mode) {
    case 'active':
      return null;
    // Sealing needs no results: what is handed in meanwhile is ordered all the same.
    case 'syncing':
      return driver.isMember && driver.fences.length === 0 ? null : syncing;
    case 'fenced':
      return {
        code: 'node.fenced',
        message: 'the node signs nothing at present, and so cannot take transactions: send to another node',
      };
    case 'stopping':
      return { code: 'node.stopping', message: 'the node is stopping: send to another node' };
    case 'starting':
      return { code: 'node.starting', message: 'the node is starting: send again in a few seconds' };
    case 'observing':
      return {
        code: 'node.observing',
        message: 'the node follows the chain and signs nothing at present: send to another node',
      };
    case 'repairing':
      return syncing;
    default:
      return unreachable(mode);
  }
}

const syncing: CairnError = {
  code: 'node.syncing',
  message: 'the node is catching up: send to another node, or again later',
};
