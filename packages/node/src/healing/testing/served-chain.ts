/** Peers for tests: a real chain.db behind the code that serves it, and whatever a test puts in between. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createStateTree,
  decodeGenesis,
  decodeMessage,
  encodeMessage,
  type FrozenStateTree,
  type Hash,
  type Message,
} from '@cairn-ledger/core';
import type { MadeFolder } from '../../audit/testing/node-folder.ts';
import { orThrow } from '../../failure.ts';
import { openChainDb } from '../../storage/chain-db.ts';
import { serveFromStorage } from '../../threads/serve-from-storage.ts';
import { genesisToAnchor, type SyncAnchor } from '../known-epochs.ts';
import type { HealingPort } from '../peers.ts';
import { createSnapshotServer } from '../snapshot-server.ts';

/** What a node of this folder trusts. */
export function anchorOf({ dir }: Pick<MadeFolder, 'dir'>): SyncAnchor {
  const bytes = new Uint8Array(readFileSync(join(dir, 'genesis.cbor')));
  return genesisToAnchor(orThrow(decodeGenesis(bytes)), bytes);
}

export type Answering = (request: Message) => Message | null | 'silent';

export type ServedChain = ReturnType<typeof serveDatabase>;

export function serveChain({ dir, ledgerHash }: MadeFolder, now?: () => number, tree?: FrozenStateTree): ServedChain {
  return serveDatabase(join(dir, 'data', 'chain.db'), ledgerHash, now, tree);
}

/** @param tree in place of the one over the stored entries */
export function serveDatabase(
  path: string,
  ledgerHash: Hash,
  now: () => number = () => performance.now(),
  tree: FrozenStateTree | null = null,
) {
  const chain = orThrow(openChainDb(path, { ledgerHash }));
  const damage: string[] = [];
  const server = createSnapshotServer({
    path,
    chain,
    stateTree: { freeze: () => tree ?? createStateTree(chain.entries).freeze() },
    checkpointLag: 4,
    now,
    onDamage: (what) => damage.push(what),
  });
  const serve: Answering = (request) => server.serve(request) ?? serveFromStorage(chain, request);
  return {
    chain,
    server,
    serve,
    damage,
    close() {
      server.close();
      chain.close();
    },
  };
}

/** Everything goes through its encoding, as over a link. */
export function portTo(answering: Readonly<Record<string, Answering>>): HealingPort & { asked: [string, Message][] } {
  const asked: [string, Message][] = [];
  return {
    asked,
    peers: () => Object.keys(answering),
    ask(peer, request, signal) {
      const received = orThrow(decodeMessage(encodeMessage(request)));
      asked.push([peer, received]);
      const answer = answering[peer]!(received);
      if (answer === 'silent') {
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
      }
      if (answer === null) return Promise.resolve(null);
      const frame = encodeMessage(answer);
      return Promise.resolve({ message: orThrow(decodeMessage(frame)), bytes: frame.length });
    },
  };
}
