/**
 * The shapes of requests and answers, once: fastify checks and serialises by them, and the OpenAPI document is made from
 * them. Digests, ids and keys are lower-case hex; longer bytes base64url; amounts decimal text, since they are uint64.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { nodeModes } from './edge-port.ts';
import { eventKinds } from './news.ts';

const closed = { additionalProperties: false } as const;

const hash = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });
const hex = (description: string) => Type.String({ pattern: '^[0-9a-f]*$', description });
const base64url = (description: string) => Type.String({ pattern: '^[A-Za-z0-9_-]*$', description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const time = (description: string) => Type.String({ format: 'date-time', description });

export const heldFromSchema = count(
  'lowest height that this node has all of; 0: all of the history. What is older is missing from the answer',
);

export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:cairn:error:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'the particular case' }),
    code: Type.String({ description: 'stable code, see docs/errors.md' }),
    whatToDo: Type.Optional(Type.String()),
    transaction: Type.Optional(hash('transaction id that the problem is about')),
    retryAfterSeconds: Type.Optional(Type.Integer()),
    heldFrom: Type.Optional(count('of history.not-held: lowest height that this node has all of')),
  },
  { description: 'Problem details (RFC 9457)' },
);

const statusWord = Type.Union([Type.Literal('pending'), Type.Literal('accepted'), Type.Literal('rejected')]);
const provenance = Type.Union([Type.Literal('device-signed'), Type.Literal('gateway-attested')]);

export const transactionSchema = Type.Object({
  id: hash('transaction id: SHA-256 of its Sig_structure'),
  status: statusWord,
  certified: Type.Boolean({ description: 'a receipt can be had' }),
  code: Type.Optional(Type.String({ description: 'why it was rejected' })),
  message: Type.Optional(Type.String()),
  height: Type.Optional(count('block it stands in')),
  position: Type.Optional(count('place in the block')),
  leafIndex: Type.Optional(count('place in the history tree')),
  provenance: Type.Optional(provenance),
  bytes: Type.Optional(base64url('the transaction exactly as ordered')),
  receipt: Type.Optional(base64url('receipt bundle; only with Prefer: wait')),
});

export const outcomesSchema = Type.Array(
  Type.Object({
    id: Type.Optional(hash('transaction id; missing when the bytes are not a transaction')),
    status: Type.Union([statusWord, Type.Literal('busy')]),
    certified: Type.Optional(Type.Boolean()),
    height: Type.Optional(count('block it stands in')),
    code: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
  }),
  { description: 'one outcome per transaction, in order' },
);

export const blockSchema = Type.Object({
  height: count('number of the block'),
  epoch: count('validator set'),
  view: count('view in which it was finalized here'),
  rules: count('rule set it is executed under'),
  digest: hash('digest of the header'),
  parent: hash('digest of the parent'),
  time: time('block time'),
  timeMs: count('block time, milliseconds since 1970'),
  nextSet: Type.Optional(hash('digest of the next validator set: this block is the last one of its epoch')),
  batches: Type.Array(
    Type.Object({ author: Type.String(), seq: count('number of the batch'), digest: hash('digest') }),
  ),
  transactionCount: count('transactions in its batches'),
  transactions: Type.Optional(
    Type.Array(
      Type.Object({
        id: hash('transaction id'),
        code: Type.String({ description: 'ok, or why it was rejected' }),
        leafIndex: Type.Optional(count('place in the history tree')),
      }),
    ),
  ),
});

export const checkpointSchema = Type.Object({
  height: count('height'),
  epoch: count('validator set'),
  round: count('round of certification'),
  historySize: count('leaves of the history tree'),
  historyRoot: hash('root of the history tree'),
  stateRoot: hash('root of the state tree'),
  validatorSet: hash('digest of the set that signs the next height'),
  certified: Type.Boolean(),
  signatures: Type.Array(
    Type.Object({
      validator: Type.String(),
      protected: base64url('protected header of the COSE receipt'),
      signature: base64url('signature'),
    }),
  ),
});

export const validatorSchema = Type.Object({
  id: Type.String(),
  member: Type.String(),
  linkKey: hex('Ed25519, links'),
  votingKey: hex('Ed25519, votes'),
  checkpointKey: hex('Ed25519, checkpoints'),
  addresses: Type.Array(Type.String()),
  host: Type.Optional(Type.String()),
  operator: Type.Optional(Type.String()),
});

export const epochSchema = Type.Object({
  epoch: count('number'),
  fromHeight: count('first height'),
  toHeight: Type.Optional(count('last height; missing for the present epoch')),
  rules: Type.Optional(count('rule set; missing where this node does not know it')),
  validatorSet: hash('digest of the set'),
  validators: Type.Array(Type.String()),
  quorum: count('signatures that certify'),
  proof: Type.Optional(
    base64url(
      'EpochProof: that it ended, and who came next (docs/wire-format.md, section 4); missing until it can be had',
    ),
  ),
});

/** Proofs are large: a page has few of them. */
export const epochsPageMax = 16;
const epochNumber = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'number of an epoch' });
export const epochParams = Type.Object({ epoch: epochNumber });
export const epochsQuery = Type.Object(
  {
    from: Type.Optional(epochNumber),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: epochsPageMax, description: `epochs per page; ${epochsPageMax} by default` }),
    ),
  },
  closed,
);
export const epochsSchema = Type.Object({
  epochs: Type.Array(epochSchema),
  next: Type.Union([Type.Integer(), Type.Null()], { description: '`from` of the next page; null at the end' }),
  heldFrom: count(
    'lowest height that this node has all of; rules and proofs of epochs that ended before may be missing',
  ),
});

