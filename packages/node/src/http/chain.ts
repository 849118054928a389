/** The chain as this node has it: genesis, blocks, checkpoints, epochs, validators, status. */
import { Type } from 'typebox';
import type { App, HttpContext } from './app.ts';
import { problemOf, sendProblem } from './problem.ts';
import {
  blockQuery,
  blockSchema,
  checkpointSchema,
  epochSchema,
  heightParams,
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
      if (block === null) return sendProblem(reply, problemOf('http.not-found', `no block ${height} is executed here`));
      return blockJson(block);
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
      config,
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
      return sendProblem(reply, problemOf('http.not-found', `height ${height} is not executed here`));
    },
  );

  app.get(
    '/v1/epochs',
    {
      schema: {
        tags,
        operationId: 'listEpochs',
        summary: 'Epochs and their validator sets',
        response: { 200: Type.Object({ epochs: Type.Array(epochSchema) }) },
      },
      config,
    },
    async () => ({ epochs: (await port.epochs()).map(epochJson) }),
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
    () => Promise.resolve(statusJson(port.status())),
  );
}
