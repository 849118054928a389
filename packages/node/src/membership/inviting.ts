/** The inviting side: gives out invitations, and takes in what is handed in with their secrets. */
import { randomBytes } from 'node:crypto';
import { type CairnError, fail, ok, type Result, toHex } from '@cairn-ledger/core';
import type { BootstrapPeer } from '../config/node-config.ts';
import type { InvitationView, IssuedInvitation, JoinAnswer, NewInvitation } from '../http/membership-port.ts';
import { encodeInvitation, fingerprintOf, type Invitation, secretHash, secretSizeBytes } from './invitation.ts';
import type { InvitationBook, Invited } from './invitation-book.ts';
import type { JoinRequest } from './join-request.ts';

export type InvitingParts = {
  readonly book: InvitationBook;
  readonly ledgerHash: Uint8Array;
  readonly ledgerName: string;
  readonly genesis: Uint8Array;
  /** Id of this node. */
  readonly inviter: string;
  /** Whom a joiner may link to, this node first. */
  readonly peers: () => readonly BootstrapPeer[];
  /** Display name of a member on the ledger; null for an id that no member has. */
  readonly memberName: (id: string) => string | null;
  /** The member of a validator that is in the set, or to be; null for an id that is free. */
  readonly memberOfValidator: (id: string) => string | null;
  readonly nowMs: () => number;
};

export type Inviting = {
  invite(input: NewInvitation): Result<IssuedInvitation, CairnError>;
  invitations(): readonly InvitationView[];
  cancel(id: string): Result<boolean, CairnError>;
  join(secret: Uint8Array, request: JoinRequest): Result<JoinAnswer, CairnError>;
};

/** Peers and addresses of each that an invitation names: enough that some of them answer, and short enough for a mail. */
const peersInInvitationMax = 16;
const addressesInInvitationMax = 2;

export function createInviting(parts: InvitingParts): Inviting {
  const { book, nowMs } = parts;

  return {
    invite({ member, name, validator, expiresSeconds, urls }) {
      const owner = parts.memberOfValidator(validator);
      if (owner !== null && owner !== member) {
        return fail({ code: 'invitation.taken', message: `${validator} is a validator of ${owner}` });
      }
      const createdMs = nowMs();
      const secret = new Uint8Array(randomBytes(secretSizeBytes));
      const invitation: Invitation = {
        ledgerHash: parts.ledgerHash,
        network: parts.ledgerName,
        member,
        memberName: parts.memberName(member) === null ? (name ?? member) : null,
        validator,
        expiresSeconds: Math.floor(createdMs / 1000) + expiresSeconds,
        secret,
        inviter: parts.inviter,
        urls,
        peers: parts
          .peers()
          .slice(0, peersInInvitationMax)
          .map((peer) => ({ ...peer, addresses: peer.addresses.slice(0, addressesInInvitationMax) })),
      };
      const { memberName } = invitation;
      const expiresMs = invitation.expiresSeconds * 1000;
      const added = book.add({
        secretHash: toHex(secretHash(secret)),
        member,
        memberName,
        validator,
        createdMs,
        expiresMs,
      });
      if (!added.ok) return added;
      const { id } = added.value;
      return ok({ id, text: encodeInvitation(invitation), fingerprint: fingerprintOf(invitation), expiresMs });
    },
    invitations: () => book.list(nowMs()).map((invited) => toView(invited, nowMs())),
    cancel: (id) => book.cancel(id, nowMs()),
    join(secret, request) {
      const found = book.find(secret, nowMs());
      if (!found.ok) return found;
      const { member, memberName } = found.value;
      if (memberName !== null && request.personKey === null) {
        return fail({
          code: 'invitation.no-person',
          message: `${member} is not on the ledger yet, and comes there with its first person key`,
        });
      }
      const used = book.use(secret, request, nowMs());
      if (!used.ok) return used;
      const { ledgerName, genesis, inviter } = parts;
      return ok({ id: used.value.id, ledgerName, genesis, inviter, peers: parts.peers() });
    },
  };
}

function toView(invited: Invited, nowMs: number): InvitationView {
  const { id, member, memberName, validator, createdMs, expiresMs, joined } = invited;
  return {
    id,
    member,
    memberName,
    validator,
    state: joined !== null ? 'waiting' : nowMs < expiresMs ? 'open' : 'expired',
    createdMs,
    expiresMs,
    joinedMs: joined?.atMs ?? null,
    request: joined?.request ?? null,
  };
}
