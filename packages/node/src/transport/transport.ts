/**
 * How nodes reach each other: the port. Links are authenticated end to end by keys pinned on the ledger, whatever
 * carries them (architecture.md, "Transport"; wire-format.md section 5). Two implementations: `tls-transport.ts` for
 * real networks, `memory-transport.ts` for several nodes inside one process.
 *
 * A frame is opaque here. It arrives whole, in order within its channel, or not at all: frames are lost when a queue is
 * full or a link breaks, and whoever needs one again asks again after `onConnected`.
 */
import type { LinkReason } from './link-reason.ts';

/** Id of a validator; `key:` and the kid of its link key for a peer that is known by that alone (membership/roster.ts). */
export type PeerId = string;

/** `control`: votes, certificates, requests. `bulk`: batches, blocks, state. Each has a connection of its own. */
export type Channel = 'control' | 'bulk';
export const CHANNELS: readonly Channel[] = ['control', 'bulk'];

/** The longest frame of a channel, in bytes. A longer one announced by a peer closes its link. */
export const FRAME_BYTES_MAX: Readonly<Record<Channel, number>> = { control: 1 << 20, bulk: 8 << 20 };

/** What may wait to be sent to one peer on one channel, in bytes. What does not fit is dropped and counted. */
export const QUEUE_BYTES_MAX: Readonly<Record<Channel, number>> = { control: 4 << 20, bulk: 16 << 20 };

/** A peer as the ledger knows it. */
export type PeerAddress = {
  readonly id: PeerId;
  /** Ed25519 public key of its links: 32 bytes. */
  readonly linkKey: Uint8Array;
  /** `host:port` or `[ipv6]:port`, tried in turn. May be empty: then the peer has to come to us. */
  readonly addresses: readonly string[];
};

/**
 * What a transport tells its owner. Calls come from the event loop, never from within a call of the owner's own, and
 * must not throw: an exception here is our bug and stops the node.
 */
export type TransportEvents = {
  /**
   * One whole frame. The bytes stay valid and are never written to again; they may be a view of a received chunk of up
   * to 16 KiB, so keep a copy of what is both small and kept for long. May come before `onConnected`: one channel is
   * up earlier than the other.
   */
  readonly onFrame: (peer: PeerId, channel: Channel, frame: Uint8Array) => void;
  /** Both channels are up. Comes again, after `onDisconnected`, when a link was replaced: frames may have been lost. */
  readonly onConnected: (peer: PeerId) => void;
  /** After `onConnected`: at least one of the channels is down. */
  readonly onDisconnected: (peer: PeerId, reason: LinkReason) => void;
  /** Another instance with a peer's key was refused, since that peer is linked and present. Comes with every attempt. */
  readonly onSecondInstance?: (peer: PeerId) => void;
};

export type ChannelCounters = {
  readonly isUp: boolean;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Frames not sent because the queue was full or the link down. */
  readonly drops: number;
  readonly queuedBytes: number;
  /** Links that came up, less the first. */
  readonly reconnects: number;
};

export type PeerStatus = {
  readonly id: PeerId;
  readonly isConnected: boolean;
  readonly channels: Readonly<Record<Channel, ChannelCounters>>;
  /** Smoothed round-trip time on the control channel, including the peer's event loop; null until measured. */
  readonly rttMs: number | null;
  readonly rttMinMs: number | null;
  /** Why a link, or an attempt to make one, ended last; `detail` may carry a peer's words: show it, never act on it. */
  readonly lastClose: { readonly reason: LinkReason; readonly detail: string } | null;
};

/** For metrics: what is not tied to one peer. */
export type TransportCounters = {
  /** Links and attempts that ended, by reason, since start. */
  readonly closes: Readonly<Record<LinkReason, number>>;
  /** Connections that were let in to prove who they are. */
  readonly accepted: number;
  /** Connections that have not yet proved who they are. */
  readonly pending: number;
};

export interface Transport {
  /** Listens and dials. Rejects when the listening address cannot be had. */
  start(): Promise<void>;
  /** Closes every link and stops listening; no event comes after it resolves. */
  stop(): Promise<void>;
  /**
   * Queues a frame; it leaves at the end of this turn of the event loop, with all others of the turn. The frame must not
   * be changed afterwards.
   *
   * @returns false when it was dropped: the channel is down, its queue full or the peer unknown
   */
  send(peer: PeerId, channel: Channel, frame: Uint8Array): boolean;
  peers(): PeerStatus[];
  counters(): TransportCounters;
  /** Replaces the list of peers. Links of those who left, or whose key changed, are closed. */
  updatePeers(list: readonly PeerAddress[]): void;
  /** Closes the links of a peer and neither dials nor admits it for `backoffMs`. `reason` is told to the peer. */
  disconnect(peer: PeerId, reason: string, backoffMs: number): void;
  /**
   * Stops (or resumes) reading from a peer's channel, when its owner cannot keep up; the peer's queue then fills up and
   * drops. Frames of the chunk being read still come. Does nothing while the channel is down; a new link is not held.
   */
  holdReading(peer: PeerId, channel: Channel, isHeld: boolean): void;
}
