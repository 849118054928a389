/** A node is audited over HTTP: by the very routes of a node, over databases of real nodes that are sound or tampered with on the way. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import {
  createHistoryReader,
  decodeGenesis,
  fromHex,
  sha256,
  toEpoch,
  toHex,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { createApp } from '../http/app.ts';
import { readyStatus } from '../http/fake-edge.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { decodeHeldHeight, encodeHeldHeight, type HeldHeight } from '../storage/held-height.ts';
import { openViewDb } from '../storage/view-db.ts';
import { createNodeEdge } from '../threads/node-edge.ts';
import { createProvenChain } from '../threads/proven-chain.ts';
import { createReceiptCheck } from '../threads/receipt-check.ts';
import { createWaiters } from '../threads/waiters.ts';
import { auditNode, type RemoteAuditOptions, type RemoteAuditReport } from './remote-audit.ts';
import { type MadeFolder, makeNodeFolder } from './testing/node-folder.ts';

type Parts = Parameters<typeof createNodeEdge>[0];

const removalAt = 3;
const foundedAt = 9;
const uncertified = 2;

let changed: MadeFolder;
let founded: MadeFolder;
let growing: MadeFolder;
before(async () => {
  changed = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 3, removalAt });
  founded = await makeNodeFolder({ blocks: 14, transactionsPerBlock: 3, removalAt, foundedAt });
  growing = await makeNodeFolder({ blocks: 8, transactionsPerBlock: 3, uncertified });
});
after(() => {
  for (const folder of [changed, founded, growing]) folder.remove();
});

test('a node over two epochs is sound, all of it or only the last heights', async (t) => {
  for (const recent of [undefined, 1, 5, 8, 100]) {
    const report = await auditOf(t, changed, { recent });
    assert.deepEqual(report.findings, [], `recent ${recent}`);
    const { fromHeight, toHeight, certifiedHeight } = report.checked;
    const from = recent === undefined ? 0 : Math.max(0, changed.tipHeight - recent + 1);
    assert.deepEqual([fromHeight, toHeight, certifiedHeight], [from, changed.tipHeight, changed.tipHeight]);
  }
  const { checked, bytes, node, ledgerHash } = await auditOf(t, changed);
  assert.deepEqual([checked.blocks, checked.batches], [changed.tipHeight + 1, changed.tipHeight]);
  assert.ok(bytes > 5_000 && checked.signatures > 50);
  assert.deepEqual([node, ledgerHash], ['http://node.test', toHex(changed.ledgerHash)]);
});

test('of a node that was founded from a snapshot, and of one whose tip is not certified, that is noted', async (t) => {
  const later = await auditOf(t, founded);
  assert.deepEqual(later.findings, []);
  assert.deepEqual([later.checked.fromHeight, later.checked.toHeight], [foundedAt + 1, founded.tipHeight]);
  assert.ok(later.notes.some(({ where }) => where.height === foundedAt + 1));
  const young = await auditOf(t, growing);
  assert.deepEqual(young.findings, []);
  assert.equal(young.checked.certifiedHeight, growing.tipHeight - uncertified);
});

test('nothing is left in the temporary folder', async (t) => {
  const tempDir = mkdtempSync(join(tmpdir(), 'cairn-audit-left-'));
  t.after(() => rmSync(tempDir, { recursive: true }));
  await auditOf(t, changed, { tempDir });
  assert.deepEqual(readdirSync(tempDir), []);
});

type Change = (held: HeldHeight, height: number) => Partial<HeldHeight> | null;
const flipped = (bytes: Uint8Array, at = bytes.length - 1): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

/** What a node could say that is not so. */
const lies: readonly (readonly [what: string, height: number, change: Change, classes: readonly string[]])[] = [
  ['a block changed', 4, ({ body }) => ({ body: flipped(body, 0) }), ['block']],
  ['a header changed', 4, ({ header }) => ({ header: flipped(header) }), ['block']],
  [
    'a finalization with a false signature',
    5,
    ({ finalization }) => ({ finalization: flipped(finalization!) }),
    ['certificate'],
  ],
  ['no batch', 5, () => ({ batches: [] }), ['batch']],
  ['another batch', 5, ({ batches }) => ({ batches: [flipped(batches[0]!)] }), ['batch']],
  ['a false signature of a checkpoint', 6, ({ signatures }) => ({ signatures: flipped(signatures!) }), ['checkpoint']],
  ['another checkpoint of its own', 6, ({ statement }) => ({ statement: flipped(statement, 60) }), ['checkpoint']],
  [
    'transactions called rejected',
    2,
    () => ({ verdicts: Uint8Array.of(0x81, 0x84, 0, 0x6a, ...Buffer.from('tx.expired'), 0xf6, 0) }),
    ['history'],
  ],
  ['an invented number of leaves', 3, ({ historySize }) => ({ historySize: historySize + 1 }), ['block']],
  ['no signatures from some height on', 1, () => ({ signatures: null }), ['checkpoint']],
];

