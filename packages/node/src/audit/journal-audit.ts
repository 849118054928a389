/**
 * The journal: every frame, every record, every signature that it holds, and whether what this node has signed contradicts
 * itself. Frames and their chain are checked as at a start (journal/segment-reader.ts), without cutting or writing anything.
 *
 * Own votes and checkpoints are kept unsigned (signing is deterministic), so who can write the folder can change them; then
 * the mark beside the keys, the databases or a contradiction tells.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  admitMessage,
  areConflictingVotes,
  checkpointDigest,
  epochOfVote,
  type FaultProof,
  type JournalRecord,
  type Message,
  restartRound,
  toHex,
  toValidatorIndex,
  unreachable,
  type Vote,
  viewOfVote,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { bytesToRecord } from '../driver/journal-record.ts';
import { nothingSigned, raiseMark, type Signed, type SigningMark, voteRank } from '../driver/signing-mark.ts';
import type { JournalFile } from '../journal/file-system.ts';
import { JournalError } from '../journal/journal-error.ts';
import { missingBeginning, readSegmentHeader, startOf } from '../journal/recovery.ts';
import { type Frame, isUnfinishedSegment, type Position, readFrames } from '../journal/segment-reader.ts';
import { isSelf } from './block-audit.ts';
import type { AuditedEpochs } from './epoch-audit.ts';
import type { Findings, Place } from './finding.ts';
import type { Anchor } from './founding-audit.ts';
import type { Pace } from './pace.ts';

const segmentNamePattern = /^\d{16}\.journal$/;
/** What may be durable in the journal and not yet covered by the mark when a node stops: its last two turns. */
const unmarkedFrames = 2;

/** What a journal says that its node has signed. */
export type JournalMemory = {
  readonly signed: SigningMark;
  /** The same without the last frames, or with a signature that others hold: the mark covers this unless power was lost. */
  readonly settled: SigningMark;
  /** The highest view of an epoch with a finalization whose signatures hold; 0 for none. */
  readonly finalizedView: (epoch: number) => number;
  /** The own checkpoints: one for each height and round. */
  readonly checkpoints: Iterable<OwnCheckpoint>;
  /** Whether a finalization held here covers a block: its own, or that of a block held here that stands on it. */
  readonly isFinal: (digest: string) => boolean;
  readonly records: number;
};

export type OwnCheckpoint = { readonly height: number; readonly round: number; readonly digest: string };

export type JournalAudit = {
  readonly directory: string;
  readonly anchor: Anchor;
  readonly epochs: AuditedEpochs;
  /** Id of the node; null when it is not known. */
  readonly selfId: string | null;
  /** Whether the node ended in order: then no frame can be unfinished. */
  readonly wasStopped: boolean;
};

export async function auditJournal(task: JournalAudit, findings: Findings, pace: Pace): Promise<JournalMemory | null> {
  const { directory } = task;
  const names = await findings.guardAsync('journal', { file: directory }, () => readdir(directory));
  const segments = (names ?? []).filter((name) => segmentNamePattern.test(name)).sort();
  if (segments.length === 0) {
    findings.add('journal', 'audit.missing', `${directory} holds no journal`, { file: directory });
    return null;
  }
  const missing = missingBeginning(names ?? []);
  if (missing !== null) findings.add('journal', 'audit.missing', 'the first segment is missing', { file: missing });
  const memory = createMemory(task, findings);
  let position: Position | null = null;
  for (const name of segments) {
    const isLast = name === segments.at(-1);
    position = await findings.guardAsync('journal', { file: name }, () =>
      auditSegment({ ...task, name, isLast, before: position }, memory, findings, pace),
    );
  }
  return memory.end();
}

type SegmentAudit = JournalAudit & {
  readonly name: string;
  readonly isLast: boolean;
  readonly before: Position | null;
};

