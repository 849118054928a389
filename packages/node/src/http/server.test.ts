import { strict as assert } from 'node:assert';
import { randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createLinkIdentity } from '../crypto/certificate.ts';
import type { HttpConfig } from './binding.ts';
import { createFakeEdge, type FakeEdge } from './fake-edge.ts';
import type { HttpLimits } from './limits.ts';
import { startHttpServer } from './server.ts';
import { createToken } from './tokens.ts';

const loopback: HttpConfig = { host: '127.0.0.1', port: 0 };

async function serve(context: TestContext, limits: Partial<HttpLimits> = {}, edge: FakeEdge = createFakeEdge()) {
  const server = await startHttpServer(loopback, edge, { limits });
  assert.ok(server.ok);
  context.after(() => server.value.stop(100));
  return server.value;
}

function filesFor(): { dir: string; tls: { certPath: string; keyPath: string }; tokensPath: string; token: string } {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-http-'));
  const identity = createLinkIdentity(randomBytes(32));
  const [certPath, keyPath, tokensPath] = ['cert.pem', 'key.pem', 'tokens.json'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const { token, entry } = createToken('reader', ['read']);
  writeFileSync(certPath, identity.certificatePem);
  writeFileSync(keyPath, identity.privateKeyPem, { mode: 0o600 });
  writeFileSync(tokensPath, JSON.stringify({ tokens: [entry] }), { mode: 0o600 });
  return { dir, tls: { certPath, keyPath }, tokensPath, token };
}

/** Sends text on a raw connection; gives what came back until the other side closed. */
function talk(port: number, text: string, end = true): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => (end ? socket.end(text) : socket.write(text)));
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

test('an address that others can reach is refused without TLS and tokens, and the message says what to do', async () => {
  const { tls, tokensPath } = filesFor();
  for (const [change, code, says] of [
    [{}, 'config.http-needs-tls', /set http\.tls .* or bind to 127\.0\.0\.1/],
    [{ tokensPath }, 'config.http-needs-tls', /TLS/],
    [{ tls }, 'config.http-needs-tokens', /name a tokens file/],
  ] as const) {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'node.example', '::ffff:192.0.2.1', '128.0.0.1']) {
      const server = await startHttpServer({ host, port: 0, ...change }, createFakeEdge());
      assert.ok(!server.ok, host);
      assert.equal(server.error.code, code);
      assert.match(server.error.message, says);
    }
  }
});

test('with TLS and tokens it serves those who have one', async (context) => {
  const { tls, tokensPath, token } = filesFor();
  const server = await startHttpServer({ host: '0.0.0.0', port: 0, tls, tokensPath }, createFakeEdge());
  assert.ok(server.ok);
  context.after(() => server.value.stop(100));
  const ask = (authorization?: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = authorization === undefined ? {} : { authorization };
      const { port } = server.value;
      get(
        { host: '127.0.0.1', port, path: '/v1/status', headers, rejectUnauthorized: false, agent: false },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      ).on('error', reject);
    });
  assert.equal(await ask(), 401);
  assert.equal(await ask(`Bearer ${token}`), 200);
  assert.equal(
    await talk(server.value.port, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n').then((text) => text.includes('200 OK')),
    false,
  );
});

test('a renewed certificate is picked up while running; one that is no good leaves the old one in place', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const { tls } = filesFor();
  const server = await startHttpServer({ ...loopback, tls }, createFakeEdge());
  assert.ok(server.ok);
  context.after(() => server.value.stop(100));
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port: server.value.port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()!.fingerprint256);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const first = await shown();
  const identity = createLinkIdentity(randomBytes(32));
  writeFileSync(tls.certPath, identity.certificatePem);
  context.mock.timers.tick(60_000);
  assert.equal(await shown(), first, 'the key does not belong to it yet');
  writeFileSync(tls.keyPath, identity.privateKeyPem);
  context.mock.timers.tick(60_000);
  assert.equal(await shown(), new X509Certificate(identity.certificatePem).fingerprint256);
});

