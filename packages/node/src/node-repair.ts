/**
 * The repair stage of a node (protocol.md section 6): between two lives, when nothing else has its files open, it links with its
 * peers and mends what is kept from what they have, each piece verified against what a quorum signed. A chain that is missing
 * is founded from a certified state. The view is made anew from the chain by the next life.
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CairnError,
  type CheckpointSignature,
  equalBytes,
  fail,
  type Message,
  quorum,
  type Result,
  toHeight,
} from '@cairn-ledger/core';
import type { Founding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { sodiumVerifier } from './crypto/sodium-verifier.ts';
import { nothingSigned } from './driver/signing-mark.ts';
import { isFinalization, quorumOf } from './healing/certified.ts';
import { anchorEpochs, genesisToAnchor, type KnownEpoch, type SyncAnchor, TwoFutures } from './healing/known-epochs.ts';
import { createLinkPort } from './healing/link-port.ts';
import { createPeers, isNothing, isTrue, type Peers } from './healing/peers.ts';
import { type ChainRepair, repairChain } from './healing/repair-chain.ts';
import { createRepairServer } from './healing/repair-server.ts';
import { repairView } from './healing/repair-view.ts';
import type { HealingProgress } from './healing/report.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { noteRolledBack } from './keys/rolled-back.ts';
import { signingMarkPath } from './keys/signing-mark-file.ts';
import { isMarkedUnused } from './keys/unused-record.ts';
import type { Log } from './logging.ts';
import { peersToLink } from './node-peers.ts';
import { finishReplacement, hasChainFile } from './storage/chain-replacement.ts';
import { createTlsTransport } from './transport/tls-transport.ts';
import type { PeerAddress } from './transport/transport.ts';

export type RepairParts = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly log: Log;
  /** Ends the stage. */
  readonly signal: AbortSignal;
  /** As the ledger had them last; null where nothing of it is known. */
  readonly known: readonly PeerAddress[] | null;
  readonly onProgress: (progress: HealingProgress) => void;
  /** The chain is whole, and a newer state is looked for. */
  readonly isBehind?: boolean;
};

export type MendParts = Pick<RepairParts, 'config' | 'founding' | 'isBehind' | 'log' | 'onProgress'>;

type LinkedParts = RepairParts & {
  /** What peers are told that ask; absent: nothing. */
  readonly reply?: (request: Message, peer: string) => Message | null;
};

const linkPollMs = 250;
/** So long a quorum must go on saying that it has no snapshot: one peer may be too busy to give its own just then. */
const quietMs = 2_000;
/** So long a peer's word counts: who has heard enough begins, and answers again a little later. */
const wordMs = 15_000;
/** After what a peer offered could not be had to its end. */
const failurePauseMs = 5_000;
/** So long nobody may have a snapshot before a node makes do with blocks. Around a change of the set there is none for some seconds. */
const noStateMs = 30_000;
/** Between two lines in the log while a node waits for its peers. */
const waitingLogMs = 30_000;
/** Journals that were found damaged and moved aside; beyond, the first ones stay and the newest is written over. */
const asideMax = 8;

/** Requests of one peer that a node under repair answers: a steady rate, and as many at once. */
const repliesPerSecond = 200;
const repliesBurst = 400;

/**
 * Mends the chain, or founds it where there is none. Waits for peers as long as it takes, and answers them meanwhile from what still
 * proves itself: they may be under repair as well.
 *
 * Errors: those of `repairChain`; `anchor.two-futures`, which only people can decide. Throws the signal's reason.
 */
export async function repairNode(parts: RepairParts): Promise<Result<ChainRepair, CairnError>> {
  const path = chainPathOf(parts.config);
  finishReplacement(path);
  const server = createRepairServer(path, anchorOf(parts.founding), sodiumVerifier);
  const replies = createRateLimit(repliesPerSecond, repliesBurst);
  const reply = (request: Message, peer: string): Message | null =>
    replies.take(peer, performance.now()) > 0 ? null : server.reply(request);
  try {
    return await withPeers({ ...parts, reply }, async (peers) => {
      await untilLinked(peers, parts.log);
      return mendFrom(peers, parts, () => server.close());
    });
  } finally {
    server.close();
  }
}

function anchorOf({ genesis, genesisBytes, anchor, restarts }: Founding): SyncAnchor {
  return genesisToAnchor(genesis, genesisBytes, anchor, restarts);
}

/**
 * Mends what is kept from these peers, as far as they have it: the chain, and the view by being made anew. As `repairNode`.
 *
 * @param onReplacing before another file takes the place of chain.db: nobody may have that open then
 */
export async function mendFrom(
  peers: Peers,
  parts: MendParts,
  onReplacing: () => void = () => undefined,
): Promise<Result<ChainRepair, CairnError>> {
  const repaired = await repairWith(chainPathOf(parts.config), peers, parts, onReplacing);
  if (repaired.ok) repairView(join(parts.config.dataDir, 'view.db'));
  return repaired;
}