/** Returns where the next segment must continue; null where that is lost. */
async function auditSegment(
  { directory, name, isLast, before, wasStopped }: SegmentAudit,
  memory: Memory,
  findings: Findings,
  pace: Pace,
): Promise<Position | null> {
  const handle = await open(join(directory, name), 'r');
  const file = readOnlyFile(handle);
  try {
    const sizeBytes = await file.sizeBytes();
    const header = await readSegmentHeader(file, name, before);
    if (header === null) {
      const start = new Uint8Array(52);
      await file.read(start, 0);
      if (isLast && !wasStopped && isUnfinishedSegment(start, sizeBytes)) {
        findings.note('journal', 'audit.unfinished', 'the last segment was never begun, as after a crash', {
          file: name,
        });
        return before;
      }
      findings.add('journal', 'audit.unlinked', 'its header is not that of the segment that follows here', {
        file: name,
        offset: 0,
      });
      return null;
    }
    const frames = readFrames(file, name, startOf(header), sizeBytes);
    let end = startOf(header);
    for (;;) {
      const next = await frames.next();
      if (next.done === true) {
        const { unfinishedBytes } = next.value;
        const where = { file: name, offset: end.offset };
        if (unfinishedBytes > 0 && isLast && !wasStopped) {
          const what = `the last frame is not whole, as after a crash (${unfinishedBytes} bytes): it was never acknowledged, and is cut off at the next start`;
          findings.note('journal', 'audit.unfinished', what, where);
        } else if (unfinishedBytes > 0) {
          const what = `the last frame is not whole (${unfinishedBytes} bytes), though the node ended in order`;
          findings.add('journal', 'audit.unfinished', isLast ? what : 'its last frame is not whole', where);
        }
        return end;
      }
      memory.addFrame(next.value, name);
      end = next.value.end;
      await pace.spend(next.value.bytes.length);
    }
  } catch (cause) {
    if (!(cause instanceof JournalError)) throw cause;
    findings.add('journal', cause.code, cause.message, {
      file: name,
      ...(cause.offset !== null && { offset: cause.offset }),
    });
    return null;
  } finally {
    await handle.close();
  }
}

type Memory = { addFrame(frame: Frame, file: string): void; end(): JournalMemory };