test('what a node says that is not so is found, whatever it is', async (t) => {
  for (const [what, from, change, classes] of lies) {
    const isOpen = classes[0] === 'checkpoint' && from === 1;
    const report = await auditOf(t, changed, {}, (held, height) =>
      height === from || (isOpen && height > from) ? { ...held, ...change(held, height) } : held,
    );
    assert.equal(report.isSound, false, what);
    for (const kind of classes)
      assert.ok(
        report.findings.some((finding) => finding.class === kind),
        `${what}: ${JSON.stringify(report.findings)}`,
      );
  }
});

test('a height that is hidden, and bytes that are none, are findings and end the download', async (t) => {
  const hidden = await auditOf(t, changed, {}, (held, height) => (height === 6 ? null : held));
  assert.deepEqual(
    hidden.findings.map(({ code, where }) => [code, where.height]),
    [
      ['audit.missing', 6],
      ['audit.unproven', 6],
    ].slice(0, hidden.findings.length),
  );
  assert.equal(hidden.checked.toHeight, 5);
  const garbage = await auditOf(t, changed, {}, (held, height) => (height === 6 ? Uint8Array.of(1, 2, 3) : held));
  assert.equal(garbage.findings[0]?.code, 'audit.malformed');
});

test('what is downloaded has a limit', async (t) => {
  const report = await auditOf(t, changed, { downloadMax: 12_000 });
  assert.ok(report.checked.toHeight < changed.tipHeight);
  assert.match(report.notes.map(({ what }) => what).join(), /which is the limit/);
  assert.ok(report.bytes < 40_000);
});

test('the epochs must lead through an anchor that is given', async (t) => {
  const set = orThrow(decodeGenesis(genesisOf(changed))).validators;
  const next = set.filter(({ id }) => id !== 'node-2');
  const anchor = {
    ledgerHash: changed.ledgerHash,
    epoch: toEpoch(2),
    validators: next,
    setDigest: validatorSetDigest(next),
    quorum: 3,
    certifiedSeconds: 1,
  };
  assert.deepEqual((await auditOf(t, changed, { anchor })).findings, []);
  const other = await auditOf(t, changed, { anchor: { ...anchor, setDigest: sha256(Uint8Array.of(1)) } });
  assert.deepEqual(
    other.findings.map(({ code }) => code),
    ['audit.differs'],
  );
  const farther = await auditOf(t, changed, { anchor: { ...anchor, epoch: toEpoch(3) } });
  assert.deepEqual(
    farther.findings.map(({ code }) => code),
    ['audit.missing'],
  );
});

test('a node of another ledger, and one that answers nonsense or nothing, cannot be audited', async (t) => {
  const url = 'http://node.test';
  const genesis = genesisOf(changed);
  const foreign = await auditNode({
    url,
    genesis: genesisOf(growing),
    downloadMax: 1e9,
    fetch: await nodeOf(t, changed),
  });
  assert.equal(!foreign.ok && foreign.error.code, 'audit.foreign');
  const ledger = { hash: toHex(sha256(genesis)) };
  const tooHigh = { ledger, heldFrom: 0, executedHeight: Number.MAX_SAFE_INTEGER, certifiedHeight: 0 };
  for (const body of [
    '',
    '[]',
    '{"ledger":7}',
    'null',
    `{"ledger":{"hash":"${'a'.repeat(64)}"},"heldFrom":-1}`,
    JSON.stringify(tooHigh),
  ]) {
    const fetch = () => Promise.resolve(new Response(body));
    const answered = await auditNode({ url, genesis, downloadMax: 1e9, fetch: fetch as typeof globalThis.fetch });
    assert.equal(!answered.ok && answered.error.code, 'audit.malformed', body);
  }
  const broken = await auditNode({ url, genesis: Uint8Array.of(1), downloadMax: 1e9 });
  assert.equal(!broken.ok && broken.error.code, 'genesis.malformed');
});

