/** A browser signs for a device, the network takes it, and the browser verifies the receipt: no node has to be trusted. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { networkTest, orFail } from './network.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const browserPath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && existsSync(path),
);

if (browserPath === undefined) test('a browser signs and verifies', { skip: 'no chromium here' }, () => undefined);
else
  networkTest('browser', { timeoutMs: 120_000, onEnd: closeAll }, async (network, step) => {
    const page = await openPage(browserPath);
    const genesis = [...readFileSync(network.genesisPath)];
    const secretKey = JSON.parse(readFileSync(network.keyPath('alder/desk'), 'utf8')) as object;
    const node = network.nodes[0]!;
    let signed: Uint8Array;

    await step('what it signs with a key of a device is accepted, decimals and all', async () => {
      signed = Uint8Array.from(await page.evaluate(signInBrowser, { genesis, key: JSON.stringify(secretKey) }));
      const delivered = orFail(await node.client.deliver(signed));
      assert.ok(delivered.verified.signers.length >= 3);
      const { readings } = orFail(await node.client.readings('alder/desk'));
      assert.deepEqual(readings[0]!.value, { type: 'number', text: '74.93588199999998' });
    });

    await step('it verifies the receipt from nothing but the genesis, and names the signers', async () => {
      const { receipt, transaction, verified } = orFail(await node.client.deliver(signed));
      const input = { genesis, receipt: [...receipt], transaction: [...transaction] };
      const seen = await page.evaluate(verifyInBrowser, input);
      assert.deepEqual(seen, { ok: true, value: verified });
    });

    await step('it refuses a receipt, a transaction and a genesis that are changed in one bit', async () => {
      const { receipt, transaction } = orFail(await node.client.deliver(signed));
      const whole = { genesis, receipt: [...receipt], transaction: [...transaction] };
      const keyAt = Buffer.from(genesis).indexOf(network.anchor.validators[0]!.checkpointKey);
      assert.ok(keyAt > 0);
      for (const [field, at] of [
        ['receipt', whole.receipt.length - 1],
        ['transaction', whole.transaction.length - 1],
        ['genesis', keyAt + 5],
      ] as const) {
        const changed = { ...whole, [field]: whole[field].with(at, whole[field][at]! ^ 1) };
        const seen = await page.evaluate(verifyInBrowser, changed);
        assert.equal(seen.ok, false, `a changed ${field} is refused`);
      }
    });
  });

async function signInBrowser(input: { genesis: number[]; key: string }): Promise<number[]> {
  const core = await import('@cairn-ledger/core');
  const sdk = await import('@cairn-ledger/sdk');
  const key = sdk.textToKey(input.key);
  if (!key.ok) throw new Error(key.error.message);
  const signed = sdk.signTransaction(
    {
      ledgerHash: core.sha256(Uint8Array.from(input.genesis)),
      counter: 1n,
      readings: [
        { name: 'temperature', unit: 'Cel', time: '1386019200', value: { type: 'number', text: '74.93588199999998' } },
      ],
    },
    sdk.createSigner(key.value),
  );
  if (!signed.ok) throw new Error(signed.error.message);
  return [...signed.value];
}

async function verifyInBrowser(input: { genesis: number[]; receipt: number[]; transaction: number[] }) {
  const core = await import('@cairn-ledger/core');
  const sdk = await import('@cairn-ledger/sdk');
  const anchor = core.genesisToTrustAnchor(Uint8Array.from(input.genesis));
  if (!anchor.ok) return anchor;
  return sdk.verifyReceiptOf(anchor.value, Uint8Array.from(input.receipt), Uint8Array.from(input.transaction));
}

let browser: Browser | null = null;
let sources: ReturnType<typeof createServer> | null = null;

/** A page in which the packages can be imported by their names, types stripped on the way, as node does it. */
async function openPage(executablePath: string): Promise<Page> {
  const html = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({
    imports: {
      '@cairn-ledger/core': '/packages/core/src/index.ts',
      '@cairn-ledger/sdk': '/packages/sdk/src/index.ts',
      '@noble/curves/': '/node_modules/@noble/curves/',
      '@noble/hashes/': '/node_modules/@noble/hashes/',
    },
  })}</script>`;
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (path === '/') return response.setHeader('content-type', 'text/html').end(html);
    if (!/^\/(packages\/(core|sdk)\/src|node_modules\/@noble)\//.test(path) || !existsSync(join(root, path)))
      return response.writeHead(404).end();
    const source = readFileSync(join(root, path), 'utf8');
    response.setHeader('content-type', 'text/javascript');
    return response.end(path.endsWith('.ts') ? stripTypeScriptTypes(source) : source);
  });
  sources = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return page;
}

async function closeAll(): Promise<void> {
  await browser?.close();
  sources?.closeAllConnections();
  sources?.close();
}
