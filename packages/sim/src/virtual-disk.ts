/**
 * What survives a crash of a simulated node, and how it gets damaged. The journal is kept as the groups of records that
 * one sync made durable; where its bytes matter (a flipped bit, a write at the wrong place) they are made and read back
 * with the production layout of frames, so that the production checks decide what is noticed.
 */
import type {
  Batch,
  Block,
  Certificate,
  CheckpointSignature,
  CheckpointStatement,
  JournalRecord,
  Outcome,
  ProvenFault,
} from '@cairn-ledger/core';
import type { SigningMark } from '@cairn-ledger/node/driver';
import {
  bytesToRecord,
  chainStart,
  checkFrame,
  createPendingFrame,
  decodeFrameHeader,
  frameBytesOf,
  frameHeaderBytes,
  recordsOf,
  recordToBytes,
} from '@cairn-ledger/node/journal-frame';
import type { Random } from './random.ts';
import type { Policy } from './virtual-policy.ts';

export type Executed = {
  readonly block: Block;
  readonly batches: readonly Batch[];
  readonly finalization: Certificate | null;
  readonly misbehaviour: readonly ProvenFault[];
  readonly outcome: Outcome;
  /** What the ledger wants after this block. */
  readonly policy: Policy;
  /** Ids of the validators that the block accuses. */
  readonly accused: readonly string[];
  /** The members ended the epoch with it. */
  readonly isRestart?: boolean;
};

type Contents = {
  /** One group for each sync. */
  readonly journal: readonly (readonly JournalRecord[])[];
  readonly executed: readonly Executed[];
  readonly certified: ReadonlyMap<number, readonly CheckpointSignature[]>;
  readonly certifiedHeight: number;
  readonly mark: SigningMark | null;
};

/** What becomes of a sync: the node crashes just before it, in the middle (some records are kept), or just after. */
export type SyncFate = 'whole' | 'crash-before' | 'crash-torn' | 'crash-after';

export class VirtualDisk {
  journal: (readonly JournalRecord[])[] = [];
  executed: Executed[] = [];
  certified = new Map<number, readonly CheckpointSignature[]>();
  certifiedHeight = 0;
  /** Beside the keys, apart from everything else: no fault of the disk touches it. */
  mark: SigningMark | null = { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 };
  /** What the next sync comes to. */
  nextSync: SyncFate = 'whole';
  /** The first height of which its software has another result than it should; none, where it is sound. */
  wrongFrom = Number.POSITIVE_INFINITY;
  /** Rounds that the operator has recorded, beside the keys: "the L heights above are of this round". */
  rounds: { readonly above: number; readonly round: number }[] = [];
  /** While set, writes fail. */
  isFull = false;
  /** While set, syncs are said to be done and nothing is kept. */
  isLying = false;
  /** Groups that a lying disk has not really kept. */
  #unkeptGroups = 0;
  #yesterday: Contents | null = null;

  append(records: readonly JournalRecord[]): void {
    if (records.length === 0) return;
    this.journal.push(records);
    this.#unkeptGroups = this.isLying ? this.#unkeptGroups + 1 : 0;
  }

  /** A quorum has signed the own result in a later round. */
  keepRound(statement: CheckpointStatement): void {
    const own = this.executed[statement.height - 1];
    if (own === undefined || own.outcome.statement.round === statement.round) return;
    this.executed[statement.height - 1] = { ...own, outcome: { ...own.outcome, statement } };
  }

  records(): JournalRecord[] {
    return this.journal.flat();
  }

  /** The journal begins anew with what still matters. */
  compact(records: Iterable<JournalRecord>): void {
    this.journal = [[...records]];
    this.#unkeptGroups = 0;
  }

  onCrash(): void {
    if (this.#unkeptGroups > 0) this.journal.length = Math.max(0, this.journal.length - this.#unkeptGroups);
    this.#unkeptGroups = 0;
  }

  takeSnapshot(): void {
    const { journal, executed, certified, certifiedHeight, mark } = this;
    this.#yesterday = {
      journal: [...journal],
      executed: [...executed],
      certified: new Map(certified),
      certifiedHeight,
      mark,
    };
  }

  /** Puts the snapshot back; the mark beside the keys stays, unless the whole machine is put back. Returns whether there was one. */
  rollBack(isWholeMachine = false): boolean {
    const before = this.#yesterday;
    if (before === null) return false;
    this.journal = [...before.journal];
    this.executed = [...before.executed];
    this.certified = new Map(before.certified);
    this.certifiedHeight = before.certifiedHeight;
    if (isWholeMachine) this.mark = before.mark;
    return true;
  }

  /** Everything is gone but what lies beside the keys; that as well where it is asked for. */
  lose(isMarkLost: boolean): void {
    const { mark } = this;
    this.wipe();
    this.mark = isMarkLost ? null : mark;
  }

  /** As if it had never run. */
  wipe(): void {
    this.journal = [];
    this.executed = [];
    this.certified = new Map();
    this.certifiedHeight = 0;
    this.mark = { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 };
  }

  /** Flips one bit of the journal, or copies some of its bytes over others. Returns whether reading it back notices. */
  damageJournal(random: Random, kind: 'bit-flip' | 'misdirected-write'): boolean {
    const bytes = journalToBytes(this.journal);
    if (bytes.length === 0) return false;
    if (kind === 'bit-flip') {
      const at = random.integer(0, bytes.length - 1);
      bytes[at] = bytes[at]! ^ (1 << random.integer(0, 7));
    } else {
      const length = Math.min(random.integer(16, 512), bytes.length >> 1);
      const from = random.integer(0, bytes.length - length);
      const to = random.integer(0, bytes.length - length);
      if (bytes.subarray(from, from + length).equals(bytes.subarray(to, to + length))) return false;
      bytes.copyWithin(to, from, from + length);
    }
    const read = bytesToJournal(bytes);
    if (read === null) return true;
    this.journal = read;
    return false;
  }
}

function journalToBytes(groups: readonly (readonly JournalRecord[])[]): Buffer {
  const frames: Buffer[] = [];
  let chain = chainStart;
  let sequence = 0;
  for (const records of groups) {
    const frame = createPendingFrame();
    for (const record of records) {
      const { type, payload } = recordToBytes(record);
      frame.add(type, payload);
    }
    const finished = frame.finish(sequence, chain);
    frames.push(Buffer.from(finished.bytes));
    chain = finished.chain;
    sequence += finished.recordCount;
  }
  return Buffer.concat(frames);
}

/** Null at the first frame that is not what was written. */
function bytesToJournal(bytes: Buffer): JournalRecord[][] | null {
  const groups: JournalRecord[][] = [];
  let chain = chainStart;
  for (let at = 0; at < bytes.length; ) {
    const header = decodeFrameHeader(bytes.subarray(at, at + frameHeaderBytes));
    if (header === null || at + frameBytesOf(header) > bytes.length) return null;
    const frame = bytes.subarray(at, at + frameBytesOf(header));
    const checked = checkFrame(frame, chain);
    if ('wrong' in checked) return null;
    const group: JournalRecord[] = [];
    for (const { type, payload } of recordsOf(frame, header) ?? []) {
      const record = bytesToRecord(type, payload);
      if (!record.ok) return null;
      group.push(record.value);
    }
    groups.push(group);
    chain = checked.chain;
    at += frame.length;
  }
  return groups;
}
