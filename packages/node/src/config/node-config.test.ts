import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeConfigIn, parseAddress, readNodeConfig, writeNodeConfig } from './node-config.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-config-'));
after(() => rmSync(dir, { recursive: true }));

const small = {
  validatorId: 'node-1',
  listen: { host: '127.0.0.1', port: 7711 },
  http: { host: '127.0.0.1', port: 7701 },
};

function read(content: unknown): ReturnType<typeof readNodeConfig> {
  writeFileSync(join(dir, 'node.json'), typeof content === 'string' ? content : JSON.stringify(content));
  return readNodeConfig(dir);
}

test('what is not in the file has its default, and paths are inside the folder', () => {
  const config = read(small);
  assert.ok(config.ok);
  assert.deepEqual(config.value, {
    ...small,
    dataDir: join(dir, 'data'),
    keysDir: join(dir, 'keys'),
    genesisPath: join(dir, 'genesis.cbor'),
    logLevel: 'info',
  });
});

test('a configuration comes back from its file as it was written', () => {
  const config = nodeConfigIn(dir, {
    ...small,
    http: {
      host: '0.0.0.0',
      port: 443,
      tls: { certPath: join(dir, 'tls.crt'), keyPath: '/etc/tls.key' },
      tokensPath: join(dir, 'tokens.json'),
    },
    mqtt: {
      brokerUrl: 'mqtts://broker.example:8883',
      username: 'gateway',
      passwordPath: join(dir, 'keys', 'broker.password'),
    },
    logLevel: 'debug',
    workers: 2,
    peers: { 'node-2': ['127.0.0.1:7712', '[::1]:7712'] },
    sync: 'full',
    anchorPath: join(dir, 'anchor.cbor'),
    bootstrap: [{ id: 'node-2', linkKey: new Uint8Array(32).fill(7), addresses: ['127.0.0.1:7712'] }],
  });
  writeNodeConfig(dir, config);
  const again = readNodeConfig(dir);
  assert.ok(again.ok);
  assert.deepEqual(again.value, config);
});

test('every mistake is named by its path', () => {
  const mistakes: [unknown, string, RegExp][] = [
    ['{', 'config.not-json', /node\.json/],
    [[], 'config.invalid-field', /object/],
    [{ ...small, validatorId: undefined }, 'config.missing-field', /validatorId/],
    [{ ...small, validatorId: 'Node 1' }, 'config.invalid-field', /validatorId/],
    [{ ...small, datadir: 'x' }, 'config.unknown-field', /datadir/],
    [{ ...small, listen: { host: '127.0.0.1' } }, 'config.missing-field', /listen\.port/],
    [{ ...small, listen: { host: '127.0.0.1', port: '7711' } }, 'config.invalid-field', /listen\.port/],
    [{ ...small, listen: { host: '127.0.0.1', port: 70_000 } }, 'config.invalid-field', /listen\.port/],
    [{ ...small, http: { host: '0.0.0.0', port: 80 } }, 'config.invalid-field', /not loopback/],
    [{ ...small, mqtt: { brokerUrl: 'broker:1883' } }, 'config.invalid-field', /mqtt\.brokerUrl/],
    [{ ...small, mqtt: { brokerUrl: 'wss://broker:443/mqtt' } }, 'config.invalid-field', /brokerUrl.*WebSocket/],
    [{ ...small, mqtt: { brokerUrl: 'mqtt://me:pass@broker' } }, 'config.invalid-field', /brokerUrl.*passwordPath/],
    [{ ...small, mqtt: { brokerUrl: 'mqtt://broker', password: 'x' } }, 'config.unknown-field', /mqtt\.password/],
    [{ ...small, logLevel: 'loud' }, 'config.invalid-field', /logLevel.*info/],
    [{ ...small, workers: -1 }, 'config.invalid-field', /workers/],
    [{ ...small, peers: { 'node-2': ['nowhere'] } }, 'config.invalid-field', /peers\.node-2\[0\]/],
    [{ ...small, sync: 'fast' }, 'config.invalid-field', /sync.*state, full/],
    [{ ...small, bootstrap: [{ id: 'a', addresses: [] }] }, 'config.missing-field', /bootstrap\[0\]\.linkKey/],
    [
      { ...small, bootstrap: [{ id: 'a', linkKey: '00', addresses: [] }] },
      'config.invalid-field',
      /bootstrap\[0\]\.linkKey/,
    ],
    [
      { ...small, bootstrap: [{ id: 'a', linkKey: '00'.repeat(32), addresses: ['x'] }] },
      'config.invalid-field',
      /bootstrap\[0\]\.addresses\[0\]/,
    ],
    [
      { ...small, bootstrap: [{ id: 'A', linkKey: '00'.repeat(32), addresses: ['x:1'] }] },
      'config.invalid-field',
      /bootstrap\[0\]\.id/,
    ],
  ];
  for (const [content, code, message] of mistakes) {
    const config = read(content);
    assert.equal(!config.ok && config.error.code, code, JSON.stringify(content));
    assert.match(!config.ok ? config.error.message : '', message);
  }
});

test('a folder without a configuration says how to get one', () => {
  const config = readNodeConfig(join(dir, 'absent'));
  assert.equal(!config.ok && config.error.code, 'config.missing');
  assert.match(!config.ok ? config.error.message : '', /cairn init/);
});

test('addresses are host:port, IPv6 in brackets', () => {
  assert.deepEqual(parseAddress('alder.example:7700'), { host: 'alder.example', port: 7700 });
  assert.deepEqual(parseAddress('[::1]:7700'), { host: '::1', port: 7700 });
  for (const text of ['', 'host', 'host:', 'host:0', 'host:65536', '::1:7700', '[x]:1', 'a b:1'])
    assert.equal(parseAddress(text), null, text);
});
