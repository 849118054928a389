/**
 * What somebody who was invited hands in: public keys and addresses of the node to be, and the first person key of a member
 * that is new. It holds no secret key; whoever reads it learns what will stand on the ledger anyway.
 *
 * As JSON, in the body of `POST /v1/join` and in the inviting node's file of invitations. Keys of nodes are Ed25519 in
 * hexadecimal, a person's key is `<algorithm>:<base64url>`.
 */
import { base64urlToBytes, bytesToBase64url, fromHex, toHex, type Validator } from '@cairn-ledger/core';
import { type PublicKey, publicKeyToText, textToPublicKey } from '@cairn-ledger/sdk';
import { type Static, Type } from 'typebox';
import { parseAddress } from '../config/node-config.ts';

const key = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });
const text = (description: string) =>
  Type.String({ pattern: '^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$', maxLength: 255, description });

export const joinRequestSchema = Type.Object(
  {
    linkKey: key('Ed25519, links'),
    votingKey: key('Ed25519, votes'),
    checkpointKey: key('Ed25519, checkpoints'),
    gatewayKey: key('Ed25519, of the gateway inside the node'),
    addresses: Type.Array(
      Type.String({ maxLength: 255, description: 'host:port where peers reach the node, the preferred one first' }),
      { minItems: 1, maxItems: 8 },
    ),
    host: Type.Optional(text('where it runs, as its operator says')),
    operator: Type.Optional(text('who runs it, if not the member itself')),
    proposal: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]*$',
        maxLength: 8_000,
        description: 'of a new member: the transaction, signed by its person, that proposes this validator; base64url',
      }),
    ),
    personKey: Type.Optional(
      Type.String({ maxLength: 200, description: 'first person key of a new member: ed25519:... or p256:...' }),
    ),
  },
  { additionalProperties: false },
);

type JoinFields = Static<typeof joinRequestSchema>;

export type JoinRequest = {
  readonly linkKey: Uint8Array;
  readonly votingKey: Uint8Array;
  readonly checkpointKey: Uint8Array;
  readonly gatewayKey: Uint8Array;
  readonly addresses: readonly string[];
  readonly host?: string;
  readonly operator?: string;
  readonly personKey: PublicKey | null;
  /**
   * The transaction that proposes this validator, signed by a person of a new member: a validator is admitted only with the
   * vote of its member, which reaches no node yet. Null for a member that is on the ledger.
   */
  readonly proposal: Uint8Array | null;
};

/** @param fields as the schema wants them; returns what is wrong all the same, or the request */
export function fieldsToJoinRequest(fields: JoinFields): JoinRequest | string {
  const addressless = fields.addresses.find((address) => parseAddress(address) === null);
  if (addressless !== undefined) return `the address ${JSON.stringify(addressless)} is not host:port`;
  const keys = [fields.linkKey, fields.votingKey, fields.checkpointKey, fields.gatewayKey];
  if (new Set(keys).size < keys.length) return 'the four keys of a node must differ: each has one use';
  const person = fields.personKey === undefined ? null : textToPublicKey(fields.personKey);
  if (person?.ok === false) return person.error.message;
  const proposal = fields.proposal === undefined ? null : base64urlToBytes(fields.proposal);
  if (proposal === null && fields.proposal !== undefined) return 'the proposal is not base64url';
  return {
    linkKey: fromHex(fields.linkKey)!,
    votingKey: fromHex(fields.votingKey)!,
    checkpointKey: fromHex(fields.checkpointKey)!,
    gatewayKey: fromHex(fields.gatewayKey)!,
    addresses: fields.addresses,
    ...(fields.host !== undefined && { host: fields.host }),
    ...(fields.operator !== undefined && { operator: fields.operator }),
    personKey: person === null ? null : person.value,
    proposal,
  };
}

export function joinRequestToFields(request: JoinRequest): JoinFields {
  return {
    linkKey: toHex(request.linkKey),
    votingKey: toHex(request.votingKey),
    checkpointKey: toHex(request.checkpointKey),
    gatewayKey: toHex(request.gatewayKey),
    addresses: [...request.addresses],
    ...(request.host !== undefined && { host: request.host }),
    ...(request.operator !== undefined && { operator: request.operator }),
    ...(request.personKey !== null && { personKey: publicKeyToText(request.personKey) }),
    ...(request.proposal !== null && { proposal: bytesToBase64url(request.proposal) }),
  };
}

/** What the joiner needs for its own proposal, before there is a request. */
export type RequestedNode = Omit<JoinRequest, 'personKey' | 'proposal'>;

/** The validator that a request asks for; its life number comes with its `ready`. */
export function requestedValidator(id: string, member: string, request: RequestedNode): Validator {
  const { linkKey, votingKey, checkpointKey, addresses, host, operator } = request;
  return {
    id,
    member,
    linkKey,
    votingKey,
    checkpointKey,
    addresses,
    ...(host !== undefined && { host }),
    ...(operator !== undefined && { operator }),
    life: null,
  };
}
