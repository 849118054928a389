/**
 * The signing mark beside the keys, held against the journal: a mark that is ahead means that a record of what was signed is
 * lost or was put back. The audit asks the journal alone for votes and batches, which is more than a start asks: it remembers the last own
 * batch without the databases. Of results a start marks all that are executed, also those that it has yet to sign.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isAhead, nothingSigned, raiseMark, type SigningMark, voteRank } from '../driver/signing-mark.ts';
import { isNotedAsRolledBack } from '../keys/rolled-back.ts';
import { readMark, signingMarkPath } from '../keys/signing-mark-file.ts';
import type { Findings } from './finding.ts';
import type { Anchor, NodeFolder } from './founding-audit.ts';
import type { JournalMemory } from './journal-audit.ts';

const markBytesMax = 4096;

export type MarkAudit = {
  readonly folder: NodeFolder;
  readonly anchor: Anchor;
  /** Null: the journal could not be read. */
  readonly memory: JournalMemory | null;
  readonly wasStopped: boolean;
  /** The latest one that the database knows. */
  readonly epoch: number;
  /** View of the highest finalization of that epoch in the database, and what there carries a signature of this node. */
  readonly finalizedView: number;
  /** The height that the database is at; 0 where it cannot be told. */
  readonly executedHeight: number;
  readonly ownSigned: SigningMark;
};

export function auditMark(task: MarkAudit, findings: Findings): void {
  const { folder, anchor, memory } = task;
  const path = signingMarkPath(folder.keysDir, anchor.ledgerHash);
  const where = { file: basename(path) };
  if (isNotedAsRolledBack(folder.dataDir))
    findings.note('mark', 'node.rolled-back', 'this folder was found to be older than what the node has signed', where);
  const mark = readMarkFile(path, memory, findings, where);
  if (mark === null || memory === null) return;
  const { epoch } = task;
  const view = Math.max(memory.finalizedView(epoch), task.finalizedView);
  // Nothing is signed for a view at or below a finalized one, so what was forgotten there cannot be contradicted.
  const voted = raiseMark(memory.signed, { epoch, view, vote: voteRank.finalize });
  const remembered = raiseMark(voted, { checkpointHeight: task.executedHeight });
  if (isAhead(mark, remembered)) {
    const what = `more was signed (${markText(mark)}) than the journal remembers (${markText(remembered)}): its end is lost, or an older one was put back`;
    findings.add('mark', 'audit.behind', what, where);
    return;
  }
  // Of a view in which it is settled that this node voted, the mark must know; how far is for the journal to remember.
  const { vote: _vote, ...settled } = joinMarks(memory.settled, task.ownSigned);
  if (!isAhead(settled, mark)) return;
  const what = `the mark (${markText(mark)}) says less than was signed (${markText(settled)})`;
  if (task.wasStopped) findings.add('mark', 'audit.differs', `${what}: an older one was put back`, where);
  else findings.note('mark', 'audit.differs', `${what}, as after a loss of power`, where);
}

function readMarkFile(
  path: string,
  memory: JournalMemory | null,
  findings: Findings,
  where: { readonly file: string },
): SigningMark | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    // A node that has signed nothing needs none.
    if (memory !== null && !isAhead(memory.settled, nothingSigned)) return null;
    findings.add('mark', 'audit.missing', `${path} cannot be read: ${(cause as Error).message}`, where);
    return null;
  }
  const text = bytes.subarray(0, markBytesMax).toString('utf8').replaceAll('\0', '').trim();
  const mark = text === '' ? nothingSigned : readMark(text);
  if (mark === null) findings.add('mark', 'keyfile.malformed', `${path} is not a signing mark`, where);
  return mark;
}

function joinMarks(a: SigningMark, b: SigningMark): SigningMark {
  const { epoch, view, seq, checkpointHeight } = b;
  return [{ epoch, view }, { epoch, seq }, { checkpointHeight }].reduce<SigningMark>(raiseMark, a);
}

function markText({ epoch, view, seq, checkpointHeight }: SigningMark): string {
  return `epoch ${epoch}, view ${view}, batch ${seq}, checkpoint ${checkpointHeight}`;
}
