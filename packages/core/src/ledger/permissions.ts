/**
 * Who may do what. A transaction acts with the role of its key:
 *
 * | role    | spends from                        | registers, revokes keys | issues, retires its member's assets |
 * |---------|------------------------------------|-------------------------|-------------------------------------|
 * | device  | its own account, `member/device`   | -                       | -                                   |
 * | gateway | its own account, if it has a name  | -                       | -                                   |
 * | node    | `member` and every `member/device` | -                       | yes                                 |
 * | person  | `member` and every `member/device` | of its member           | yes                                 |
 *
 * Persons propose and vote for their member. What only a validator may say (attest, ready) is signed with its link key.
 * Every key may rotate itself, and anchor. Devices and gateways send readings (readings.ts). Nobody may spend, or change
 * a key, of another member.
 */
import { accountOf, parseAccount } from '../model/names.ts';
import type { KeyRole } from '../model/registered-key.ts';
import type { CairnError } from '../result.ts';
import { errorOf } from './errors.ts';

/** Who signed a transaction. */
export type Actor = {
  readonly kid: Uint8Array;
  readonly role: KeyRole;
  readonly member: string;
  readonly device: string | null;
};

/** The account an operation concerns when it names none: the device's, or else the member's. */
export function ownAccountOf(actor: Actor): string {
  return accountOf(actor.member, actor.device);
}

/** Why `actor` may not spend from `account`; null when it may. */
export function spendingRefusal(actor: Actor, account: string): CairnError | null {
  const owner = parseAccount(account);
  if (owner === null) return errorOf('account.malformed', account);
  if (isForWholeMember(actor.role)) return owner.member === actor.member ? null : errorOf('account.not-owned', account);
  return actor.device !== null && account === ownAccountOf(actor) ? null : errorOf('account.not-owned', account);
}

/** Why `actor` may not issue or retire assets of its member; null when it may. */
export function issuingRefusal(actor: Actor): CairnError | null {
  return isForWholeMember(actor.role)
    ? null
    : errorOf('tx.not-permitted', 'persons and nodes of the issuer issue and retire');
}

/** Why `actor` may not register or revoke keys of its member; null when it may. */
export function keyKeepingRefusal(actor: Actor): CairnError | null {
  return actor.role === 'person' ? null : errorOf('tx.not-permitted', 'persons of the member register and revoke keys');
}

/** Why `actor` may not propose, or vote for its member; null when it may. */
export function votingRefusal(actor: Actor): CairnError | null {
  return actor.role === 'person' ? null : errorOf('tx.not-permitted', 'persons propose and vote for their member');
}

function isForWholeMember(role: KeyRole): boolean {
  return role === 'person' || role === 'node';
}
