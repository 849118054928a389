/**
 * Whether the members have decided a restart (protocol.md section 6, "Restart"): judged by the state of the height that the epoch ends
 * above, so that every node judges alike. Each member has one vote, by any of its person keys in force there; it takes as many
 * votes as a change of members does.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import type { Verifier } from '../crypto/verifier.ts';
import { restartSignedBytes, type SignedRestart } from '../model/restart.ts';
import type { Validator } from '../model/validator-set.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { readKey, readRecord } from './query.ts';
import { parametersKind, paths } from './records.ts';
import { memberCountKind } from './set-records.ts';
import type { Store } from './store.ts';
import { readTarget } from './target-set.ts';

/** As for removals: a set that withstands a fault is not made one that withstands none. */
const remainMin = 4;

export type RestartVotes = {
  /** Members that have signed, ascending. */
  readonly members: readonly string[];
  readonly membersCount: number;
  /** How many must have signed. */
  readonly needed: number;
};

/** Who has signed. Errors: `restart.unknown-key`, `restart.bad-signature`. */
export function restartVotesOf(
  store: Store,
  signed: SignedRestart,
  verifier: Pick<Verifier, 'verify'>,
): Result<RestartVotes, CairnError> {
  const members = new Set<string>();
  const { height } = signed.restart.block.header;
  const message = restartSignedBytes(signed);
  for (const { kid, signature } of signed.signatures) {
    const key = readKey(store, kid);
    const isInForce =
      key !== null &&
      key.role === 'person' &&
      key.fromHeight <= height &&
      (key.untilHeight === null || key.untilHeight > height);
    if (!isInForce)
      return refuse('restart.unknown-key', `${toHex(kid)} is not the key of a person of a member, in force there`);
    if (!verifier.verify(key.algorithm, key.publicKey, message, signature))
      return refuse('restart.bad-signature', `the signature by key ${toHex(kid)} of ${key.member} does not hold`);
    members.add(key.member);
  }
  const membersCount = readRecord(store, memberCountKind, paths.memberCount) ?? 0;
  const percent = readRecord(store, parametersKind, paths.parameters)?.memberVotesPercent ?? 100;
  // The least number that is enough by `yes * 100 >= percent * members`.
  const wanted = percent * membersCount;
  const needed = (wanted + ((100 - (wanted % 100)) % 100)) / 100;
  return ok({ members: [...members].sort((a, b) => (a < b ? -1 : 1)), membersCount, needed });
}

/**
 * Whether a document may end the epoch above the height of `store`: its validators are those that the ledger wants, with other life
 * numbers, or some of them, and enough members have signed it.
 *
 * Errors: those of `restartVotesOf`, `restart.foreign-validator`, `restart.too-few-validators`, `restart.too-few-members`.
 */
export function checkRestart(
  store: Store,
  signed: SignedRestart,
  verifier: Pick<Verifier, 'verify'>,
): Result<RestartVotes, CairnError> {
  const { validators } = signed.restart;
  const wanted = readTarget(store).validators;
  const foreign = validators.find((each) => !wanted.some((known) => isSameButLife(known, each)));
  if (foreign !== undefined)
    return refuse('restart.foreign-validator', `${foreign.id} is not a validator of the ledger with these keys`);
  if (validators.length < Math.min(remainMin, wanted.length))
    return refuse('restart.too-few-validators', `it leaves ${validators.length} of ${wanted.length} validators`);
  const votes = restartVotesOf(store, signed, verifier);
  if (!votes.ok || votes.value.members.length >= Math.max(1, votes.value.needed)) return votes;
  const { members, membersCount, needed } = votes.value;
  return refuse('restart.too-few-members', `${members.length} of ${membersCount} members signed it, ${needed} must`);
}

function isSameButLife(a: Validator, b: Validator): boolean {
  return (
    a.id === b.id &&
    a.member === b.member &&
    equalBytes(a.linkKey, b.linkKey) &&
    equalBytes(a.votingKey, b.votingKey) &&
    equalBytes(a.checkpointKey, b.checkpointKey) &&
    a.host === b.host &&
    a.operator === b.operator &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, i) => address === b.addresses[i])
  );
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message });
}
