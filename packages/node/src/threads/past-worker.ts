/**
 * Past thread: while a node lives with a chain that was founded on a certified state, it collects what was before, into a file beside
 * chain.db, and ends. Peers are asked by the main thread, which alone has the links.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { decodeGenesis, decodeMessage, encodeMessage, sha256 } from '@cairn-ledger/core';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { errorOf, orThrow } from '../failure.ts';
import { type ChainFile, openChainFile } from '../healing/chain-file.ts';
import { collectPast } from '../healing/collect-past.ts';
import { createPeers, type HealingPort, type PeerAnswer, type Peers } from '../healing/peers.ts';
import { damagedPathOf } from '../healing/replace-file.ts';
import { openScratchFile } from '../healing/scratch-file.ts';
import { pastPathOf } from '../storage/past-merge.ts';
import type { FromPast, PastSettings, ToPast } from './messages.ts';
import { yieldToAgreement } from './thread-priority.ts';

/** After an attempt in which nobody had something of it, as where only a few peers are linked yet. */
const firstPauseMs = 500;
const longestPauseMs = 300_000;
const linkPollMs = 100;
/** Of what peers answer: the replica of this node asks them as well, and they execute blocks. */
const peersShare = 0.25;

installNodeSha256();
yieldToAgreement();
const port = parentPort!;
const { path, genesis: genesisBytes, restarts } = workerData as PastSettings;
const genesis = orThrow(decodeGenesis(genesisBytes));
const ledgerHash = sha256(genesisBytes);
const stopping = new AbortController();
const post = (message: FromPast): void => port.postMessage(message);
const asked = new Map<number, (answer: PeerAnswer | null) => void>();
let linked: readonly string[] = [];
let number = 0;

const healing: HealingPort = {
  peers: () => linked,
  ask(peer, request, signal) {
    const own = ++number;
    return new Promise((resolve) => {
      const settle = (answer: PeerAnswer | null): void => {
        signal.removeEventListener('abort', onAborted);
        asked.delete(own);
        resolve(answer);
      };
      const onAborted = (): void => {
        post({ type: 'abandon', number: own });
        settle(null);
      };
      if (signal.aborted) return resolve(null);
      asked.set(own, settle);
      signal.addEventListener('abort', onAborted, { once: true });
      post({ type: 'ask', number: own, peer, request: encodeMessage(request) });
    });
  },
};

port.on('message', (message: ToPast) => {
  switch (message.type) {
    case 'peers':
      linked = message.ids;
      return;
    case 'answer': {
      const { frame } = message;
      const decoded = frame === null ? null : decodeMessage(frame);
      return asked.get(message.number)?.(decoded?.ok ? { message: decoded.value, bytes: frame!.length } : null);
    }
    case 'stop':
      return stopping.abort(new Error('the node is stopping'));
  }
});

run().finally(() => port.close());

async function run(): Promise<void> {
  const onWrong = (peer: string, what: string): void => post({ type: 'refused', peer, what });
  for (let attempt = 0; !stopping.signal.aborted; attempt++) {
    const { deltaMs } = genesis.parameters;
    const peers = createPeers({ port: healing, signal: stopping.signal, onWrong, deltaMs, share: peersShare });
    try {
      while (linked.length === 0) await pause(linkPollMs);
      if (await collectWith(peers)) return post({ type: 'collected', bytesFetched: peers.bytesFetched() });
    } catch (cause) {
      if (!stopping.signal.aborted) post({ type: 'problem', error: errorOf(cause, 'the past thread') });
    }
    await pause(Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt, 10))).catch(() => undefined);
  }
}

function pause(ms: number): Promise<void> {
  return sleep(ms, undefined, { signal: stopping.signal });
}

async function collectWith(peers: Peers): Promise<boolean> {
  const founded = orThrow(openChainFile(path, { readOnly: true }));
  let past: ChainFile | null = null;
  const source = openSource();
  try {
    past = openScratchFile(pastPathOf(path), ledgerHash);
    const anchor = { genesis, ledgerHash, restarts };
    return await collectPast({ founded, past, source, anchor, peers, verifier: sodiumVerifier });
  } finally {
    past?.close();
    source?.close();
    founded.close();
  }
}

/** The chain of before, where it was replaced and can still be opened. */
function openSource(): ChainFile | null {
  const damaged = damagedPathOf(path);
  const opened = existsSync(damaged) ? openChainFile(damaged, { readOnly: true }) : null;
  return opened?.ok ? opened.value : null;
}
