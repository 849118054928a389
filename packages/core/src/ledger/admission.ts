/**
 * What must hold before anything in a transaction counts (wire-format.md section 3), in this order: its key is registered
 * and in force, its algorithm fits the key, it is meant for this ledger, it has not expired, and its counter passes the
 * window of the key. (The signature comes last, at the caller's: it is what costs most.)
 *
 * A transaction that passes all of these uses up its counter, whether or not the rest of it applies; otherwise an old
 * transfer that failed could be revived when money arrives.
 */
import { toHex } from '../bytes/hex.ts';
import { coseAlgorithmsOf } from '../crypto/keys.ts';
import type { Transaction } from '../model/transaction.ts';
import { type CairnError, ok, type Result } from '../result.ts';
import { type ErrorCode, refuse } from './errors.ts';
import type { Actor } from './permissions.ts';
import { absentWindow, type KeyRecord, keyKind, paths, windowKind } from './records.ts';
import { consumeCounter, type ReplayWindow, refusalOf, type WindowRefusal } from './replay-window.ts';
import type { WorkingState } from './working-state.ts';

/** Where and when a transaction would be, or is, executed. */
export type Moment = { readonly timeMs: number; readonly height: number };

export type Admitted = {
  readonly key: KeyRecord;
  readonly actor: Actor;
  /** The window of the key before the counter is used up. */
  readonly window: ReplayWindow;
  readonly windowPath: string;
};

const windowErrors: Readonly<Record<WindowRefusal, ErrorCode>> = {
  replayed: 'tx.replayed',
  'too-old': 'tx.counter-too-old',
  jump: 'tx.counter-jump',
};

export function admit(
  state: WorkingState,
  { header }: Transaction,
  { timeMs, height }: Moment,
  audience: string,
): Result<Admitted, CairnError> {
  const kid = toHex(header.kid);
  const key = state.get(keyKind, paths.key(kid));
  if (key === null) return refuse('tx.unknown-key', `kid ${kid}`);
  if (height < key.fromHeight) return refuse('tx.key-not-effective', `from height ${key.fromHeight}`);
  if (key.untilHeight !== null && height >= key.untilHeight) {
    return refuse('tx.revoked-key', `from height ${key.untilHeight}`);
  }
  if (!coseAlgorithmsOf(key.algorithm).includes(header.alg)) {
    return refuse('tx.wrong-algorithm', `alg ${header.alg} with a key for ${key.algorithm}`);
  }
  if (header.audience !== audience) return refuse('tx.wrong-ledger', `aud must be ${audience}`);
  // Equal to timeMs >= 1000 * exp, without a product that may leave the safe integers.
  const timeSeconds = (timeMs - (timeMs % 1000)) / 1000;
  if (header.expiresSeconds !== undefined && timeSeconds >= header.expiresSeconds) {
    return refuse('tx.expired', `exp ${header.expiresSeconds}, block time ${timeSeconds}`);
  }
  const windowPath = paths.window(kid);
  const window = state.get(windowKind, windowPath) ?? absentWindow;
  const refusal = refusalOf(window, header.counter);
  if (refusal !== null) return refuse(windowErrors[refusal], `counter ${header.counter}, highest ${window.highest}`);
  const actor = { kid: header.kid, role: key.role, member: key.member, device: key.device };
  return ok({ key, actor, window, windowPath });
}

/** Uses up the counter of a transaction that was admitted and whose signature holds. */
export function useCounter(state: WorkingState, { header }: Transaction, { window, windowPath }: Admitted): void {
  state.set(windowKind, windowPath, consumeCounter(window, header.counter));
}
