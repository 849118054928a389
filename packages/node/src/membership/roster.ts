/**
 * Ledger thread: whom this node links with, and how it stands itself, as the ledger has it (protocol.md sections 5 and 6).
 *
 * Let in are the validators of the present epoch, of the one before and of the one that the ledger wants; those that are
 * admitted; and whoever has an active key of role `node`: they follow, and ask. Peers are named by the id of their validator;
 * a key that is not the one its validator votes with now, by that key.
 */
import {
  type AdmissionView,
  equalBytes,
  keyId,
  keyToPath,
  type ListingStore,
  type Parameters,
  pathToKey,
  readAdmissions,
  readAttestations,
  readKey,
  readKeys,
  readParameters,
  readPresence,
  readReady,
  readReplayWindow,
  readSuspensionsOf,
  readValidators,
  type SuspensionCause,
  toHex,
  type Validator,
  type Write,
} from '@cairn-ledger/core';
import { guestsMax } from '../driver/epoch-view.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { PeerAddress } from '../transport/transport.ts';

export type Roster = {
  readonly peers: readonly PeerAddress[];
  readonly parameters: Parameters;
  readonly own: OwnStanding;
  /** Validators of the present set whose views may be skipped. */
  readonly suspended: readonly { readonly validator: string; readonly cause: SuspensionCause }[];
  /** Somebody is admitted, or wants to return, and is not in the set that way yet. */
  readonly isSomebodyWaiting: boolean;
};

/** How the ledger has this node. */
export type OwnStanding = {
  /** The member it is of; null while the ledger knows nothing of it. */
  readonly member: string | null;
  /** Admitted with its own link key, and not in the set that way yet. */
  readonly isAdmitted: boolean;
  /** The life number of the last `ready` that still counts. */
  readonly readyLife: Uint8Array | null;
  /** Height of its last sign of life, at most 100 heights late; null when there was none. */
  readonly presentHeight: number | null;
  /** Highest counter that its link key has used. */
  readonly counter: bigint;
  /** What it has said last of others, where that still stands on the ledger. */
  readonly words: readonly {
    readonly validator: string;
    readonly verdict: 'suspect' | 'clear';
    readonly height: number;
  }[];
};

/** Where epochs come from: the chain database. */
export type RosterEpochs = {
  latest(): { readonly epoch: number; readonly validators: readonly Validator[] } | null;
  of(epoch: number): { readonly validators: readonly Validator[] } | null;
};

export type RosterKeeper = {
  roster(): Roster;
  /** Takes in what a block has changed; null when nothing of the roster has. */
  onWrites(writes: readonly Write[], isEpochNew: boolean): Roster | null;
};

type NodeKey = { readonly kid: Uint8Array; readonly publicKey: Uint8Array; readonly member: string };

/** Beginnings of paths on which the roster depends, besides those of node keys. */
const watched = [
  'validator',
  'admission',
  'ready/',
  'presence/',
  'attestations/',
  'suspensions',
  'parameters',
  'set-agenda',
].map(pathToKey);
const keyPrefix = pathToKey('key/');
const kidAt = keyPrefix.length;

/** The name of a peer that its link key alone tells; no validator can have it. */
export function guestIdOf(kid: Uint8Array): string {
  return `key:${toHex(kid)}`;
}