test('certificate and key that cannot be used are refused by name', async () => {
  const { dir, tls, tokensPath } = filesFor();
  const start = async (change: Partial<HttpConfig['tls']>) => {
    const server = await startHttpServer({ ...loopback, tokensPath, tls: { ...tls, ...change } }, createFakeEdge());
    return server.ok ? 'started' : `${server.error.code} ${server.error.message}`;
  };
  assert.match(await start({ keyPath: join(dir, 'none') }), /config\.http-tls-invalid .*ENOENT/);
  assert.match(await start({ keyPath: filesFor().tls.keyPath }), /does not belong/);
  assert.match(await start({ keyPath: tokensPath }), /config\.http-tls-invalid/);
  chmodSync(tls.keyPath, 0o644);
  assert.match(await start({}), /can be read by everybody/);
});

test('a port that is taken is refused by name', async (context) => {
  const { port } = await serve(context);
  const second = await startHttpServer({ ...loopback, port }, createFakeEdge());
  assert.ok(!second.ok);
  assert.equal(second.error.code, 'config.http-address-unusable');
  assert.match(second.error.message, /EADDRINUSE/);
});

test('bytes that are not HTTP get problem details and a closed connection', async (context) => {
  const { port } = await serve(context);
  for (const text of [
    'nonsense\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET / HTTP/1.1\r\nbad header\r\n\r\n',
    'POST /v1/transactions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cose\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
  ]) {
    const answer = await talk(port, text, false);
    assert.match(answer, /^HTTP\/1\.1 400/, JSON.stringify(text));
    assert.match(answer, /"code":"http\.bad-request"/);
  }
  const large = await talk(port, `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, false);
  assert.match(large, /^HTTP\/1\.1 431 .*"code":"http\.headers-too-large"/s);
});

test('a client that trickles its headers or its body is cut off, and others are served meanwhile', async (context) => {
  const { url, port } = await serve(context, { headersTimeoutMs: 150, requestTimeoutMs: 300 });
  const headers = talk(port, 'GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx-slow: ', false);
  const start =
    'POST /v1/transactions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cose\r\ncontent-length: 1000\r\n\r\nab';
  const body = talk(port, start, false);
  assert.equal((await fetch(`${url}/v1/status`)).status, 200);
  assert.match(await headers, /408/);
  assert.match(await body, /408/);
});

test('one address cannot take all connections', async (context) => {
  const server = await serve(context, { connectionsPerAddressMax: 3 });
  const open: Socket[] = [];
  const closed: number[] = [];
  for (let i = 0; i < 5; i++) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('close', () => closed.push(i));
    open.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
  }
  while (closed.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(closed.sort(), [3, 4]);
  assert.equal(server.samples().http_connections, 3);
  for (const socket of open) socket.destroy();
});

test('a body announced over the limit is refused before it is read', async (context) => {
  const { port } = await serve(context);
  const answer = await talk(
    port,
    'POST /v1/transactions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/cose\r\ncontent-length: 99999999999\r\n\r\n',
    false,
  );
  assert.match(answer, /^HTTP\/1\.1 413 .*"code":"http\.body-too-large"/s);
});

test('a wait ends when the client goes away', async (context) => {
  const edge = createFakeEdge();
  const aborted = new Promise<void>((resolve) => {
    edge.waitFor = (_id, _timeoutMs, signal) =>
      new Promise((done) => {
        signal.addEventListener('abort', () => {
          resolve();
          done(null);
        });
      });
  });
  const server = await serve(context, {}, edge);
  const client = new AbortController();
  const answer = fetch(`${server.url}/v1/transactions`, {
    method: 'POST',
    body: new Uint8Array([0]),
    headers: { 'content-type': 'application/cose', prefer: 'wait' },
    signal: client.signal,
  });
  while (server.samples().http_waiters !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  client.abort();
  await assert.rejects(answer);
  await aborted;
  while (server.samples().http_waiters !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('random bytes at the port never stop it', async (context) => {
  const { url, port } = await serve(context);
  await Promise.all(Array.from({ length: 50 }, (_, i) => talk(port, randomBytes(1 + i * 40).toString('latin1'))));
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('a connection on which nothing was asked does not delay stopping', async () => {
  const server = await startHttpServer(loopback, createFakeEdge());
  assert.ok(server.ok);
  const socket = connect(server.value.port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  while (server.value.samples().http_connections !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const startedMs = performance.now();
  await server.value.stop();
  await closed;
  assert.ok(performance.now() - startedMs < 2_500, 'well before the grace for requests under way');
});
