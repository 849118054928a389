import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeTransaction, encodeEpochsFile } from '@cairn-ledger/core';
import { chromium } from 'playwright-core';
import { createKey, createSigner } from './key.ts';
import { createFakeNetwork } from './testing/fake-network.ts';
import { describeTransaction, signTransaction } from './transaction.ts';
import { isSignedBy } from './verify.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const browserPath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/** Where the browser finds the packages; types are stripped on the way, as node does it. */
const page = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({
  imports: {
    '@cairn-ledger/core': '/packages/core/src/index.ts',
    '@cairn-ledger/sdk': '/packages/sdk/src/index.ts',
    '@noble/curves/': '/node_modules/@noble/curves/',
    '@noble/hashes/': '/node_modules/@noble/hashes/',
  },
})}</script>`;

async function serve(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (path === '/') return response.setHeader('content-type', 'text/html').end(page);
    if (!/^\/(packages\/(core|sdk)\/src|node_modules\/@noble)\//.test(path) || !existsSync(join(root, path))) {
      return response.writeHead(404).end();
    }
    const source = readFileSync(join(root, path), 'utf8');
    return response
      .setHeader('content-type', 'text/javascript')
      .end(path.endsWith('.ts') ? stripTypeScriptTypes(source) : source);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs in the browser: makes a key, signs a reading, verifies a receipt, and one that is forged. */
async function inBrowser(input: { genesis: number[]; epochs: number[]; receipt: number[]; transaction: number[] }) {
  const core = await import('@cairn-ledger/core');
  const sdk = await import('@cairn-ledger/sdk');
  const genesis = Uint8Array.from(input.genesis);
  const anchor = core.genesisToTrustAnchor(genesis);
  if (!anchor.ok) throw new Error(anchor.error.message);
  const keys = (['ed25519', 'p256'] as const).map((algorithm) => sdk.createKey(algorithm));
  const signed = keys.map((key) => {
    const transaction = sdk.signTransaction(
      {
        ledgerHash: core.sha256(genesis),
        counter: 1n,
        readings: [
          {
            name: 'temperature',
            unit: 'Cel',
            time: '1386019200',
            value: { type: 'number', text: '74.93588199999998' },
          },
        ],
      },
      sdk.createSigner(key),
    );
    if (!transaction.ok) throw new Error(transaction.error.message);
    return { algorithm: key.algorithm, publicKey: [...key.publicKey], transaction: [...transaction.value] };
  });
  const transaction = Uint8Array.from(input.transaction);
  const file = core.decodeEpochsFile(Uint8Array.from(input.epochs));
  if (!file.ok) throw new Error(file.error.message);
  const chain = core.followEpochs(core.anchorToChain(anchor.value), file.value.proofs, core.nobleVerifier);
  if (!chain.ok) throw new Error(chain.error.message);
  const unreached = sdk.verifyReceiptOf(anchor.value, Uint8Array.from(input.receipt), transaction);
  const verified = sdk.verifyReceiptOf(chain.value, Uint8Array.from(input.receipt), transaction);
  transaction[transaction.length - 1]! ^= 1;
  const forged = sdk.verifyReceiptOf(chain.value, Uint8Array.from(input.receipt), transaction);
  return {
    signed,
    verified: verified.ok ? verified.value : verified.error,
    unreached: unreached.ok ? 'verified' : unreached.error.code,
    forged: forged.ok ? 'verified' : forged.error.code,
  };
}

test('a browser signs what nodes accept, and verifies receipts', {
  skip: browserPath === undefined && 'no chromium here',
}, async () => {
  const network = createFakeNetwork();
  const made = signTransaction(
    {
      ledgerHash: network.ledgerHash,
      counter: 1n,
      readings: [{ name: 't', time: '1700000000', value: { type: 'number', text: '1.50' } }],
    },
    createSigner(createKey()),
  );
  assert.ok(made.ok);
  network.changeTo('node-2', 'node-3', 'node-4', 'node-5');
  const id = network.accept(made.value);
  const server = await serve();
  const browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] });
  try {
    const tab = await browser.newPage();
    await tab.goto(server.url);
    const result = await tab.evaluate(inBrowser, {
      genesis: [...network.genesis],
      epochs: [...encodeEpochsFile(network)],
      receipt: [...network.receiptOf(id)],
      transaction: [...made.value],
    });
    assert.equal('id' in result.verified && result.verified.id, id);
    assert.equal('id' in result.verified && result.verified.membershipChanges, 1);
    assert.equal(result.unreached, 'receipt.unknown-epoch');
    assert.equal(result.forged, 'receipt.not-included');
    for (const { algorithm, publicKey, transaction } of result.signed) {
      const bytes = Uint8Array.from(transaction);
      assert.ok(decodeTransaction(bytes).ok);
      assert.ok(isSignedBy(bytes, { algorithm, publicKey: Uint8Array.from(publicKey) }));
      const content = describeTransaction(bytes);
      assert.deepEqual(content.ok && content.value.readings[0]?.value, { type: 'number', text: '74.93588199999998' });
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
