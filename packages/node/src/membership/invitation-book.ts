/**
 * The inviting node's book of invitations: `invitations.json` in its data folder. Of a secret it keeps only the hash, so who
 * reads the file can join in nobody's place.
 *
 * An invitation is open until it is used, expires or is cancelled; it is used by the first request to join that shows its
 * secret. The same request again gets the same answer (its first answer may have been lost); another one is refused. What
 * was handed in waits in the book until the members have voted on it.
 *
 * The book is written before anything is answered. It belongs to this one node: losing it loses invitations that were not
 * used, and no more.
 */
import { readFileSync, renameSync } from 'node:fs';
import { type CairnError, fail, fromHex, ok, type Result, toHex } from '@cairn-ledger/core';
import { Check } from 'typebox/value';
import {
  type Field,
  fieldsOf,
  integerOf,
  listOf,
  readJsonText,
  refuse,
  required,
  textOf,
} from '../config/json-file.ts';
import { writeDurably } from '../durable-file.ts';
import { secretHash } from './invitation.ts';
import { fieldsToJoinRequest, type JoinRequest, joinRequestSchema, joinRequestToFields } from './join-request.ts';

export type Invited = {
  /** 8 hexadecimal digits, for people: the beginning of the hash of the secret. */
  readonly id: string;
  /** SHA-256, hexadecimal. */
  readonly secretHash: string;
  readonly member: string;
  /** Display name of a member that was not on the ledger; null for one that was. */
  readonly memberName: string | null;
  readonly validator: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  /** What was handed in with the secret, and when; null while the invitation is open. */
  readonly joined: { readonly request: JoinRequest; readonly atMs: number } | null;
};

export type InvitationBook = {
  /** All of them, the oldest first. */
  list(nowMs: number): readonly Invited[];
  /** Errors: `invitation.too-many`, `invitation.unwritable`. */
  add(invited: Omit<Invited, 'id' | 'joined'>): Result<Invited, CairnError>;
  /**
   * Errors: `invitation.unknown`, `invitation.expired`, `invitation.used`, `invitation.too-many` where the file would grow too long,
   * `invitation.unwritable`.
   */
  use(secret: Uint8Array, request: JoinRequest, nowMs: number): Result<Invited, CairnError>;
  /** What the secret belongs to, whether used or not. Errors: `invitation.unknown`, `invitation.expired`. */
  find(secret: Uint8Array, nowMs: number): Result<Invited, CairnError>;
  /** Takes one out, used or not; false when there is none with this id. Error: `invitation.unwritable`. */
  cancel(id: string, nowMs: number): Result<boolean, CairnError>;
};

export const invitationsMax = 256;
export const bookName = 'invitations.json';
/** Expired ones are told as such for a while, then forgotten; those handed in stay until cancelled, or as long. */
const keptExpiredMs = 7 * 86_400_000;
const keptJoinedMs = 90 * 86_400_000;
const bookBytesMax = 1 << 20;

/** Opens the book at `path`; a file that is missing is an empty one. Errors: `invitation.book-damaged`. */
export function openInvitationBook(path: string): Result<InvitationBook, CairnError> {
  const read = readBook(path);
  if (!read.ok) return read;
  let entries = read.value;

  function keep(next: readonly Invited[]): Result<void, CairnError> {
    const text = bookText(next);
    // Never longer than the next start reads: many long requests to join fill it before there are too many.
    if (text.length > bookBytesMax && next.length >= entries.length) {
      const message = `the invitations and requests to join would need more than ${bookBytesMax} characters`;
      return fail({ code: 'invitation.too-many', message });
    }
    try {
      writeDurably(path, text);
    } catch (error) {
      return fail({ code: 'invitation.unwritable', message: `${path} cannot be written: ${(error as Error).message}` });
    }
    entries = next;
    return ok(undefined);
  }

  function present(nowMs: number): readonly Invited[] {
    return entries.filter((entry) =>
      entry.joined === null ? nowMs < entry.expiresMs + keptExpiredMs : nowMs < entry.joined.atMs + keptJoinedMs,
    );
  }

  function find(secret: Uint8Array, nowMs: number): Result<Invited, CairnError> {
    const hash = toHex(secretHash(secret));
    const found = present(nowMs).find((entry) => entry.secretHash === hash);
    if (found === undefined) {
      return fail({ code: 'invitation.unknown', message: 'this node has given out no such invitation' });
    }
    if (found.joined === null && nowMs >= found.expiresMs) {
      const when = new Date(found.expiresMs).toISOString();
      return fail({ code: 'invitation.expired', message: `the invitation expired at ${when}` });
    }
    return ok(found);
  }

  return ok({
    list: present,
    find,
    add(invited) {
      const known = present(invited.createdMs);
      if (known.length >= invitationsMax) {
        return fail({
          code: 'invitation.too-many',
          message: `this node keeps at most ${invitationsMax} invitations and requests to join`,
        });
      }
      const entry: Invited = { ...invited, id: invited.secretHash.slice(0, 8), joined: null };
      const kept = keep([...known, entry]);
      return kept.ok ? ok(entry) : kept;
    },
    use(secret, request, nowMs) {
      const found = find(secret, nowMs);
      if (!found.ok) return found;
      const { joined } = found.value;
      if (joined !== null) {
        if (isSameRequest(joined.request, request)) return found;
        return fail({ code: 'invitation.used', message: 'the invitation was used with other keys or addresses' });
      }
      const entry: Invited = { ...found.value, joined: { request, atMs: nowMs } };
      const kept = keep(present(nowMs).map((each) => (each === found.value ? entry : each)));
      return kept.ok ? ok(entry) : kept;
    },
    cancel(id, nowMs) {
      const known = present(nowMs);
      const left = known.filter((entry) => entry.id !== id);
      if (left.length === known.length) return ok(false);
      const kept = keep(left);
      return kept.ok ? ok(true) : kept;
    },
  });
}

