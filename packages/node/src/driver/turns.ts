/**
 * The turns of a driver: effects come in as they are decided, with the records that they need; one sync makes the records of a turn
 * durable; then its effects are performed, in order. What comes during the sync belongs to the next turn. So nothing is performed
 * before what it depends on is durable.
 *
 * A failed append or sync is final: nothing is performed from then on.
 */
import type { Effect, JournalRecord } from '@cairn-ledger/core';
import type { EpochView } from './epoch-view.ts';
import type { DriverPorts } from './ports.ts';
import { recordOf } from './records-of-effects.ts';

/** An effect, and the epoch in which it was decided. */
export type Decided = { readonly effect: Effect; readonly view: EpochView };

export class Turns {
  readonly #ports: Pick<DriverPorts, 'journal' | 'defer' | 'onFailed'>;
  readonly #perform: (turn: readonly Decided[]) => void;
  /** Effects of turns that are not durable yet, in order; and those of the turn whose sync is under way. */
  #waiting: Decided[] = [];
  #underWay: readonly Decided[] = [];
  #hasUnsyncedRecords = false;
  #isSyncing = false;
  #isFlushPlanned = false;
  #isStopped = false;

  constructor(ports: Pick<DriverPorts, 'journal' | 'defer' | 'onFailed'>, perform: (turn: readonly Decided[]) => void) {
    this.#ports = ports;
    this.#perform = perform;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Nothing is performed from here on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Takes in an effect; `plan` follows. */
  add(decided: Decided, record: JournalRecord | null): void {
    if (record !== null) {
      this.#ports.journal.append(record);
      this.#hasUnsyncedRecords = true;
    }
    this.#waiting.push(decided);
  }

  /** Performs what waits, once the work at hand is done and its records are durable. */
  plan(): void {
    if (this.#waiting.length === 0 || this.#isFlushPlanned || this.#isSyncing) return;
    this.#isFlushPlanned = true;
    this.#ports.defer(() => this.#flush());
  }

  /** Records of what is decided and not yet performed. */
  *records(): Iterable<JournalRecord> {
    for (const { effect } of [...this.#underWay, ...this.#waiting]) {
      const record = recordOf(effect);
      if (record !== null) yield record;
    }
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isStopped || this.#isSyncing) return;
    const turn = this.#waiting;
    this.#waiting = [];
    if (!this.#hasUnsyncedRecords) return this.#performAll(turn);
    this.#hasUnsyncedRecords = false;
    this.#isSyncing = true;
    this.#underWay = turn;
    this.#ports.journal.sync((error) => {
      this.#isSyncing = false;
      this.#underWay = [];
      if (this.#isStopped) return;
      if (error !== null) {
        this.stop();
        this.#ports.onFailed(error);
        return;
      }
      this.#performAll(turn);
    });
  }

  #performAll(turn: readonly Decided[]): void {
    this.#perform(turn);
    if (!this.#isStopped) this.plan();
  }
}
