/**
 * What this node knows of its safety record as a whole (protocol.md sections 3 and 6): the mark of the highest it has signed, what of
 * that is remembered, and the life number, which tells one record of a validator from another.
 */
import {
  type CheckpointStatement,
  epochOfVote,
  equalBytes,
  type JournalRecord,
  type ReplicaOrigin,
  type View,
  viewOfVote,
} from '@cairn-ledger/core';
import type { EpochView } from './epoch-view.ts';
import { isAhead, nothingSigned, raiseMark, type Signed, type SigningMark, voteRank } from './signing-mark.ts';

/** Public keys, 32 bytes each. */
export type OwnKeys = { readonly voting: Uint8Array; readonly checkpoint: Uint8Array };

export class SafetyRecord {
  #view: EpochView;
  /** What this node signs votes, and checkpoints, with. */
  readonly #keys: OwnKeys;
  /** Something was signed in an epoch above the one that storage has come to: then storage lost what led there. */
  #isStorageBehind = false;
  #mark: SigningMark;
  readonly #isMarkLost: boolean;
  /** The highest that storage and the restored records show as signed. */
  #remembered: SigningMark;
  /** The life number of this record; null for the first one of a validator of the genesis. */
  #life: Uint8Array | null = null;
  /** What the journal holds durably of it: only that may be told to others. */
  #durableLife: Uint8Array | null = null;
  /**
   * The last own batch and checkpoint stay in the journal although the replica needs them no more: so a journal alone,
   * without the databases, remembers the highest that was signed.
   */
  #lastSealed: JournalRecord | null = null;
  #lastCheckpoint: { readonly type: 'own-checkpoint'; readonly statement: CheckpointStatement } | null = null;

  /** @param mark null where none is kept beside the keys: then nothing is known of what was signed before */
  constructor(view: EpochView, origin: ReplicaOrigin, keys: OwnKeys, mark: SigningMark | null) {
    this.#view = view;
    this.#keys = keys;
    this.#mark = mark ?? nothingSigned;
    this.#isMarkLost = mark === null;
    this.#remembered = {
      epoch: origin.set.epoch,
      view: 0,
      seq: origin.floors[view.self]?.seq ?? 0,
      checkpointHeight: origin.executed.height,
    };
  }

  onEpoch(view: EpochView): void {
    this.#view = view;
  }

  // --- Records ------------------------------------------------------------------------------------------------------

  /** A record of the journal, which is durable. */
  restore(record: JournalRecord): void {
    for (const signed of this.#signedBy(record)) this.#remembered = raiseMark(this.#remembered, signed);
    const epoch =
      record.type === 'own-vote'
        ? epochOfVote(record.vote)
        : record.type === 'own-checkpoint'
          ? record.statement.epoch
          : 0;
    if (epoch > this.#view.set.epoch) this.#isStorageBehind = true;
    this.note(record);
    if (record.type !== 'life') return;
    this.#life = record.life;
    this.#durableLife = record.life;
  }

  /** A record goes into the journal. */
  note(record: JournalRecord): void {
    if (record.type === 'batch') {
      const { author, epoch } = record.batch.header;
      if (author === this.#view.self && epoch === this.#view.set.epoch) this.#lastSealed = record;
    }
    if (record.type !== 'own-checkpoint') return;
    const height = this.#lastCheckpoint?.statement.height ?? 0;
    if (record.statement.height >= height) this.#lastCheckpoint = record;
  }

  /** What a journal that begins anew must hold beside what the replica does. */
  *liveRecords(): Iterable<JournalRecord> {
    if (this.#life !== null) yield { type: 'life', life: this.#life };
    if (this.#lastSealed !== null) yield this.#lastSealed;
    if (this.#lastCheckpoint !== null) yield this.#lastCheckpoint;
  }

  // --- The mark -----------------------------------------------------------------------------------------------------

  /** Whether more was signed than is remembered, as far as the mark says. */
  hasForgotten(lastFinalized: View): boolean {
    // Nothing is signed for a view at or below a finalized one, so what was forgotten there cannot be contradicted.
    const finalized = { epoch: this.#view.set.epoch, view: lastFinalized, vote: voteRank.finalize };
    // Votes of a later epoch cannot be put back into a replica of this one, and must not be cast again when it gets there.
    if (this.#isMarkLost || this.#isStorageBehind || this.#mark.epoch > this.#view.set.epoch) return true;
    return isAhead(this.#mark, raiseMark(this.#remembered, finalized));
  }

  /** The mark once all of this is signed; null where it says so already. */
  raise(records: Iterable<JournalRecord>): SigningMark | null {
    const before = this.#mark;
    for (const record of records)
      for (const signed of this.#signedBy(record)) this.#mark = raiseMark(this.#mark, signed);
    return this.#mark === before ? null : this.#mark;
  }

  /**
   * What the journal holds may be sent from now on, also what was never sent before the last stop: the mark must know it. Null where
   * it says so already.
   */
  raiseToRemembered(): SigningMark | null {
    const { epoch, view, vote, seq, checkpointHeight } = this.#remembered;
    const voted = vote === undefined ? { epoch, view } : { epoch, view, vote };
    const before = this.#mark;
    if (view > 0) this.#mark = raiseMark(this.#mark, voted);
    if (seq > 0) this.#mark = raiseMark(this.#mark, { epoch, seq });
    this.#mark = raiseMark(this.#mark, { checkpointHeight });
    return this.#mark === before ? null : this.#mark;
  }

  /** What a record says that this node has signed. */
  #signedBy(record: JournalRecord): Signed[] {
    switch (record.type) {
      case 'own-vote':
        return [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];
      case 'own-checkpoint':
        return [{ checkpointHeight: record.statement.height }];
      case 'batch': {
        const { author, epoch, seq } = record.batch.header;
        return author === this.#view.self && epoch === this.#view.set.epoch ? [{ epoch, seq }] : [];
      }
      default:
        return [];
    }
  }

  // --- The life number ----------------------------------------------------------------------------------------------

  /** What `ready` must carry so that this node may sign again; null where nothing was lost. */
  get life(): Uint8Array | null {
    return this.#durableLife;
  }

  get hasLife(): boolean {
    return this.#life !== null;
  }

  /** Whether the set names the life number of this record, and its key; so too where it does not name this node. */
  get isOwnLife(): boolean {
    if (!this.#view.isMember) return true;
    const { life: named, votingKey, checkpointKey } = this.#view.set.validators[this.#view.self]!;
    if (!equalBytes(votingKey, this.#keys.voting) || !equalBytes(checkpointKey, this.#keys.checkpoint)) return false;
    return named === null || this.#life === null ? named === this.#life : equalBytes(named, this.#life);
  }

  /** Begins another life. The number counts once its record is durable. */
  beginLife(life: Uint8Array): JournalRecord {
    this.#life = life;
    return { type: 'life', life };
  }

  onLifeDurable(life: Uint8Array): void {
    this.#durableLife = life;
  }
}
