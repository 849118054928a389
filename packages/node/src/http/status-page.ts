/** A page for people: how this node and its peers are doing. One response, no scripts, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import type { App, HttpContext } from './app.ts';
import type { NodeStatus, PeerView } from './edge-port.ts';
import { hexOf, isoOf } from './views.ts';

const REFRESH_SECONDS = 5;

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8885; font-variant-numeric: tabular-nums; vertical-align: top; }
th { font-weight: 600; }
code { font-size: .85rem; overflow-wrap: anywhere; }
.good::before { content: "\\25CF"; color: #2a9d4a; padding-right: .4rem; }
.bad::before { content: "\\25CB"; color: #d1462f; padding-right: .4rem; }
footer { margin-top: 2rem; font-size: .85rem; opacity: .75; }
`;

const styleHash = createHash('sha256').update(style).digest('base64');
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function addStatusPage(app: App, { port }: HttpContext): void {
  app.get(
    '/',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getStatusPage',
        summary: 'Status page for people',
        description: 'With tokens, the browser asks for a name and password: any name, and the token as password.',
        response: { 200: { description: 'The page', content: { 'text/html': { schema: Type.String() } } } },
      },
      config: { roles: ['read'], browser: true },
    },
    (_request, reply) =>
      reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': CONTENT_SECURITY_POLICY,
          'referrer-policy': 'no-referrer',
        })
        .send(renderPage(port.status(), port.heldFrom())),
  );
}

/** @param heldFrom lowest height that the node has all of */
export function renderPage(status: NodeStatus, heldFrom: number): string {
  const { ledger, node } = status;
  const reachable = 1 + status.peers.filter((peer) => peer.connected).length;
  const rows: readonly (readonly [string, string])[] = [
    [
      'State',
      mark(status.mode === 'active' && status.inSync, `${status.mode}, ${status.inSync ? 'in sync' : 'not in sync'}`),
    ],
    [
      'Validators connected',
      mark(reachable >= status.quorum, `${reachable} of ${status.validators}; ${status.quorum} are needed`),
    ],
    ...(status.suspended.length === 0
      ? []
      : ([['Proven faulty', mark(false, status.suspended.map(text).join(', '))]] as const)),
    ...(heldFrom === 0
      ? []
      : ([['History', mark(false, `held from block ${heldFrom} on, the rest is being fetched`)]] as const)),
    ['Certified height', text(status.certifiedHeight)],
    ['Executed height', `${text(status.executedHeight)}, block time ${text(isoOf(status.blockTimeMs))}`],
    ['Finalized height', `${text(status.finalizedHeight)} (epoch ${text(status.epoch)}, view ${text(status.view)})`],
    ['Transactions', text(status.transactions)],
    ['Readings', text(status.readings)],
    ['Waiting', `${text(status.mempool.transactions)} transactions`],
    ['History root', `<code>${hexOf(status.historyRoot)}</code>`],
    ['State root', `<code>${hexOf(status.stateRoot)}</code>`],
    ['Ledger', `${text(ledger.name)} <code>${hexOf(ledger.hash)}</code>`],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>${text(node.id)} - Cairn</title>
<style>${style}</style>
</head>
<body>
<header><h1>${text(node.id)}</h1>Node of ${text(node.member)}, Cairn ${text(node.version)}</header>
<main>
<h2>This node</h2>
<table>${rows.map(([name, value]) => `<tr><th scope="row">${name}</th><td>${value}</td></tr>`).join('\n')}</table>
<h2>Peers</h2>
<table><thead><tr><th scope="col">Node</th><th scope="col">Link</th><th scope="col">Finalized height</th><th scope="col">Round trip</th></tr></thead>
<tbody>${status.peers.map(peerRow).join('\n')}</tbody></table>
</main>
<footer>Renews itself every ${REFRESH_SECONDS} seconds. <a href="/openapi.json">API description</a></footer>
</body>
</html>
`;
}

function peerRow(peer: PeerView): string {
  const roundTrip = peer.roundTripMs === null ? '' : `${peer.roundTripMs.toFixed(1)} ms`;
  const link = mark(peer.connected, peer.connected ? 'connected' : 'not connected');
  return `<tr><td>${text(peer.id)}</td><td>${link}</td><td>${text(peer.height ?? '')}</td><td>${roundTrip}</td></tr>`;
}

function mark(isGood: boolean, content: string): string {
  return `<span class="${isGood ? 'good' : 'bad'}">${text(content)}</span>`;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function text(value: string | number): string {
  return String(value).replace(/[&<>"']/g, (character) => escapes[character]!);
}
