/** The chain as this node has it: genesis, blocks, checkpoints, epochs, validators, status. */
import { Type } from 'typebox';
import type { App, HttpContext } from './app.ts';
import { problemOf, sendProblem, unknownHeight } from './problem.ts';
import {
  blockQuery,
  blockSchema,
  checkpointSchema,
  epochParams,
  epochsPageMax,
  epochsQuery,
  epochsSchema,
  heightParams,
  heldQuery,
  statusSchema,
  validatorSchema,
} from './schemas.ts';
import { blockJson, checkpointJson, epochJson, statusJson, validatorJson } from './views.ts';

const tags = ['chain'];
const config = { roles: ['read'] as const };
/** What a height holds never changes once it is certified. */
const FOREVER = 'private, max-age=31536000, immutable';

export function addChainRoutes(app: App, { port }: HttpContext): void {
  app.get(
    '/v1/genesis',
    {
      schema: {
        tags,
        operationId: 'getGenesis',
        summary: 'The genesis document',
        description: 'Its SHA-256 is the ledger hash. Compare it with one from another source: it is the trust anchor.',
        response: { 200: { description: 'The document', content: { 'application/cbor': { schema: {} } } } },
      },
      config: { roles: ['read', 'submit'] },
    },
    (_request, reply) =>
      reply.headers({ 'content-type': 'application/cbor', 'cache-control': FOREVER }).send(port.genesis()),
  );

  app.get(
    '/v1/blocks/:height',
    {
      schema: {
        tags,
        operationId: 'getBlock',
        summary: 'A finalized block',
        params: heightParams,
        querystring: blockQuery,
        response: { 200: blockSchema },
      },
      config,
    },
    async (request, reply) => {
      const { height } = request.params;
      const block = await port.block(height, request.query.transactions === true);
      if (block === null) return sendProblem(reply, unknownHeight(height, port.heldFrom(), 'block'));
      return blockJson(block);
    },
  );

  app.get(
    '/v1/blocks/:height/bytes',
    {
      schema: {
        tags,
        operationId: 'getBlockBytes',
        summary: 'Everything held of a height, as stored: a HeldHeight (docs/wire-format.md, section 6)',
        description: 'Block, finalization, batches, checkpoint and its signatures: what `cairn audit --node` verifies.',
        params: heightParams,
        querystring: heldQuery,
        response: { 200: { description: 'The bytes', content: { 'application/cbor': { schema: {} } } } },
      },
      config,
    },
    async (request, reply) => {
      const { height } = request.params;
      const held = await port.heldHeight(height, request.query.edge === true);
      if (held === null) return sendProblem(reply, unknownHeight(height, port.heldFrom(), 'block'));
      return reply.headers({ 'content-type': 'application/cbor', 'cache-control': 'no-store' }).send(held);
    },
  );

  app.get(
    '/v1/checkpoints/latest',
    {
      schema: {
        tags,
        operationId: 'getLatestCheckpoint',
        summary: 'The highest certified checkpoint',
        response: { 200: checkpointSchema },
      },
      config: { roles: ['read', 'submit'] },
    },
    async (_request, reply) => {
      const checkpoint = await port.latestCheckpoint();
      if (checkpoint === null) return sendProblem(reply, problemOf('http.not-found', 'no checkpoint is certified yet'));
      return checkpointJson(checkpoint);
    },
  );

  app.get(
    '/v1/checkpoints/:height',
    {
      schema: {
        tags,
        operationId: 'getCheckpoint',
        summary: 'The checkpoint of a height',
        params: heightParams,
        response: { 200: checkpointSchema },
      },
      config,
    },
    async (request, reply) => {
      const { height } = request.params;
      const checkpoint = await port.checkpoint(height);
      if (checkpoint !== null) return checkpointJson(checkpoint);
      return sendProblem(reply, unknownHeight(height, port.heldFrom(), 'checkpoint'));
    },
  );

  app.get(
    '/v1/epochs',
    {
      schema: {
        tags,
        operationId: 'listEpochs',
        summary: 'Epochs and their validator sets',
        description:
          'Each with the proof of how it ended. Whoever trusts the validators of one epoch follows them from there to the present ones.',
        querystring: epochsQuery,
        response: { 200: epochsSchema },
      },
      config: { roles: ['read', 'submit'] },
    },
    async (request) => {
      const { from = 1, limit = epochsPageMax } = request.query;
      const heldBefore = port.heldFrom();
      const { items, next } = await port.epochs(from, limit);
      return { epochs: items.map(epochJson), next, heldFrom: Math.max(heldBefore, port.heldFrom()) };
    },
  );

  app.get(
    '/v1/epochs/:epoch/proof',
    {
      schema: {
        tags,
        operationId: 'getEpochProof',
        summary: 'How an epoch ended: an EpochProof (docs/wire-format.md, section 4)',
        params: epochParams,
        response: { 200: { description: 'The proof', content: { 'application/cbor': { schema: {} } } } },
      },
      config: { roles: ['read', 'submit'] },
    },
    async (request, reply) => {
      const { epoch } = request.params;
      const proof = await port.epochProof(epoch);
      if (proof !== null) {
        // A quorum's signatures are as good as another one's, and once held they stay.
        return reply.headers({ 'content-type': 'application/cbor', 'cache-control': FOREVER }).send(proof);
      }
      const message = `epoch ${epoch} has not ended here, or it is not certified yet how`;
      return sendProblem(reply, problemOf('http.not-found', message));
    },
  );

  app.get(
    '/v1/validators',
    {
      schema: {
        tags,
        operationId: 'listValidators',
        summary: 'Validators of the present epoch',
        response: { 200: Type.Object({ validators: Type.Array(validatorSchema) }) },
      },
      config,
    },
    async () => ({ validators: (await port.validators()).map(validatorJson) }),
  );

  app.get(
    '/v1/status',
    {
      schema: { tags, operationId: 'getStatus', summary: 'How this node is doing', response: { 200: statusSchema } },
      config,
    },
    () => Promise.resolve({ ...statusJson(port.status()), heldFrom: port.heldFrom() }),
  );
}
