/**
 * What an attack is, for the drill: how it is made, by what it is noticed, and by what its node no longer counts. One file each
 * in `attacks/`.
 */
import type { DrillNetwork, DrillNode } from './drill-network.ts';

export const attackNames = [
  'tamper',
  'bitrot',
  'wipe',
  'rollback',
  'twin',
  'equivocate',
  'silence',
  'partition',
  'flood',
  'steal-key',
] as const;
export type AttackName = (typeof attackNames)[number];

/**
 * How an attack is noticed. `fenced`: the node attacked signs nothing any more. `repaired`: it found damage and mends it.
 * `failed`: it stopped by itself. `proven`: others hold a proof of fault. `suspended`: the ledger says so. `unreachable`: its
 * links are down. `refused`: what the attacker sends is refused.
 */
export type Notice = 'fenced' | 'repaired' | 'failed' | 'proven' | 'suspended' | 'unreachable' | 'refused';

export type AttackScene = {
  readonly network: DrillNetwork;
  /** The node attacked. */
  readonly target: DrillNode;
  /** Those that nobody attacks. */
  readonly rest: readonly DrillNode[];
  readonly signal: AbortSignal;
  /** Something that only the attacker sees: what it sends is refused. */
  refused(how: string): void;
  /** Reads another log too, as that of the node attacked: that of a second instance. */
  watchLog(path: string): void;
  tell(line: string): void;
};

export type AttackUnderWay = {
  /** Milliseconds since 1970. */
  readonly beganMs: number;
  /** Null where it was the matter of a moment. */
  readonly end: (() => Promise<void>) | null;
};

export type Attack = {
  readonly name: AttackName;
  /** What the attacker does, for people. */
  readonly what: string;
  readonly noticedBy: readonly Notice[];
  /** By what the node, or the attacker, is shut out. */
  readonly shutOutBy: readonly Notice[];
  /** Whether it shows only when the agreed window is over, not at once. */
  readonly isWindowed: boolean;
  /** Its keys may sign what no honest node signs; a proof against it accuses nobody wrongly. */
  readonly mayBeProven: boolean;
  /** What the node had taken in and not handed on is lost with its disk, or was never meant: its 202 promises nothing. */
  readonly voidsOwnPromises: boolean;
  /** The keys have to be replaced by a vote of the members, whatever was noticed. */
  readonly needsNewKeys: boolean;
  /** It leaves nothing behind: neither data nor keys suffer, so it may be made on a network that somebody uses. */
  readonly isHarmless: boolean;
  /** How long it goes on at least, where what it does shows only with time. */
  readonly holdMs?: number;
  /** Before the network is measured. */
  readonly prepare?: (scene: AttackScene) => Promise<void>;
  readonly begin: (scene: AttackScene) => Promise<AttackUnderWay>;
};
