/** What nodes answer on membership, as the JSON of their OpenAPI document, and the one node that a command asks. */
import type { Parameters } from '@cairn-ledger/core';
import { type Client, createClient } from '@cairn-ledger/sdk';
import type { ProposalView, ValidatorState } from '../../http/membership-port.ts';
import type { joinRequestToFields } from '../../membership/join-request.ts';
import { type NetworkOptions, nodesOf, tokenOf } from '../network.ts';

export type ProposalAnswer = Omit<ProposalView, 'id' | 'closedHeight'> & {
  readonly id: string;
  readonly closedHeight?: number;
};

export type DecidedAnswer = ProposalAnswer & { readonly votesNeeded: number };

export type StandingAnswer = {
  readonly id: string;
  readonly member: string;
  readonly state: ValidatorState;
  readonly causes: readonly string[];
  readonly sinceHeight?: number;
  readonly linkKey?: string;
  readonly addresses: readonly string[];
  readonly host?: string;
  readonly operator?: string;
};

export type MembershipAnswer = {
  readonly height: number;
  readonly epoch: number;
  readonly isChanging: boolean;
  readonly votesNeeded: number;
  readonly parameters: Parameters;
  readonly rules: number;
  readonly members: readonly { readonly id: string; readonly name: string }[];
  readonly validators: readonly StandingAnswer[];
  readonly guests: readonly string[];
  readonly proposals: readonly ProposalAnswer[];
};

export type InvitationAnswer = {
  readonly id: string;
  readonly member: string;
  readonly memberName?: string;
  readonly validator: string;
  readonly state: 'open' | 'expired' | 'waiting';
  readonly created: string;
  readonly expires: string;
  readonly joined?: string;
  readonly request?: ReturnType<typeof joinRequestToFields>;
};

export type OneNode = { readonly id: string; readonly url: string; readonly client: Client };

const TIMEOUT_MS = 15_000;

/** The first node that the options name: what it says of itself, and what it keeps, no other can answer. */
export function oneNode(options: NetworkOptions, timeoutMs: number = TIMEOUT_MS): OneNode {
  const { id, http } = nodesOf(options)[0]!;
  return { id, url: http, client: createClient({ nodes: [http], ...tokenOf(options), timeoutMs }) };
}