type OnHeld = (held: HeldHeight, height: number) => HeldHeight | Uint8Array | null;

async function auditOf(
  t: TestContext,
  folder: MadeFolder,
  options: Partial<RemoteAuditOptions> = {},
  onHeld: OnHeld = (held) => held,
): Promise<RemoteAuditReport> {
  const fetch = await nodeOf(t, folder, onHeld);
  return orThrow(
    await auditNode({ url: 'http://node.test', genesis: genesisOf(folder), downloadMax: 1e9, fetch, ...options }),
  );
}

function genesisOf({ dir }: MadeFolder): Uint8Array {
  return new Uint8Array(readFileSync(join(dir, 'genesis.cbor')));
}

/** The routes of a node over the databases of a folder, and somebody in between. */
async function nodeOf(t: TestContext, folder: MadeFolder, onHeld: OnHeld = (held) => held): Promise<typeof fetch> {
  const { dir, ledgerHash } = folder;
  const genesisBytes = genesisOf(folder);
  const genesis = orThrow(decodeGenesis(genesisBytes));
  const chain = orThrow(openChainDb(join(dir, 'data', 'chain.db'), { readOnly: true }));
  const view = orThrow(openViewDb(join(dir, 'data', 'view.db')));
  t.after(() => {
    chain.close();
    view.close();
  });
  const proven = createProvenChain(chain, { genesis, ledgerHash, verifier: sodiumVerifier, store: chain.store });
  const status = {
    ...readyStatus,
    ledger: { name: genesis.name, hash: ledgerHash },
    executedHeight: chain.tip()!.height,
    certifiedHeight: chain.latestCertified()!.height,
  };
  const edge = createNodeEdge({
    genesis,
    genesisBytes,
    chain: proven,
    view,
    history: createHistoryReader(chain.tiles),
    isReceiptSound: createReceiptCheck(proven, ledgerHash, sodiumVerifier),
    admission: {} as unknown as Parts['admission'],
    waiters: createWaiters(),
    book: {} as unknown as Parts['book'],
    validatorId: 'node-1',
    listen: { host: '127.0.0.1', port: 0 },
    addressesOf: () => null,
    fence: () => Promise.reject(new Error('nobody is fenced here')),
    unfence: () => Promise.reject(new Error('nobody is fenced here')),
    status: () => status,
    metrics: () => Promise.resolve(''),
  });
  const { app } = await createApp(edge);
  t.after(() => app.close());
  return (async (input: string) => {
    const answer = await app.inject({ url: input.replace('http://node.test', ''), headers: { host: 'localhost' } });
    const height = /\/v1\/blocks\/(\d+)\/bytes/.exec(input)?.[1];
    const headers = { 'content-type': String(answer.headers['content-type']) };
    if (height === undefined || answer.statusCode !== 200)
      return new Response(new Uint8Array(answer.rawPayload), { status: answer.statusCode, headers });
    const told = onHeld(orThrow(decodeHeldHeight(new Uint8Array(answer.rawPayload))), Number(height));
    if (told === null) return new Response('{"code":"http.not-found","detail":"none"}', { status: 404, headers });
    return new Response(new Uint8Array(told instanceof Uint8Array ? told : encodeHeldHeight(told)), {
      headers,
    });
  }) as typeof fetch;
}

test('a height is read as it was written, and nothing else is one', () => {
  const held: HeldHeight = {
    header: Uint8Array.of(1),
    body: new Uint8Array(0),
    view: 3,
    finalization: null,
    historySize: 5,
    verdicts: Uint8Array.of(0x80),
    statement: Uint8Array.of(2),
    signatures: fromHex('80'),
    batches: [Uint8Array.of(4)],
    edge: [{ level: 0, index: 0, hashes: new Uint8Array(32) }],
  };
  assert.deepEqual(orThrow(decodeHeldHeight(encodeHeldHeight(held))), held);
  for (const wrong of [
    { ...held, edge: [{ level: 0, index: 0, hashes: new Uint8Array(31) }] },
    { ...held, edge: [{ level: 9, index: 0, hashes: new Uint8Array(32) }] },
    { ...held, batches: new Array(65).fill(Uint8Array.of(1)) },
    { ...held, batches: [new Uint8Array((1 << 20) + 1)] },
  ])
    assert.equal(decodeHeldHeight(encodeHeldHeight(wrong)).ok, false);
  assert.equal(decodeHeldHeight(new Uint8Array((24 << 20) + 1)).ok, false);
});
