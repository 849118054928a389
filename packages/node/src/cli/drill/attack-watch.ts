/**
 * Watches one attack from the logs of all nodes: when it is noticed, by whom and how; when the node attacked no longer counts;
 * and who is accused.
 */
import type { Attack, Notice } from './attack.ts';
import type { LogLine } from './node-log.ts';

export type Noticed = { readonly atMs: number; readonly by: string; readonly how: string };

export type AttackWatch = {
  /** From this moment on. */
  begin(atMs: number): void;
  onLine(line: LogLine): void;
  /** What only the attacker sees, or who keeps its process: told now. */
  on(notice: Notice, by: string, how: string): void;
  /** Lines of this owner count as the target's. */
  readonly targetId: string;
  readonly beganMs: number;
  readonly noticed: Noticed | null;
  readonly shutOut: Noticed | null;
  /** There is a proof of fault against it. */
  readonly isProven: boolean;
  /** By what the node attacked says of its repairs; null where it said nothing. */
  readonly bytesFetched: number | null;
  readonly attack: Attack;
};

export type AttackWatchOptions = {
  readonly attack: Attack;
  readonly targetId: string;
  readonly restIds: readonly string[];
  readonly onNoticed: (noticed: Noticed) => void;
  readonly onShutOut: (shutOut: Noticed) => void;
};

export function createAttackWatch({ attack, targetId, restIds, ...tell }: AttackWatchOptions): AttackWatch {
  let beganMs = Number.POSITIVE_INFINITY;
  let noticed: Noticed | null = null;
  let shutOut: Noticed | null = null;
  let isProven = false;
  let bytesFetched: number | null = null;
  /** By whom the target is kept out, and why. */
  const suspendedAt = new Set<string>();
  const unreachableAt = new Set<string>();

  function note(notice: Notice, atMs: number, by: string, how: string): void {
    // The clock of a log has whole milliseconds.
    if (atMs < Math.floor(beganMs)) return;
    if (noticed === null && attack.noticedBy.includes(notice)) {
      noticed = { atMs, by, how };
      tell.onNoticed(noticed);
    }
    if (shutOut === null && attack.shutOutBy.includes(notice) && isShutOut(notice)) {
      shutOut = { atMs, by, how };
      tell.onShutOut(shutOut);
    }
  }

  /** What others decide counts once all of them have. */
  function isShutOut(notice: Notice): boolean {
    if (notice !== 'suspended' && notice !== 'unreachable') return true;
    const by = attack.shutOutBy;
    return restIds.every(
      (id) =>
        (by.includes('suspended') && suspendedAt.has(id)) || (by.includes('unreachable') && unreachableAt.has(id)),
    );
  }

  function onOwnLine({ event, fields, timeMs, owner }: LogLine): void {
    if (event === 'node.fenced') note('fenced', timeMs, owner, `signs nothing any more: ${textOf(fields.reason)}`);
    if (event === 'node.failed') note('failed', timeMs, owner, `stopped by itself: ${textOf(fields.code)}`);
    if (event === 'repair.done' && typeof fields.bytesFetched === 'number')
      bytesFetched = (bytesFetched ?? 0) + fields.bytesFetched;
    if (event === 'node.repairing') note('repaired', timeMs, owner, `repairs itself: ${textOf(fields.what)}`);
  }

  function onLineOfRest({ event, fields, timeMs, owner }: LogLine): void {
    if (event === 'fault.proven' && fields.accused === targetId) {
      isProven = true;
      note('proven', timeMs, owner, `holds a proof of fault: ${textOf(fields.kind)}`);
    }
    if (event === 'validator.suspended' && fields.validator === targetId) {
      suspendedAt.add(owner);
      note('suspended', timeMs, owner, 'suspended it, as the ledger says');
    }
    if (event === 'validator.cleared' && fields.validator === targetId) suspendedAt.delete(owner);
    if (event === 'link.down' && fields.peer === targetId) {
      unreachableAt.add(owner);
      note('unreachable', timeMs, owner, `lost the link: ${textOf(fields.reason)}`);
    }
    if (event === 'link.up' && fields.peer === targetId) unreachableAt.delete(owner);
    if (event === 'peer.second-instance' && fields.peer === targetId)
      note('refused', timeMs, owner, 'lets no second one in with its key');
    if ((event === 'message.refused' || event === 'peer.disconnected') && fields.peer === targetId)
      note('refused', timeMs, owner, `refused what it sends: ${textOf(fields.code)}`);
  }

  return {
    attack,
    targetId,
    begin(atMs) {
      beganMs = atMs;
    },
    onLine(line) {
      if (line.owner === targetId) onOwnLine(line);
      else if (restIds.includes(line.owner)) onLineOfRest(line);
    },
    on: (notice, by, how) => note(notice, Date.now(), by, how),
    get beganMs() {
      return beganMs;
    },
    get noticed() {
      return noticed;
    },
    get shutOut() {
      return shutOut;
    },
    get isProven() {
      return isProven;
    },
    get bytesFetched() {
      return bytesFetched;
    },
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'without a reason';
}