function createMemory({ anchor, epochs, selfId }: JournalAudit, findings: Findings): Memory {
  let signed = nothingSigned;
  let settled = nothingSigned;
  const finalizedViews = new Map<number, number>();
  let records = 0;
  const recent: Signed[][] = [];
  const votes = new Map<string, Vote[]>();
  const batches = new Map<string, string>();
  const checkpoints = new Map<string, OwnCheckpoint>();
  const finalized = new Set<string>();
  const parents = new Map<string, string>();

  function isFinal(digest: string): boolean {
    const seen = new Set<string>();
    for (const name of finalized) {
      for (let at: string | undefined = name; at !== undefined && !seen.has(at); at = parents.get(at)) {
        if (at === digest) return true;
        seen.add(at);
      }
    }
    return false;
  }

  function contradiction(what: string, where: Place): void {
    findings.add('journal', 'audit.contradiction', `${what}: signing on would prove this node faulty`, where);
  }

  function addVote(vote: Vote, where: Place): void {
    const name = `${epochOfVote(vote)}/${viewOfVote(vote)}`;
    const known = votes.get(name) ?? [];
    const asSigned = (of: Vote) => ({ vote: of, signer: toValidatorIndex(0), signature: new Uint8Array(0) });
    if (known.some((other) => areConflictingVotes(asSigned(other), asSigned(vote))))
      contradiction(`two own votes of view ${viewOfVote(vote)} contradict each other`, where);
    if (!known.some(({ type }) => type === vote.type)) votes.set(name, [...known, vote]);
  }

  function admit(message: Message, epoch: number, what: string, where: Place): boolean {
    const set = epochs.of(epoch);
    if (set === null) {
      const unknown = `${what} is of epoch ${epoch}, which the database does not know`;
      if (epochs.areAll) findings.add('journal', 'audit.behind', unknown, where);
      else findings.note('journal', 'audit.unproven', unknown, where);
      return false;
    }
    const admitted = admitMessage(message, toValidatorIndex(0), set, anchor.ledgerHash, sodiumVerifier);
    if (!admitted.ok)
      findings.add('journal', 'audit.bad-signature', `${what} does not hold: ${admitted.error.message}`, where);
    return admitted.ok;
  }

  /** Checks a record; returns what it says that this node has signed. */
  function addRecord(record: JournalRecord, where: Place): Signed[] {
    switch (record.type) {
      case 'own-vote':
        addVote(record.vote, where);
        return [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];
      case 'own-checkpoint': {
        const { epoch, height, round } = record.statement;
        const restartHeight = anchor.restarts.get(epoch)?.restart.block.header.height ?? Number.POSITIVE_INFINITY;
        // Of a block that the members have given up.
        if (height >= restartHeight && round !== restartRound) return [{ checkpointHeight: height }];
        const digest = toHex(checkpointDigest(record.statement));
        const place = `${height}/${round}`;
        if ((checkpoints.get(place)?.digest ?? digest) !== digest)
          contradiction(`two own checkpoints of height ${height} differ`, { ...where, height });
        checkpoints.set(place, { height, round, digest });
        return [{ checkpointHeight: height }];
      }
      case 'batch': {
        const { author, epoch, seq } = record.batch.header;
        const set = epochs.of(epoch);
        const isOwn = set !== null && isSelf(set, author, selfId);
        const isUnsigned = isOwn && record.batch.signature.every((byte) => byte === 0);
        if (!isUnsigned)
          admit({ type: 'batch', batch: record.batch }, epoch, `batch ${seq} of author ${author}`, where);
        if (!isOwn) return [];
        const digest = toHex(record.batch.digest);
        if ((batches.get(`${epoch}/${seq}`) ?? digest) !== digest)
          contradiction(`two own batches have the number ${seq}`, where);
        batches.set(`${epoch}/${seq}`, digest);
        return [{ epoch, seq }];
      }
      case 'block':
        parents.set(toHex(record.block.digest), toHex(record.block.header.parent));
        return [];
      case 'certificate': {
        const { certificate } = record;
        const view = viewOfVote(certificate.vote);
        const epoch = epochOfVote(certificate.vote);
        const isTrue = admit({ type: 'certificate', certificate }, epoch, `the certificate of view ${view}`, where);
        const set = epochs.of(epoch);
        if (isTrue && set !== null && certificate.signers.some((signer) => isSelf(set, signer, selfId)))
          settled = raiseMark(settled, { epoch, view });
        if (isTrue && certificate.vote.type === 'finalize') {
          finalizedViews.set(epoch, Math.max(finalizedViews.get(epoch) ?? 0, view));
          finalized.add(toHex(certificate.vote.proposal.digest));
        }
        return [];
      }
      case 'evidence':
        admit({ type: 'evidence', proof: record.proof }, epochOfProof(record.proof), 'a proof of fault', where);
        return [];
      default:
        return [];
    }
  }

  return {
    addFrame(frame, file) {
      const signedHere: Signed[] = [];
      for (const { sequence, type, payload } of frame.records) {
        const where = { sequence, file, offset: frame.offset };
        records++;
        findings.guard('journal', where, () => {
          const record = bytesToRecord(type, Uint8Array.from(payload));
          if (record.ok) signedHere.push(...addRecord(record.value, where));
          else findings.add('journal', 'audit.malformed', `a record cannot be read: ${record.error.message}`, where);
        });
      }
      for (const each of signedHere) signed = raiseMark(signed, each);
      recent.push(signedHere);
      if (recent.length > unmarkedFrames) for (const each of recent.shift()!) settled = raiseMark(settled, each);
    },
    end: () => ({
      signed,
      settled,
      finalizedView: (epoch) => finalizedViews.get(epoch) ?? 0,
      checkpoints: checkpoints.values(),
      isFinal,
      records,
    }),
  };
}

function epochOfProof(proof: FaultProof): number {
  switch (proof.type) {
    case 'votes':
      return epochOfVote(proof.first.vote);
    case 'batches':
      return proof.first.header.epoch;
    case 'checkpoints':
      return proof.first.statement.epoch;
    default:
      return unreachable(proof);
  }
}

export function readOnlyFile(handle: Awaited<ReturnType<typeof open>>): JournalFile {
  const refuse = (): Promise<never> => Promise.reject(new Error('an audit writes nothing'));
  return {
    sizeBytes: async () => (await handle.stat()).size,
    async read(target, position) {
      let total = 0;
      while (total < target.length) {
        const { bytesRead } = await handle.read(target, total, target.length - total, position + total);
        if (bytesRead === 0) break;
        total += bytesRead;
      }
      return total;
    },
    write: refuse,
    sync: refuse,
    truncate: refuse,
    close: () => handle.close(),
  };
}
