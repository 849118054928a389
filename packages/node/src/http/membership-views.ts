/** What the port answers on membership, as the plain JSON of membership-schemas.ts. */
import { joinRequestToFields } from '../membership/join-request.ts';
import type { InvitationView, JoinAnswer, MembershipView, ProposalView } from './membership-port.ts';
import { base64urlOf, hexOf, isoOf } from './views.ts';

export function membershipJson(membership: MembershipView) {
  return {
    ...membership,
    members: membership.members.map(({ id, name }) => ({ id, name })),
    validators: membership.validators.map(({ sinceHeight, linkKey, host, operator, ...standing }) => ({
      ...standing,
      causes: [...standing.causes],
      addresses: [...standing.addresses],
      sinceHeight: sinceHeight ?? undefined,
      linkKey: linkKey === null ? undefined : hexOf(linkKey),
      host: host ?? undefined,
      operator: operator ?? undefined,
    })),
    guests: [...membership.guests],
    proposals: membership.proposals.map(proposalJson),
  };
}

export function proposalJson(proposal: ProposalView) {
  return {
    ...proposal,
    id: hexOf(proposal.id),
    closedHeight: proposal.closedHeight ?? undefined,
    yes: [...proposal.yes],
    no: [...proposal.no],
  };
}

export function invitationJson(invitation: InvitationView) {
  const { memberName, createdMs, expiresMs, joinedMs, request, ...rest } = invitation;
  return {
    ...rest,
    memberName: memberName ?? undefined,
    created: isoOf(createdMs),
    expires: isoOf(expiresMs),
    joined: joinedMs === null ? undefined : isoOf(joinedMs),
    request: request === null ? undefined : joinRequestToFields(request),
  };
}

export function joinAnswerJson(answer: JoinAnswer) {
  return {
    id: answer.id,
    name: answer.ledgerName,
    genesis: base64urlOf(answer.genesis),
    inviter: answer.inviter,
    peers: answer.peers.map(({ id, linkKey, addresses }) => ({
      id,
      linkKey: hexOf(linkKey),
      addresses: [...addresses],
    })),
  };
}