const peerSchema = Type.Object({
  id: Type.String(),
  connected: Type.Boolean(),
  height: Type.Optional(count('what it last said it had finalized')),
  roundTripMs: Type.Optional(Type.Number()),
});

export const statusSchema = Type.Object({
  ledger: Type.Object({ name: Type.String(), hash: hash('hash of the genesis document') }),
  node: Type.Object({ id: Type.String(), member: Type.String(), version: Type.String() }),
  mode: Type.Union(nodeModes.map((mode) => Type.Literal(mode))),
  fencedFor: Type.Optional(Type.String({ description: 'why it signs nothing, where it is fenced' })),
  inSync: Type.Boolean(),
  epoch: count('validator set'),
  view: count('present view'),
  rules: count('present rules'),
  finalizedHeight: count('highest finalized block'),
  executedHeight: count('highest executed block'),
  certifiedHeight: count('highest certified checkpoint'),
  blockTime: time('block time of the executed height'),
  heldFrom: Type.Optional(heldFromSchema),
  historySize: count('accepted transactions and genesis entries'),
  historyRoot: hash('at the executed height'),
  stateRoot: hash('at the executed height'),
  transactions: count('transactions in the view'),
  readings: count('readings in the view'),
  mempool: Type.Object({ transactions: count('waiting'), sizeBytes: count('their size') }),
  validators: count('validators of the epoch'),
  quorum: count('signatures that certify'),
  suspended: Type.Array(Type.String(), { description: 'validators whose views are skipped: proven faulty' }),
  uptimeMs: count('since the start'),
  peers: Type.Array(peerSchema),
});

const keySchema = Type.Object({
  kid: hex('first 8 bytes of the COSE key thumbprint'),
  algorithm: Type.String(),
  role: Type.String(),
  publicKey: hex('public key'),
  registeredHeight: count('height'),
  revokedHeight: Type.Optional(count('height')),
});

export const accountSchema = Type.Object({
  id: Type.String({ description: 'member or member/device' }),
  balances: Type.Array(
    Type.Object({
      asset: Type.String(),
      amount: Type.String({ pattern: '^[0-9]+$', description: 'base units' }),
      decimals: count('base units per unit, as a power of ten'),
    }),
  ),
});

export const memberSchema = Type.Object({ id: Type.String(), name: Type.String(), keys: Type.Array(keySchema) });

export const deviceSchema = Type.Object({
  id: Type.String({ description: 'member/device' }),
  member: Type.String(),
  device: Type.String(),
  keys: Type.Array(keySchema),
});

export const readingSchema = Type.Object({
  device: Type.String(),
  name: Type.String({ description: 'resolved SenML name' }),
  unit: Type.Union([Type.String(), Type.Null()]),
  time: time('rounded to milliseconds'),
  seconds: Type.String({ description: 'seconds since 1970, exact' }),
  value: Type.Unsafe<unknown>({
    description:
      'a number with exactly the decimals it was signed with, a text, a boolean, or null. Read numbers from their text.',
  }),
  data: Type.Optional(base64url('a data value; `value` is null then')),
  sum: Type.Optional(Type.Number()),
  provenance,
  transaction: hash('transaction that carried it'),
  height: count('block it stands in'),
});

export const pageOf = <T extends TSchema>(name: string, item: T) =>
  Type.Object({
    [name]: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], { description: 'cursor of the next page; null at the end' }),
  });

const part = '[a-z0-9-]{1,32}';

export const idParams = Type.Object({
  id: Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'transaction id' }),
});
export const heightParams = Type.Object({
  height: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'height' }),
});
export const nameParams = Type.Object({
  id: Type.String({ pattern: `^${part}(/${part})?$`, description: 'member, or member%2Fdevice' }),
});
export const pairParams = Type.Object({
  member: Type.String({ pattern: `^${part}$` }),
  device: Type.String({ pattern: `^${part}$` }),
});
export const blockQuery = Type.Object(
  { transactions: Type.Optional(Type.Boolean({ description: 'list the transactions and their verdicts' })) },
  closed,
);

export const heldQuery = Type.Object(
  { edge: Type.Optional(Type.Boolean({ description: 'with the right edge of the history tree after this height' })) },
  closed,
);

export const pageQuery = (sizeMax: number) =>
  Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: sizeMax, description: 'items per page; 1000 by default' }),
      ),
      cursor: Type.Optional(
        Type.String({ pattern: '^[A-Za-z0-9_.~-]{1,256}$', description: '`next` of the page before' }),
      ),
    },
    closed,
  );

export const readingsQuery = (sizeMax: number) =>
  Type.Object(
    {
      ...pageQuery(sizeMax).properties,
      from: Type.Optional(
        Type.String({ maxLength: 40, description: 'inclusive; RFC 3339 time, or milliseconds since 1970' }),
      ),
      to: Type.Optional(Type.String({ maxLength: 40, description: 'exclusive; likewise' })),
      format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('csv')])),
    },
    closed,
  );

export const eventsQuery = Type.Object(
  {
    types: Type.Optional(
      Type.String({
        pattern: `^(${eventKinds.join('|')})(,(${eventKinds.join('|')}))*$`,
        maxLength: 500,
        description: `what to be told, separated by commas; block,status by default. Kinds: ${eventKinds.join(', ')}`,
      }),
    ),
    after: Type.Optional(Type.String({ maxLength: 64, description: 'like Last-Event-ID, for the first connection' })),
  },
  closed,
);

export type ReadingsQuery = Static<ReturnType<typeof readingsQuery>>;