/**
 * Opens the book at `path`, one that is damaged set aside as `<path>.damaged`: invitations are not worth a node that does not start.
 * Errors: `invitation.book-damaged` where the file cannot be moved.
 */
export function openOrSetAside(
  path: string,
  onDamaged: (error: CairnError) => void,
): Result<InvitationBook, CairnError> {
  const opened = openInvitationBook(path);
  if (opened.ok) return opened;
  onDamaged(opened.error);
  try {
    renameSync(path, `${path}.damaged`);
  } catch (error) {
    return damaged(path, `cannot be moved away: ${(error as Error).message}`);
  }
  return openInvitationBook(path);
}

/** The proposal is signed anew in each try, and says nothing else than before. */
function isSameRequest(a: JoinRequest, b: JoinRequest): boolean {
  const textOf = (request: JoinRequest): string => JSON.stringify(joinRequestToFields({ ...request, proposal: null }));
  return textOf(a) === textOf(b);
}

function bookText(entries: readonly Invited[]): string {
  const invitations = entries.map(({ id: _, joined, ...entry }) => ({
    ...entry,
    joined: joined === null ? null : { atMs: joined.atMs, request: joinRequestToFields(joined.request) },
  }));
  return `${JSON.stringify({ invitations }, null, 2)}\n`;
}

function readBook(path: string): Result<readonly Invited[], CairnError> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok([]);
    return damaged(path, `cannot be read: ${(error as Error).message}`);
  }
  if (text.length > bookBytesMax) return damaged(path, `is longer than ${bookBytesMax} characters`);
  const read = parseInvitationBook(path, text);
  return read.ok ? read : damaged(path, read.error.message);
}

/** Reads the text of a book; `name` is what messages call it. */
export function parseInvitationBook(name: string, text: string): Result<readonly Invited[], CairnError> {
  return readJsonText(name, text, (root) => {
    const { invitations } = fieldsOf(root, ['invitations']);
    const list = required(invitations, root, 'invitations');
    const entries = listOf(list, readInvited);
    if (entries.length > invitationsMax) refuse(list, `has more than ${invitationsMax} entries`);
    return entries;
  });
}

function readInvited(field: Field): Invited {
  const fields = fieldsOf(field, [
    'secretHash',
    'member',
    'memberName',
    'validator',
    'createdMs',
    'expiresMs',
    'joined',
  ]);
  const hash = required(fields.secretHash, field, 'secretHash');
  if (fromHex(textOf(hash))?.length !== 32) refuse(hash, 'must be 64 hexadecimal digits');
  const name = required(fields.memberName, field, 'memberName');
  return {
    id: textOf(hash).slice(0, 8),
    secretHash: textOf(hash),
    member: nameOf(required(fields.member, field, 'member')),
    memberName: name.value === null ? null : textOf(name),
    validator: nameOf(required(fields.validator, field, 'validator')),
    createdMs: msOf(required(fields.createdMs, field, 'createdMs')),
    expiresMs: msOf(required(fields.expiresMs, field, 'expiresMs')),
    joined: readJoined(required(fields.joined, field, 'joined')),
  };
}

function readJoined(field: Field): Invited['joined'] {
  if (field.value === null) return null;
  const fields = fieldsOf(field, ['atMs', 'request']);
  const given = required(fields.request, field, 'request');
  if (!Check(joinRequestSchema, given.value)) return refuse(given, 'is not a request to join');
  const request = fieldsToJoinRequest(given.value);
  if (typeof request === 'string') return refuse(given, `is not a request to join: ${request}`);
  return { atMs: msOf(required(fields.atMs, field, 'atMs')), request };
}

function nameOf(field: Field): string {
  if (!/^[a-z0-9-]{1,32}$/.test(textOf(field))) refuse(field, 'must have 1 to 32 of a-z, 0-9 and -');
  return textOf(field);
}

function msOf(field: Field): number {
  return integerOf(field, 0, Number.MAX_SAFE_INTEGER);
}

function damaged(path: string, why: string): Result<never, CairnError> {
  return fail({
    code: 'invitation.book-damaged',
    message: `${path} ${why}`,
  });
}