/**
 * For a node that has no chain: founds one from what a peer has, and waits for peers as long as it takes. Null where a quorum of the
 * genesis, this node included, has no snapshot, and nobody proves that there are blocks: the network is new, and all begin at the genesis. `held` where others have a chain, and
 * this node executes all of it itself: because it wants to, or because none of them has a state that a quorum has certified, as in a
 * network that stands still.
 *
 * Errors: as for `repairNode`, but for those that another try mends. Throws the signal's reason.
 */
export async function foundFromPeers(
  parts: RepairParts,
  patienceMs = noStateMs,
): Promise<Result<ChainRepair, CairnError> | 'held' | null> {
  const { config, founding, log } = parts;
  const { validators } = founding.genesis;
  const path = chainPathOf(config);
  const isSelf = ({ id }: { readonly id: string }): boolean => id === config.validatorId;
  const othersNeeded = quorum(validators.length) - (validators.some(isSelf) ? 1 : 0);
  const waiting = createWaitingLog(log);
  const saidNoneMs = new Map<string, number>();
  let quietSinceMs: number | null = null;
  let noStateSinceMs: number | null = null;
  // Others may wait as this one does: that it has nothing either is what they need to know.
  return withPeers({ ...parts, reply: saysNoSnapshot }, async (peers) => {
    for (;;) {
      const snapshots = await peers.askAll({ type: 'request-snapshot', from: toHeight(1) }, (answer) =>
        answer.type === 'snapshot' ? isTrue(answer.snapshot !== null) : isNothing,
      );
      let pauseMs = linkPollMs;
      if ([...snapshots.values()].includes(true)) {
        if (config.sync === 'full') return 'held';
        const founded = await repairWith(path, peers, parts);
        // A view of an earlier chain is none of this one.
        if (founded.ok) repairView(join(config.dataDir, 'view.db'));
        if (founded.ok || !isForAnotherTry(founded.error)) return founded;
        log.warn('repair.failed', { code: founded.error.code, message: founded.error.message });
        pauseMs = failurePauseMs;
      }
      const nowMs = performance.now();
      for (const [peer, has] of snapshots) {
        if (has) saidNoneMs.delete(peer);
        else saidNoneMs.set(peer, nowMs);
      }
      const isNoState = snapshots.size > 0 && ![...snapshots.values()].includes(true);
      noStateSinceMs = isNoState ? (noStateSinceMs ?? nowMs) : null;
      if (noStateSinceMs !== null && nowMs - noStateSinceMs >= patienceMs && (await hasFirstBlocks(peers)))
        return 'held';
      const isWithout = ({ id }: { readonly id: string }): boolean =>
        nowMs - (saidNoneMs.get(id) ?? Number.NEGATIVE_INFINITY) < wordMs;
      const without = validators.filter((each) => !isSelf(each) && isWithout(each)).length;
      quietSinceMs = without < othersNeeded ? null : (quietSinceMs ?? nowMs);
      if (othersNeeded === 0) return null;
      if (quietSinceMs !== null && nowMs - quietSinceMs >= quietMs)
        return (await hasBegun(peers, anchorOf(founding))) ? 'held' : null;
      waiting.tell(peers, { without, othersNeeded });
      await sleep(pauseMs, undefined, { signal: peers.signal });
    }
  });
}

/** Whether some peer has the chain from its beginning on. */
async function hasFirstBlocks(peers: Peers): Promise<boolean> {
  const found = await peers.askAny({ type: 'request-chain', from: toHeight(1) }, (answer) =>
    answer.type === 'chain' && answer.blocks[0]?.header.height === 1 ? isTrue(true) : isNothing,
  );
  return found === true;
}

/**
 * Whether some peer proves that the network is not new. Those that have a chain have no state to offer while a change of the set waits,
 * and where nothing is certified.
 */
async function hasBegun(peers: Peers, anchor: SyncAnchor): Promise<boolean> {
  const [first] = anchorEpochs(anchor) as [KnownEpoch];
  const { ledgerHash } = anchor;
  const [certified, final] = await Promise.all([
    peers.askAll({ type: 'request-checkpoint', height: toHeight(1) }, (answer) => {
      const signatures = answer.type === 'checkpoint-signatures' ? answer.signatures : [];
      const isProof = ({ statement }: CheckpointSignature): boolean =>
        statement.height > 0 &&
        equalBytes(statement.ledgerHash, ledgerHash) &&
        quorumOf(statement, signatures, first, sodiumVerifier) !== null;
      return signatures.some(isProof) ? isTrue(true) : isNothing;
    }),
    peers.askAll({ type: 'request-chain', from: toHeight(1) }, (answer) => {
      const last = answer.type === 'chain' ? answer.blocks.at(-1) : undefined;
      const isProof =
        answer.type === 'chain' &&
        last !== undefined &&
        isFinalization(answer.finalization, last, first, ledgerHash, sodiumVerifier);
      return isProof ? isTrue(true) : isNothing;
    }),
  ]);
  return certified.size + final.size > 0;
}

/** What peers may have a little later. */
export function isForAnotherTry({ code }: CairnError): boolean {
  return code === 'snapshot.unavailable' || code === 'repair.no-peers';
}