/** @param self the id in this node's configuration, and its link key */
export function createRosterKeeper(
  store: ListingStore,
  epochs: RosterEpochs,
  self: { readonly id: string; readonly linkKey: Uint8Array },
): RosterKeeper {
  const nodeKeys = new Map<string, NodeKey>();
  for (const key of readKeys(store)) noteKey(key);

  function noteKey({ kid, role, publicKey, member, untilHeight }: ReturnType<typeof readKeys>[number]): boolean {
    const name = toHex(kid);
    if (role === 'node' && untilHeight === null) {
      nodeKeys.set(name, { kid, publicKey, member });
      return true;
    }
    return nodeKeys.delete(name);
  }

  function isNodeKeyChange(key: Uint8Array): boolean {
    const kid = Buffer.from(keyToPath(key.subarray(kidAt)), 'hex');
    const record = readKey(store, new Uint8Array(kid));
    return record !== null && noteKey(record);
  }

  function roster(): Roster {
    const present = epochs.latest();
    const parameters = readParameters(store);
    if (present === null || parameters === null)
      throw new StorageError('storage.damaged', 'the chain has no epoch or no parameters: repair it from peers');
    const previous = epochs.of(present.epoch - 1)?.validators ?? [];
    const target = readValidators(store);
    const admissions = readAdmissions(store);
    const known = [...present.validators, ...target, ...previous, ...admissions.map(({ validator }) => validator)];
    return {
      peers: peersOf(known, nodeKeys.values()),
      parameters,
      own: ownStanding(known, admissions),
      suspended: readSuspensionsOf(store, present.validators).map(({ validator, cause }) => ({ validator, cause })),
      isSomebodyWaiting: admissions.length > 0 || present.validators.some(({ id }) => readReady(store, id) !== null),
    };
  }

  function ownStanding(known: readonly Validator[], admissions: readonly AdmissionView[]): OwnStanding {
    const kid = keyId('ed25519', self.linkKey);
    const isOwn = ({ id, linkKey }: Validator): boolean => id === self.id && equalBytes(linkKey, self.linkKey);
    const ready = readReady(store, self.id);
    return {
      member: known.find(isOwn)?.member ?? nodeKeys.get(toHex(kid))?.member ?? null,
      isAdmitted: admissions.some(({ validator }) => isOwn(validator)),
      readyLife: ready !== null && equalBytes(ready.linkKey, self.linkKey) ? ready.life : null,
      presentHeight: readPresence(store).find(({ validator }) => validator === self.id)?.height ?? null,
      counter: readReplayWindow(store, kid).highest ?? 0n,
      words: readAttestations(store)
        .filter(({ by }) => by === self.id)
        .map(({ validator, verdict, height }) => ({ validator, verdict, height })),
    };
  }

  return {
    roster,
    onWrites(writes, isEpochNew) {
      let hasChanged = isEpochNew;
      for (const { key } of writes) {
        if (startsWith(key, keyPrefix)) hasChanged = isNodeKeyChange(key) || hasChanged;
        else if (!hasChanged) hasChanged = watched.some((prefix) => startsWith(key, prefix));
      }
      return hasChanged ? roster() : null;
    },
  };
}

/**
 * Of one id the first keeps it, in the order given; of one key there is one peer. Of those whom a key alone lets in there are at most
 * `guestsMax`, one of each member before a second one of any: no member keeps others out with many keys.
 */
export function peersOf(validators: readonly Validator[], nodeKeys: Iterable<NodeKey>): PeerAddress[] {
  const peers: PeerAddress[] = [];
  const ids = new Set<string>();
  const keys = new Set<string>();
  const add = (id: string, linkKey: Uint8Array, addresses: readonly string[]): void => {
    const name = toHex(linkKey);
    if (ids.has(id) || keys.has(name)) return;
    ids.add(id);
    keys.add(name);
    peers.push({ id, linkKey, addresses });
  };
  for (const { id, linkKey, addresses } of validators) {
    if (!ids.has(id)) add(id, linkKey, addresses);
    else add(guestIdOf(keyId('ed25519', linkKey)), linkKey, []);
  }
  let guests = 0;
  for (const { kid, publicKey } of inTurns(nodeKeys)) {
    if (guests >= guestsMax) break;
    const before = peers.length;
    if (publicKey.length === 32) add(guestIdOf(kid), publicKey, []);
    if (peers.length > before) guests++;
  }
  return peers;
}

/** The first key of each member, then the second of each, and so on. */
function inTurns(nodeKeys: Iterable<NodeKey>): NodeKey[] {
  const turns: NodeKey[][] = [];
  const counts = new Map<string, number>();
  for (const key of nodeKeys) {
    const turn = counts.get(key.member) ?? 0;
    counts.set(key.member, turn + 1);
    turns[turn] ??= [];
    turns[turn].push(key);
  }
  return turns.flat();
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && equalBytes(key.subarray(0, prefix.length), prefix);
}
