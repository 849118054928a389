/** Whom a node links with: those the ledger lets in, and those it was told to ask while it knows no better. */
import { equalBytes, toHex } from '@cairn-ledger/core';
import type { BootstrapPeer } from './config/node-config.ts';
import type { PeerAddress } from './transport/transport.ts';

export type PeerSources = {
  readonly selfId: string;
  readonly selfKey: Uint8Array;
  /** As the ledger has them. */
  readonly known: readonly PeerAddress[];
  /** Of the configuration; none once the node is at the tip of the chain. */
  readonly bootstrap: readonly BootstrapPeer[];
  /** Addresses that take the place of those on the ledger, by id. */
  readonly overrides: Readonly<Record<string, readonly string[]>>;
};

export function peersToLink({ selfId, selfKey, known, bootstrap, overrides }: PeerSources): PeerAddress[] {
  const peers = [...bootstrap.filter(({ linkKey }) => !known.some((each) => equalBytes(each.linkKey, linkKey)))];
  for (const peer of known) {
    // Whom the node was told to ask may have other keys by now than the genesis has; the older ones stay known.
    const isRenamed = peers.some(({ id }) => id === peer.id);
    peers.push(isRenamed ? { ...peer, id: `key:${toHex(peer.linkKey.subarray(0, 8))}` } : peer);
  }
  return peers
    .filter(({ id, linkKey }) => id !== selfId && !equalBytes(linkKey, selfKey))
    .map(({ id, linkKey, addresses }) => ({ id, linkKey, addresses: overrides[id] ?? addresses }));
}
