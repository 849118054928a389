/**
 * The repair stage of a node (protocol.md section 6): between two lives, when nothing else has its files open, it links with its
 * peers and mends what is kept from what they have, each piece verified against what a quorum signed. A chain that is missing
 * is founded from a certified state. The view is made anew from the chain by the next life.
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CairnError, fail, type Result, toHeight } from '@cairn-ledger/core';
import type { Founding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { sodiumVerifier } from './crypto/sodium-verifier.ts';
import { genesisToAnchor, TwoFutures } from './healing/known-epochs.ts';
import { createLinkPort } from './healing/link-port.ts';
import { createPeers, isNothing, isTrue, type Peers } from './healing/peers.ts';
import { type ChainRepair, repairChain } from './healing/repair-chain.ts';
import { repairView } from './healing/repair-view.ts';
import type { HealingProgress } from './healing/report.ts';
import type { Log } from './logging.ts';
import { peersToLink } from './node-peers.ts';
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
};

const linkPollMs = 250;
/** How long a node that has no chain waits for somebody who has one, before it begins at the genesis. */
const elsewhereWaitMs = 15_000;
/** Journals that were found damaged and moved aside; beyond, the first ones stay and the newest is written over. */
const asideMax = 8;

/**
 * Mends the chain, or founds it where there is none. Waits for peers as long as it takes.
 *
 * Errors: those of `repairChain`; `anchor.two-futures`, which only people can decide. Throws the signal's reason.
 */
export async function repairNode(parts: RepairParts): Promise<Result<ChainRepair, CairnError>> {
  const path = chainPathOf(parts.config);
  return withPeers(parts, async (peers) => {
    await untilLinked(peers);
    const repaired = await repairWith(path, peers, parts);
    if (repaired.ok) repairView(join(parts.config.dataDir, 'view.db'));
    return repaired;
  });
}

/**
 * For a node that has no chain: founds one from what a peer has, if there is any within a while. Null where there is none: all
 * begin at the genesis.
 */
export async function foundFromPeers(parts: RepairParts): Promise<Result<ChainRepair, CairnError> | null> {
  const path = chainPathOf(parts.config);
  return withPeers(parts, async (peers) => {
    if (!(await hasSnapshot(peers))) return null;
    return repairWith(path, peers, parts);
  });
}

export function hasChain(config: NodeConfig): boolean {
  const path = chainPathOf(config);
  return existsSync(path) || existsSync(`${path}.next`);
}

/** Moves a journal that cannot be read aside, for people to look at. Throws what the system throws. */
export function setJournalAside(config: NodeConfig): string {
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
  { founding, log, onProgress }: RepairParts,
): Promise<Result<ChainRepair, CairnError>> {
  const { genesis, genesisBytes } = founding;
  try {
    return await repairChain({
      path,
      anchor: genesisToAnchor(genesis, genesisBytes),
      peers,
      verifier: sodiumVerifier,
      onDamage: (kind, height, what) => log.warn('repair.found', { kind, height, what }),
      onProgress,
    });
  } catch (cause) {
    if (cause instanceof TwoFutures) return fail({ code: 'anchor.two-futures', message: cause.message });
    throw cause;
  }
}

/** Links with peers for as long as `use` takes. */
async function withPeers<T>(parts: RepairParts, use: (peers: Peers) => Promise<T>): Promise<T> {
  const { config, founding, log, signal, known } = parts;
  const { keys, genesis, ledgerHash } = founding;
  const port = createLinkPort((peer, channel, frame) => transport.send(peer, channel, frame));
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
    return await use(createPeers({ port, signal, onWrong }));
  } finally {
    await transport.stop();
  }
}

async function untilLinked(peers: Peers): Promise<void> {
  while (peers.inOrder().length === 0) await sleep(linkPollMs, undefined, { signal: peers.signal });
}

async function hasSnapshot(peers: Peers): Promise<boolean> {
  const deadline = performance.now() + elsewhereWaitMs;
  while (performance.now() < deadline) {
    const found = await peers.askAny({ type: 'request-snapshot', from: toHeight(1) }, (answer) =>
      answer.type === 'snapshot' && answer.snapshot !== null ? isTrue(true) : isNothing,
    );
    if (found !== null) return true;
    await sleep(linkPollMs, undefined, { signal: peers.signal });
  }
  return false;
}
