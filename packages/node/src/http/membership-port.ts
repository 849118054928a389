/**
 * What HTTP needs of the node for its members: who belongs to the network, what is voted on, invitations and requests to
 * join, and taking this node out of service. Part of the EdgePort.
 */
import type { CairnError, Parameters, Result } from '@cairn-ledger/core';
import type { BootstrapPeer } from '../config/node-config.ts';
import type { JoinRequest } from '../membership/join-request.ts';

/**
 * `active`: votes in this epoch. `suspended`: likewise, but its views are skipped. `leaving`: votes until the epoch ends.
 * `joining`: votes from the next epoch on, which is decided. `admitted`: the members want it, and it has not said that it is
 * ready; `ready`: it has, and waits for its turn. `removed`: was a validator. One that gets new keys stands there twice.
 */
export const validatorStates = ['active', 'suspended', 'leaving', 'joining', 'admitted', 'ready', 'removed'] as const;
export type ValidatorState = (typeof validatorStates)[number];

export type ValidatorStanding = {
  readonly id: string;
  readonly member: string;
  readonly state: ValidatorState;
  /** Why it is suspended (`proven-fault`, `attested`, `own-notice`, `damage`) or was removed (`fault`, `vote`). */
  readonly causes: readonly string[];
  /** Height since which it is in this state, where the ledger remembers it. */
  readonly sinceHeight: number | null;
  /** Null for a removed one, whose keys the ledger does not keep. */
  readonly linkKey: Uint8Array | null;
  readonly addresses: readonly string[];
  readonly host: string | null;
  readonly operator: string | null;
};

/** What a proposal would change, as the ledger has it. */
export type ProposedChange =
  | { readonly kind: 'add-member'; readonly member: string; readonly name: string; readonly personKey: string }
  | {
      readonly kind: 'admit-validator';
      readonly validator: string;
      readonly member: string;
      readonly linkKey: string;
      readonly votingKey: string;
      readonly checkpointKey: string;
      readonly addresses: readonly string[];
      readonly host?: string;
      readonly operator?: string;
    }
  | { readonly kind: 'remove-validator'; readonly validator: string }
  | { readonly kind: 'change-parameters'; readonly parameters: Parameters }
  | { readonly kind: 'change-rules'; readonly rules: number };

/** `impossible`: it passed, and by then could not be done any more. */
export const proposalOutcomes = ['open', 'passed', 'refused', 'lapsed', 'impossible'] as const;

export type ProposalView = {
  /** Id of the transaction that opened it. */
  readonly id: Uint8Array;
  /** The member that opened it, and so votes yes. */
  readonly member: string;
  readonly openedHeight: number;
  /** Open until it is decided, or until this height. */
  readonly lapsesHeight: number;
  readonly outcome: (typeof proposalOutcomes)[number];
  /** Null while it is open. */
  readonly closedHeight: number | null;
  readonly change: ProposedChange;
  /** Members, ascending. */
  readonly yes: readonly string[];
  readonly no: readonly string[];
};

export type MembershipView = {
  readonly height: number;
  readonly epoch: number;
  /** A change of the set or of the rules is decided and comes with the next epoch. */
  readonly isChanging: boolean;
  /** So many members must say yes. */
  readonly votesNeeded: number;
  readonly parameters: Parameters;
  readonly rules: number;
  readonly members: readonly { readonly id: string; readonly name: string }[];
  readonly validators: readonly ValidatorStanding[];
  /** Nodes that are linked to this one and do not vote: joiners, observers, leavers. */
  readonly guests: readonly string[];
  /** Open ones, the oldest first. */
  readonly proposals: readonly ProposalView[];
};

export type NewInvitation = {
  readonly member: string;
  /** Display name for a member that is not on the ledger; ignored for one that is. */
  readonly name: string | null;
  readonly validator: string;
  readonly expiresSeconds: number;
  /** Where the joiner reaches this node by HTTP. */
  readonly urls: readonly string[];
};

export type IssuedInvitation = {
  readonly id: string;
  /** The text to hand over; it holds the secret, which is not kept here. */
  readonly text: string;
  readonly fingerprint: string;
  readonly expiresMs: number;
};

/** An invitation as the inviting node remembers it. */
export type InvitationView = {
  readonly id: string;
  readonly member: string;
  readonly memberName: string | null;
  readonly validator: string;
  /** `waiting`: handed in, and to be proposed. */
  readonly state: 'open' | 'expired' | 'waiting';
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly joinedMs: number | null;
  readonly request: JoinRequest | null;
};

/** What a joiner needs to follow the ledger. */
export type JoinAnswer = {
  /** Of the invitation, and so of the request to join. */
  readonly id: string;
  readonly ledgerName: string;
  readonly genesis: Uint8Array;
  readonly inviter: string;
  readonly peers: readonly BootstrapPeer[];
};

export type MembershipPort = {
  membership(): Promise<MembershipView>;
  /** A proposal, decided or not, and how many must say yes at present; null for an id that opened none. */
  proposal(id: Uint8Array): Promise<{ readonly proposal: ProposalView; readonly votesNeeded: number } | null>;
  /** Errors: `invitation.taken`, `invitation.too-many`, `invitation.unwritable`. */
  invite(input: NewInvitation): Promise<Result<IssuedInvitation, CairnError>>;
  /** The oldest first. */
  invitations(): Promise<readonly InvitationView[]>;
  /** False when there is none with this id. Error: `invitation.unwritable`. */
  cancelInvitation(id: string): Promise<Result<boolean, CairnError>>;
  /** Errors: `invitation.unknown`, `.expired`, `.used`, `.no-person`, `.unwritable`. */
  join(secret: Uint8Array, request: JoinRequest): Promise<Result<JoinAnswer, CairnError>>;
  /**
   * Takes this node out: from the answer on it signs no vote, batch or checkpoint, tells its peers, and hands in an
   * attestation `fenced` of itself. Lasts over restarts. Fencing a node that is fenced already, for whatever reason, is
   * answered the same and changes nothing.
   *
   * Errors: `node.starting`, `node.stopping`.
   *
   * @param reason at most 200 characters, for the ledger and the log
   */
  fence(reason: string): Promise<Result<void, CairnError>>;
  /**
   * Takes back `fence`: the node returns as one that was repaired does, by observing first. A node that is not fenced is
   * answered the same and nothing happens. Errors: `node.not-liftable` (something else fenced it), `node.starting`,
   * `node.stopping`.
   */
  unfence(): Promise<Result<void, CairnError>>;
};
