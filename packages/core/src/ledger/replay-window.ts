/**
 * Replay window of one key (wire-format.md section 3, after RFC 4303 section 3.4.3): the highest counter seen, and which
 * of the 4,096 below it were not. Any unseen counter within the window or above it is accepted, once; so several gateways
 * may deliver out of order, and a device may skip. A key that was never used stands at highest -1 with nothing below, so
 * its first counter may be anything up to 2^32 - 1.
 *
 * Unseen counters are kept as ranges of distances below the highest, nearest first: a well-behaved device has none, and
 * the worst device at most 2,048.
 *
 *     Window = [ highest: uint, * (gap, length) ]   ; gap: seen counters passed before the range, length: unseen ones in it
 */
import type { Cbor, Encodable } from '../bytes/cbor.ts';
import { requireShape, uintOf } from '../bytes/shape.ts';
import { assert } from '../result.ts';

/** How many counters below the highest one are remembered. */
export const windowSize = 4096;
/** A counter may be at most this much above the highest one. */
export const counterJumpMax = 1n << 32n;

export type ReplayWindow = {
  /** The highest counter seen; -1n before the first. */
  readonly highest: bigint;
  /** Flat pairs (near, far) of inclusive distances below `highest`, ascending, never touching each other. */
  readonly unseen: readonly number[];
};

export type WindowRefusal = 'replayed' | 'too-old' | 'jump';

export const emptyWindow: ReplayWindow = { highest: -1n, unseen: [] };

/** Why `counter` may not be consumed; null when it may. */
export function refusalOf(window: ReplayWindow, counter: bigint): WindowRefusal | null {
  const ahead = counter - window.highest;
  if (ahead > 0n) return ahead > counterJumpMax ? 'jump' : null;
  if (-ahead > windowSize) return 'too-old';
  return isUnseen(window.unseen, Number(-ahead)) ? null : 'replayed';
}

/** The window after `counter` was consumed; `refusalOf` must have let it pass. */
export function consumeCounter(window: ReplayWindow, counter: bigint): ReplayWindow {
  assert(refusalOf(window, counter) === null, 'only a counter that passes the window is consumed');
  const ahead = counter - window.highest;
  if (ahead <= 0n) return { highest: window.highest, unseen: withoutDistance(window.unseen, Number(-ahead)) };
  if (ahead === 1n && window.unseen.length === 0) return { highest: counter, unseen: window.unseen };
  return { highest: counter, unseen: shifted(window.unseen, ahead > windowSize ? windowSize + 1 : Number(ahead)) };
}

export function windowToCbor(window: ReplayWindow): Encodable {
  const items: Encodable[] = [window.highest];
  let passed = 0;
  for (let i = 0; i < window.unseen.length; i += 2) {
    const near = window.unseen[i]!;
    const far = window.unseen[i + 1]!;
    items.push(near - passed - 1, far - near + 1);
    passed = far;
  }
  return items;
}

/** Reads what `windowToCbor` wrote. For use inside `readShape` or `decodeShape`. */
export function readWindow(value: Cbor): ReplayWindow {
  requireShape(Array.isArray(value) && value.length % 2 === 1, 'a window must be an array of odd length');
  const highest = value[0]!;
  requireShape(typeof highest === 'number' || typeof highest === 'bigint', 'the highest counter must be an integer');
  const unseen: number[] = [];
  let passed = 0;
  for (let i = 1; i < value.length; i += 2) {
    const near = passed + uintOf(value[i]!, 'gap', windowSize) + 1;
    const far = near + uintOf(value[i + 1]!, 'length', windowSize) - 1;
    requireShape(far >= near && far <= windowSize, 'a range must lie within the window');
    unseen.push(near, far);
    passed = far;
  }
  return { highest: BigInt(highest), unseen };
}

function isUnseen(unseen: readonly number[], distance: number): boolean {
  for (let i = 0; i < unseen.length; i += 2) {
    if (distance < unseen[i]!) return false;
    if (distance <= unseen[i + 1]!) return true;
  }
  return false;
}

function withoutDistance(unseen: readonly number[], distance: number): number[] {
  const rest: number[] = [];
  for (let i = 0; i < unseen.length; i += 2) {
    const near = unseen[i]!;
    const far = unseen[i + 1]!;
    if (distance < near || distance > far) {
      rest.push(near, far);
      continue;
    }
    if (near < distance) rest.push(near, distance - 1);
    if (distance < far) rest.push(distance + 1, far);
  }
  return rest;
}

/** Moves every range `ahead` further away, drops what leaves the window, and adds the skipped counters in between. */
function shifted(unseen: readonly number[], ahead: number): number[] {
  const moved: number[] = [];
  if (ahead > 1) moved.push(1, Math.min(ahead - 1, windowSize));
  for (let i = 0; i < unseen.length; i += 2) {
    const near = unseen[i]! + ahead;
    if (near > windowSize) break;
    moved.push(near, Math.min(unseen[i + 1]! + ahead, windowSize));
  }
  return moved;
}
