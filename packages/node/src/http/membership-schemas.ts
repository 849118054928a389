/** The shapes of the calls on membership; see schemas.ts. */
import { Type } from 'typebox';
import { urlsMax } from '../membership/invitation.ts';
import { joinRequestSchema } from '../membership/join-request.ts';
import { proposalOutcomes, validatorStates } from './membership-port.ts';

const closed = { additionalProperties: false } as const;
const name = (description: string) => Type.String({ pattern: '^[a-z0-9-]{1,32}$', description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const time = (description: string) => Type.String({ format: 'date-time', description });
const texts = (description: string) => Type.Array(Type.String(), { description });

/** The longest that an invitation may be open. */
const EXPIRES_SECONDS_MAX = 30 * 86_400;
export const fenceReasonMax = 200;

export const inviteBody = Type.Object(
  {
    member: name('member that the validator votes for'),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'display name, for a member that is not on the ledger',
      }),
    ),
    validator: name('id of the validator to be'),
    expiresSeconds: Type.Optional(
      Type.Integer({ minimum: 60, maximum: EXPIRES_SECONDS_MAX, description: 'how long it is good; a day by default' }),
    ),
    urls: Type.Array(Type.String({ maxLength: 255 }), {
      minItems: 1,
      maxItems: urlsMax,
      description: 'where the joiner reaches the HTTP of this node',
    }),
  },
  closed,
);

export const fenceBody = Type.Object(
  {
    reason: Type.String({
      pattern: '^[^\\u0000-\\u001f\\u007f]*\\S[^\\u0000-\\u001f\\u007f]*$',
      maxLength: fenceReasonMax,
      description: 'why, for the ledger and the log',
    }),
  },
  closed,
);

export const cancelParams = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{8}$', description: 'of the invitation' }),
});

export const proposalParams = Type.Object({
  id: Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'of the transaction that opened it' }),
});

export const issuedInvitationSchema = Type.Object({
  id: Type.String(),
  text: Type.String({ description: 'what to hand over; it holds the secret' }),
  fingerprint: Type.String({ description: 'to be compared over another channel' }),
  expires: time('not good from then on'),
});

export const invitationSchema = Type.Object({
  id: Type.String(),
  member: name('member'),
  memberName: Type.Optional(Type.String({ description: 'of a member that was not on the ledger' })),
  validator: name('id of the validator to be'),
  state: Type.Union((['open', 'expired', 'waiting'] as const).map((state) => Type.Literal(state))),
  created: time('when it was made'),
  expires: time('not good from then on'),
  joined: Type.Optional(time('when it was used')),
  request: Type.Optional(joinRequestSchema),
});

export const joinAnswerSchema = Type.Object({
  id: Type.String({ description: 'of the invitation' }),
  name: Type.String({ description: 'of the ledger' }),
  genesis: Type.String({ pattern: '^[A-Za-z0-9_-]*$', description: 'the genesis document, base64url' }),
  inviter: name('validator id of the node that answers'),
  peers: Type.Array(
    Type.Object({
      id: name('validator'),
      linkKey: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      addresses: texts('host:port'),
    }),
  ),
});

const standingSchema = Type.Object({
  id: name('validator'),
  member: name('its member'),
  state: Type.Union(validatorStates.map((state) => Type.Literal(state))),
  causes: texts('why it is suspended or removed'),
  sinceHeight: Type.Optional(count('in this state since')),
  linkKey: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Ed25519, links' })),
  addresses: texts('host:port'),
  host: Type.Optional(Type.String()),
  operator: Type.Optional(Type.String()),
});

export const proposalSchema = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'of the transaction that opened it' }),
  member: name('who opened it'),
  openedHeight: count('height'),
  lapsesHeight: count('not open from then on'),
  outcome: Type.Union(proposalOutcomes.map((outcome) => Type.Literal(outcome))),
  closedHeight: Type.Optional(count('height at which it was decided')),
  change: Type.Object(
    {
      kind: Type.Union(
        (['add-member', 'admit-validator', 'remove-validator', 'change-parameters', 'change-rules'] as const).map(
          (kind) => Type.Literal(kind),
        ),
      ),
    },
    { additionalProperties: true, description: 'what would change' },
  ),
  yes: texts('members'),
  no: texts('members'),
});

export const decidedSchema = Type.Object({
  ...proposalSchema.properties,
  votesNeeded: count('members that must say yes, at present'),
});

export const membershipSchema = Type.Object({
  height: count('the height this is the state of'),
  epoch: count('validator set'),
  isChanging: Type.Boolean({ description: 'a change is decided and comes with the next epoch' }),
  votesNeeded: count('members that must say yes'),
  parameters: Type.Record(Type.String(), Type.Integer(), { description: 'of the network' }),
  rules: count('number of the present rules'),
  members: Type.Array(Type.Object({ id: name('member'), name: Type.String() })),
  validators: Type.Array(standingSchema),
  guests: texts('nodes linked to this one that do not vote'),
  proposals: Type.Array(proposalSchema),
});
