import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { anchorToChain, bytesToBase64url, encodeEpochProof, followEpochs, nobleVerifier } from '@cairn-ledger/core';
import { type ClientOptions, createClient } from './client.ts';
import { createEpochFollower } from './epochs.ts';
import { createKey, createSigner } from './key.ts';
import { createFakeNetwork, epochsPage, sendJson, startFakeNode } from './testing/fake-network.ts';
import { signTransaction } from './transaction.ts';
import { verifyReceiptOf } from './verify.ts';

const day = 86_400_000;
const network = createFakeNetwork();
network.changeTo('node-1', 'node-2', 'node-3', 'node-4', 'node-5');
network.changeTo('node-2', 'node-3', 'node-4', 'node-5');
network.changeTo('node-3', 'node-4', 'node-5', 'node-6');
const { anchor, proofs } = network;
const nodes = await Promise.all([network, network, network].map(startFakeNode));
const [first, second, third] = nodes as [Node, Node, Node];
type Node = (typeof nodes)[0];
after(() => Promise.all(nodes.map((node) => node.close())));
afterEach(() => {
  for (const node of nodes) {
    node.misbehave = null;
    node.requests.length = 0;
  }
});

const urls = nodes.map((node) => node.url);
const clientOf = (options: Partial<ClientOptions> = {}) =>
  createClient({ nodes: urls, anchor, timeoutMs: 2_000, ...options });
const id = network.accept(readingFor(network.ledgerHash));

/** Makes a node show other proofs than the network has. */
const show = (node: Node, shown: typeof proofs) => {
  node.misbehave = (request, response) => {
    const [, from] = /^\/v1\/epochs\?from=(\d+)$/.exec(request.url ?? '') ?? [];
    return from !== undefined && sendJson(response, 200, epochsPage(shown, Number(from)));
  };
};
const asked = (node: Node, path: string) => node.requests.filter((request) => request.includes(path)).length;

// --- Following -------------------------------------------------------------------------------------------------------

test('a receipt of a later epoch is verified over the proofs, which come with it', async () => {
  const client = clientOf();
  const receipt = await client.receipt(id);
  assert.ok(receipt.ok, receipt.ok ? '' : receipt.error.message);
  const { verified } = receipt.value;
  assert.deepEqual(verified.signers, ['node-3', 'node-4', 'node-5']);
  assert.deepEqual([verified.epoch, verified.anchorEpoch, verified.membershipChanges], [4, 1, 3]);
  assert.deepEqual([verified.validators, verified.quorum], [4, 3]);
  assert.deepEqual(receipt.value.proofs, proofs);
  const offline = followEpochs(anchorToChain(anchor), receipt.value.proofs, nobleVerifier);
  assert.ok(offline.ok);
  assert.deepEqual(verifyReceiptOf(offline.value, receipt.value.receipt, receipt.value.transaction), {
    ok: true,
    value: verified,
  });
});

test('proofs are asked for once, page by page, and only from where the chain ends', async () => {
  const client = clientOf();
  assert.ok((await client.receipt(id)).ok);
  assert.deepEqual(
    first.requests.filter((request) => request.includes('epochs')),
    ['GET /v1/epochs?from=1', 'GET /v1/epochs?from=3'],
  );
  assert.ok((await client.receipt(id)).ok);
  assert.equal(asked(first, 'epochs'), 2, 'nothing was asked for again');
  const chain = client.epochs();
  assert.equal(chain?.anchors.length, 4);
  first.requests.length = 0;
  const later = clientOf({ anchor: chain! });
  assert.ok((await later.receipt(id)).ok);
  assert.equal(asked(first, 'epochs'), 0, 'a chain that was kept is not asked for again');
});

test('a node that has no proofs, false ones or nonsense is passed over', async () => {
  const stolen = createFakeNetwork();
  const lies: (() => void)[] = [
    () => show(first, []),
    () => show(first, proofs.slice(0, 1)),
    () => show(first, [proofs[1]!, proofs[0]!]),
    () => show(first, [{ ...proofs[0]!, validators: proofs[1]!.validators }]),
    () => show(first, [stolen.endOf(1, 5, ['node-1'])]),
    ...[
      'null',
      '{"epochs":7}',
      '{"epochs":[null],"next":2}',
      '{"epochs":[{"proof":"!"}]}',
      '{"epochs":[{"proof":"AAAA"}]}',
    ].map((body) => () => {
      first.misbehave = (request, response) => request.url!.startsWith('/v1/epochs') && sendJson(response, 200, body);
    }),
  ];
  for (const lie of lies) {
    lie();
    const receipt = await clientOf().receipt(id);
    assert.ok(receipt.ok, receipt.ok ? '' : receipt.error.message);
  }
});

test('when no node has the proofs the error says what is missing', async () => {
  for (const node of nodes) show(node, proofs.slice(0, 1));
  const receipt = await clientOf().receipt(id);
  assert.equal(!receipt.ok && receipt.error.code, 'receipt.unknown-epoch');
  for (const node of nodes) show(node, [{ ...proofs[0]!, signatures: proofs[0]!.signatures.slice(1) }]);
  const forged = await clientOf().receipt(id);
  assert.equal(!forged.ok && forged.error.code, 'anchor.too-few-signatures');
});

test('pages without end are not followed', async () => {
  let pages = 0;
  const endless = (shown: (from: number) => unknown) => {
    pages = 0;
    first.misbehave = (request, response) => {
      const [, from] = /from=(\d+)$/.exec(request.url ?? '') ?? [];
      if (from === undefined) return false;
      pages++;
      return sendJson(response, 200, { epochs: [shown(Number(from))], next: Number(from) + 1 });
    };
  };
  const proof = bytesToBase64url(encodeEpochProof(proofs[0]!));
  for (const row of [{ proof: null }, { proof }]) {
    endless(() => row);
    const follower = createEpochFollower({ nodes: [first.url], anchor, timeoutMs: 2_000 });
    assert.ok((await follower.leadTo(1_000_000)).ok);
    assert.ok(pages <= 3, `${pages} pages were asked for`);
  }
});

