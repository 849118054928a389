/** For machines that watch the node: is it alive, should it get traffic, what does it count. */
import { Type } from 'typebox';
import { METRICS_CONTENT_TYPE } from '../metrics.ts';
import type { App, HttpContext } from './app.ts';
import type { NodeMode, NodeStatus } from './edge-port.ts';
import { type Problem, problemOf, sendProblem } from './problem.ts';

const tags = ['operations'];

export function addHealthRoutes(app: App, { port }: HttpContext): void {
  app.get(
    '/healthz',
    {
      schema: {
        tags,
        operationId: 'isAlive',
        summary: 'Liveness: the process answers',
        response: { 200: Type.Object({ status: Type.Literal('alive') }) },
      },
      config: { roles: [] },
    },
    () => Promise.resolve({ status: 'alive' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags,
        operationId: 'isReady',
        summary: 'Readiness: 200 only when active and in sync',
        response: { 200: Type.Object({ status: Type.Literal('ready') }) },
      },
      config: { roles: [] },
    },
    async (_request, reply) => {
      const problem = notReady(port.status());
      return problem === null ? { status: 'ready' as const } : sendProblem(reply, problem);
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        tags,
        operationId: 'getMetrics',
        summary: 'Prometheus metrics',
        response: { 200: { description: 'Metrics', content: { 'text/plain': { schema: Type.String() } } } },
      },
      config: { roles: ['read'] },
    },
    async (_request, reply) => reply.header('content-type', METRICS_CONTENT_TYPE).send(await port.metrics()),
  );
}

const notReadyCodes = {
  starting: 'node.starting',
  repairing: 'node.syncing',
  syncing: 'node.syncing',
  observing: 'node.syncing',
  active: 'node.syncing',
  fenced: 'node.fenced',
  stopping: 'node.stopping',
} as const satisfies Record<NodeMode, string>;

function notReady(status: NodeStatus): Problem | null {
  if (status.mode === 'active' && status.inSync) return null;
  const message = `mode ${status.mode}, finalized height ${status.finalizedHeight}, executed height ${status.executedHeight}`;
  return problemOf(notReadyCodes[status.mode], message, { retryAfterMs: 5_000 });
}
