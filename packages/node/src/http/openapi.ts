/** The OpenAPI document: what the schemas cannot say themselves. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { problemSchema } from './schemas.ts';

/** The calls take raw bytes, which no schema of fastify's describes. */
const rawBody = {
  description: 'COSE_Sign1 bytes; in application/cbor-seq several of them, nothing between',
  required: true,
  content: {
    'application/cose': { schema: { type: 'string', format: 'binary' } },
    'application/cbor-seq': { schema: { type: 'string', format: 'binary' } },
  },
};

const problemAnswer = {
  description: 'Problem details with a code of docs/errors.md',
  content: { 'application/problem+json': { schema: problemSchema } },
};

type Operation = {
  operationId?: string;
  requestBody?: unknown;
  responses?: Record<string, unknown>;
  security?: unknown;
};

export function createOpenApi(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Cairn node',
        version,
        description:
          'A Byzantine-fault-tolerant shared ledger for IoT ecosystems: submit transactions, read the common view, follow the chain.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'transactions', description: 'Handing in and following transactions' },
        { name: 'chain', description: 'Blocks, checkpoints, validators' },
        { name: 'view', description: 'Members, accounts, devices, readings' },
        { name: 'membership', description: 'Members and their votes, inviting and joining' },
        { name: 'events', description: 'News as it happens' },
        { name: 'operations', description: 'For operators and their machines' },
      ],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }, {}],
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        for (const operation of Object.values(path ?? {}) as Operation[]) {
          operation.responses = { ...operation.responses, default: problemAnswer };
          if (operation.operationId === 'submitTransactions') operation.requestBody = rawBody;
        }
      }
      return document.openapiObject;
    },
  };
}
