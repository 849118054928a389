/**
 * Drafts a restart document from what several nodes said of themselves (protocol.md section 6, "Restart"): the epoch ends above the
 * highest block that any of them has, and each validator goes on with the safety record that it has now.
 */
import {
  type CairnError,
  createRestart,
  equalBytes,
  fail,
  ok,
  quorum,
  type Result,
  type SignedRestart,
  toHex,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import type { NodeStanding } from './standing.ts';

export type DraftOptions = {
  /** Validators that do not go on. */
  readonly without: readonly string[];
  /** Go on although some node has signed, or knows to be final, what none of these has executed. */
  readonly isLosing: boolean;
};

export type Draft = {
  readonly signed: SignedRestart;
  /** Validators that go on with another record than before. */
  readonly renewed: readonly string[];
  /** Validators that said nothing, and go on as they are. */
  readonly unprepared: readonly string[];
};

/** Errors: `restart.nothing`, `restart.contradiction`, `restart.later-epoch`, `restart.more-known`, `restart.foreign-validator`. */
export function draftRestart(
  standings: readonly NodeStanding[],
  { without, isLosing }: DraftOptions,
): Result<Draft, CairnError> {
  const top = highestOf(standings);
  if (top === undefined) return refuse('restart.nothing', 'say how at least one node stands');
  const contradiction = contradictionOf(top, standings);
  if (contradiction !== null) return refuse('restart.contradiction', contradiction);
  const { height, epoch } = top.point;
  const later = standings.find((each) => each.signedEpoch > epoch);
  // In the epoch that the document begins nobody may have signed anything: old signatures would contradict the new ones.
  if (later !== undefined) {
    const what = `${later.nodeId} has signed in epoch ${later.signedEpoch}, and no node here has come further than epoch ${epoch}`;
    return refuse('restart.later-epoch', `${what}: without a node that has, this ledger cannot go on`);
  }
  const knowing = standings.find((each) => each.signedHeight > height || each.finalizedHeight > height);
  if (knowing !== undefined && !isLosing) {
    const known = Math.max(knowing.signedHeight, knowing.finalizedHeight);
    const what = `${knowing.nodeId} knows of block ${known}, and no node here has executed more than ${height}`;
    return refuse('restart.more-known', `${what}: bring the node that has, or say that what lies above may be lost`);
  }
  if (!isLosing && mayBeFinalAbove(top, standings)) {
    const what = `votes that are known here may have finalized a block above ${height} at a node that is not here`;
    return refuse('restart.more-known', `${what}: bring more nodes, or say that what lies above may be lost`);
  }
  const absent = without.find((id) => !top.validators.some((validator) => validator.id === id));
  if (absent !== undefined) return refuse('restart.foreign-validator', `${absent} is no validator`);
  const present = new Map(standings.map((each) => [each.nodeId, each]));
  const renewed: string[] = [];
  const unprepared: string[] = [];
  const validators: Validator[] = [];
  for (const validator of top.validators) {
    if (without.includes(validator.id)) continue;
    const own = present.get(validator.id);
    if (own === undefined) unprepared.push(validator.id);
    const life = own === undefined ? validator.life : own.life;
    if (!isSameLife(life, validator.life)) renewed.push(validator.id);
    validators.push({ ...validator, life });
  }
  if (validators.length === 0) return refuse('restart.nothing', `nobody is left to go on after epoch ${epoch}`);
  return ok({ signed: createRestart(top.point, validators), renewed, unprepared });
}

/**
 * Whether a block above may be final, by what is known of votes: a quorum must have voted for that, and whoever has its record and
 * did not vote so was none of them. Where nobody here did, nothing is known of any such block.
 */
function mayBeFinalAbove({ point, voters }: NodeStanding, standings: readonly NodeStanding[]): boolean {
  const others = new Set<string>();
  let isVoted = false;
  for (const { nodeId, isLost, votedHeight } of standings) {
    if (votedHeight > point.height) isVoted = true;
    else if (!isLost && voters.includes(nodeId)) others.add(nodeId);
  }
  return isVoted && voters.length - others.size >= quorum(voters.length);
}

function highestOf(standings: readonly NodeStanding[]): NodeStanding | undefined {
  return [...standings].sort((a, b) => b.point.epoch - a.point.epoch || b.point.height - a.point.height)[0];
}

/** What two of them say that cannot both be true; null where they agree as far as they go. */
function contradictionOf(top: NodeStanding, standings: readonly NodeStanding[]): string | null {
  const byHeight = new Map<number, NodeStanding>();
  const byNode = new Map<string, NodeStanding>();
  for (const each of standings) {
    const { nodeId, point, validators } = each;
    if (!equalBytes(point.ledgerHash, top.point.ledgerHash))
      return `${nodeId} and ${top.nodeId} are of different ledgers`;
    const before = byNode.get(nodeId);
    if (before !== undefined && !isSameLife(before.life, each.life))
      return `${nodeId} has said two different life numbers: take only the last word of each node`;
    byNode.set(nodeId, each);
    const other = byHeight.get(point.height);
    byHeight.set(point.height, each);
    if (other === undefined) continue;
    const names = `${other.nodeId} and ${nodeId}`;
    if (!equalBytes(other.point.parent, point.parent) || other.point.epoch !== point.epoch)
      return `${names} have different blocks at height ${point.height}: ${toHex(other.point.parent)} and ${toHex(point.parent)}`;
    const isSameResult =
      equalBytes(other.point.result, point.result) &&
      equalBytes(other.point.checkpoint, point.checkpoint) &&
      equalBytes(validatorSetDigest(other.validators), validatorSetDigest(validators));
    if (!isSameResult) return `${names} have different results of block ${point.height}: one of them is damaged`;
  }
  return null;
}

function isSameLife(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message });
}