/** Whether anything is left of what a node has signed, beside its chain. */
export function hasRecord(config: NodeConfig, ledgerHash: Uint8Array): boolean {
  return existsSync(signingMarkPath(config.keysDir, ledgerHash)) || existsSync(join(config.dataDir, 'journal'));
}

export function hasChain(config: NodeConfig): boolean {
  return hasChainFile(chainPathOf(config));
}

export function isInGenesis({ validatorId }: NodeConfig, { genesis }: Pick<Founding, 'genesis'>): boolean {
  return genesis.validators.some(({ id }) => id === validatorId);
}

/**
 * Whether a node that has no chain is to be given one. Keys of a validator of the genesis that lie here alone were used elsewhere, unless the
 * network is new.
 */
export function isToBeFounded(config: NodeConfig, founding: Pick<Founding, 'genesis' | 'ledgerHash'>): boolean {
  if (hasChain(config)) return false;
  const isOfGenesis = isInGenesis(config, founding);
  const isUsed = hasRecord(config, founding.ledgerHash) || (isOfGenesis && !isMarkedUnused(config.dataDir));
  if (config.sync === 'full') return isOfGenesis && isUsed;
  return isUsed || config.bootstrap !== undefined || config.sync === 'state';
}

/** Moves a journal that cannot be read aside, for people to look at, and notes it as lost. Throws what the system throws. */
export function setJournalAside(config: NodeConfig): string {
  // First: a crash in between must not leave a node without its record that does not know so.
  noteRolledBack(config.dataDir, nothingSigned);
  const journal = join(config.dataDir, 'journal');
  for (let number = 1; ; number++) {
    const aside = `${journal}.damaged-${number}`;
    if (existsSync(aside) && number < asideMax) continue;
    renameSync(journal, existsSync(aside) ? `${aside}-${Date.now()}` : aside);
    return aside;
  }
}

function chainPathOf(config: NodeConfig): string {
  return join(config.dataDir, 'chain.db');
}

async function repairWith(
  path: string,
  peers: Peers,
  { founding, log, onProgress, isBehind = false }: MendParts,
  onReplacing: () => void = () => undefined,
): Promise<Result<ChainRepair, CairnError>> {
  try {
    return await repairChain({
      path,
      anchor: anchorOf(founding),
      peers,
      verifier: sodiumVerifier,
      isBehind,
      onReplacing,
      onDamage: (kind, height, what) => log.warn('repair.found', { kind, height, what }),
      onProgress,
    });
  } catch (cause) {
    if (cause instanceof TwoFutures) return fail({ code: 'anchor.two-futures', message: cause.message });
    throw cause;
  }
}

/** Links with peers for as long as `use` takes. */
async function withPeers<T>(parts: LinkedParts, use: (peers: Peers) => Promise<T>): Promise<T> {
  const { config, founding, log, signal, known } = parts;
  const { keys, genesis, ledgerHash } = founding;
  const port = createLinkPort((peer, channel, frame) => transport.send(peer, channel, frame), parts.reply);
  const transport = createTlsTransport({
    id: config.validatorId,
    linkSecretKey: keys.link.secretKey,
    ledgerHash,
    listen: config.listen,
    peers: peersToLink({
      selfId: config.validatorId,
      selfKey: keys.link.publicKey,
      known: known ?? genesis.validators,
      bootstrap: config.bootstrap ?? [],
      overrides: config.peers ?? {},
    }),
    events: {
      onFrame: (peer, _channel, frame) => port.onFrame(peer, frame),
      onConnected: (peer) => {
        log.info('link.up', { peer });
        port.onConnected(peer);
      },
      onDisconnected: (peer, reason) => {
        log.info('link.down', { peer, reason });
        port.onDisconnected(peer);
      },
    },
  });
  try {
    await transport.start();
    const onWrong = (peer: string, what: string): void => log.warn('repair.refused', { peer, what });
    return await use(createPeers({ port, signal, onWrong, deltaMs: genesis.parameters.deltaMs }));
  } finally {
    await transport.stop();
  }
}

async function untilLinked(peers: Peers, log: Log): Promise<void> {
  const waiting = createWaitingLog(log);
  while (peers.inOrder().length === 0) {
    waiting.tell(peers, {});
    await sleep(linkPollMs, undefined, { signal: peers.signal });
  }
}

function saysNoSnapshot({ type }: Message): Message | null {
  return type === 'request-snapshot' ? { type: 'snapshot', snapshot: null } : null;
}

type WaitingLog = { tell(peers: Peers, facts: Readonly<Record<string, unknown>>): void };

/** A line at the beginning, if it takes longer than a moment, and one every half minute. */
function createWaitingLog(log: Log): WaitingLog {
  const sinceMs = performance.now();
  let toldMs = sinceMs - waitingLogMs + quietMs;
  return {
    tell(peers, facts) {
      const nowMs = performance.now();
      if (nowMs - toldMs < waitingLogMs) return;
      toldMs = nowMs;
      log.info('node.waiting', { linked: peers.inOrder(), ...facts, seconds: Math.round((nowMs - sinceMs) / 1_000) });
    },
  };
}