// --- Two futures -----------------------------------------------------------------------------------------------------

test('a node that shows another future, signed by a quorum, raises the alarm and names who signed both', async () => {
  const fork = [network.endOf(1, 7, ['node-1', 'node-2', 'node-9'])];
  show(second, fork);
  const client = clientOf({ trustPeriodMs: 0 });
  const receipt = await client.receipt(id);
  assert.equal(!receipt.ok && receipt.error.code, 'anchor.two-futures');
  assert.match(!receipt.ok ? receipt.error.message : '', /node-1, node-2, node-3 signed both/);
});

test('a node that hides a change behind an unchanged set is found out by the others', async () => {
  const changed = createFakeNetwork();
  const node = await startFakeNode(changed);
  const honest = await startFakeNode(changed);
  try {
    const unchanged = changed.endOf(1, 4, ['node-1', 'node-2', 'node-3', 'node-4']);
    changed.changeTo('node-5', 'node-6', 'node-7', 'node-8');
    show(node, [unchanged]);
    const mine = changed.accept(readingFor(changed.ledgerHash));
    const client = createClient({ nodes: [node.url, honest.url], anchor: changed.anchor, timeoutMs: 2_000 });
    const receipt = await client.receipt(mine);
    assert.ok(receipt.ok, receipt.ok ? '' : receipt.error.message);
    assert.deepEqual(receipt.value.proofs, changed.proofs);
  } finally {
    await Promise.all([node.close(), honest.close()]);
  }
});

// --- Trust period ----------------------------------------------------------------------------------------------------

test('an old anchor is confirmed by f + 1 witnesses, once', async () => {
  const client = clientOf({ trustPeriodMs: 30_000 });
  for (let i = 0; i < 2; i++) assert.ok((await client.receipt(id)).ok);
  for (const node of nodes) assert.equal(asked(node, 'checkpoints/latest'), 1);
});

test('too few witnesses: an old anchor is refused before anything is believed', async () => {
  const alone = clientOf({ nodes: [first.url], trustPeriodMs: 30_000 });
  const receipt = await alone.receipt(id);
  assert.equal(!receipt.ok && receipt.error.code, 'anchor.too-old');
  assert.match(!receipt.ok ? receipt.error.message : '', /1 of 2 nodes/);
  assert.equal(asked(first, 'transactions'), 0);
  // The same node under two names is one witness; so is one beside a dead one.
  const witnesses = [first.url, `${first.url}/`, 'http://127.0.0.1:1'];
  const doubled = await clientOf({ trustPeriodMs: 30_000, witnesses, timeoutMs: 300 }).receipt(id);
  assert.equal(!doubled.ok && doubled.error.code, 'anchor.too-old');
  const confirmed = clientOf({ nodes: [first.url], witnesses: urls, trustPeriodMs: 30_000 });
  assert.ok((await confirmed.receipt(id)).ok);
  assert.ok((await clientOf({ nodes: [first.url], trustPeriodMs: Number.POSITIVE_INFINITY }).receipt(id)).ok);
});

test('a witness counts only with a checkpoint of the newest validators', async () => {
  const before = createFakeNetwork();
  const shown: unknown[] = [before.latestCheckpoint(), {}, null, { historyRoot: '00', signatures: [] }];
  const checkpoint = network.latestCheckpoint() as { historyRoot: string; signatures: unknown[] };
  shown.push({ ...checkpoint, signatures: checkpoint.signatures.slice(1) });
  shown.push({ ...checkpoint, historyRoot: '00'.repeat(32) });
  shown.push({ ...checkpoint, signatures: [null, ...checkpoint.signatures] });
  for (const answer of shown) {
    for (const node of [second, third]) {
      node.misbehave = (request, response) =>
        request.url === '/v1/checkpoints/latest' && sendJson(response, 200, answer);
    }
    const receipt = await clientOf({ trustPeriodMs: 30_000 }).receipt(id);
    assert.equal(!receipt.ok && receipt.error.code, 'anchor.too-old', JSON.stringify(answer));
  }
});

test('an anchor in use stays fresh by what is verified with its newest validators', async () => {
  let nowMs = Date.now();
  const follower = createEpochFollower(
    { nodes: [first.url], anchor, trustPeriodMs: 30 * day, timeoutMs: 2_000 },
    nobleVerifier,
    () => nowMs,
  );
  assert.ok((await follower.leadTo(4)).ok);
  nowMs += 29 * day;
  follower.onVerified(3, nowMs / 1000);
  follower.onVerified(4, nowMs / 1000 + 1e9);
  nowMs += 29 * day;
  assert.ok((await follower.ensureFresh()).ok, 'a time ahead of the clock counts as now, an older epoch not at all');
  nowMs += 2 * day;
  follower.onVerified(4, nowMs / 1000);
  const late = await follower.ensureFresh();
  assert.equal(
    !late.ok && late.error.code,
    'anchor.too-old',
    'what is old can no longer be made fresh by its own keys',
  );
});

function readingFor(ledgerHash: Uint8Array): Uint8Array {
  const readings = [{ name: 't', time: '1700000000', value: { type: 'number' as const, text: '1.50' } }];
  const signed = signTransaction({ ledgerHash, counter: 1n, readings }, createSigner(createKey()));
  assert.ok(signed.ok);
  return signed.value;
}
