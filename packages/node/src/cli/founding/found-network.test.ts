import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { decodeGenesis, defaultParameters, equalBytes, genesisToTrustAnchor, sha256 } from '@cairn-ledger/core';
import { createKey, publicKeyToText } from '@cairn-ledger/sdk';
import { readNetworkFile } from '../../config/network-file.ts';
import { readNodeConfig } from '../../config/node-config.ts';
import { createNodeKeys, readNodeKeys } from '../../keys/node-keys.ts';
import { devPlan } from '../dev/dev-network.ts';
import { portsFrom } from '../dev/ports.ts';
import { foundNetwork } from './found-network.ts';
import { type NetworkPlan, plannedNodeOf, readNetworkPlan } from './network-plan.ts';
import { nodePublicKeys } from './node-public-keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-found-'));
after(() => rmSync(dir, { recursive: true }));

function found(plan: NetworkPlan, name: string): ReturnType<typeof foundNetwork> {
  return foundNetwork(plan, join(dir, name), 1_700_000_000_000);
}

test('every node of a development network finds its configuration, its keys and itself in the genesis', () => {
  const founded = found(devPlan(4, portsFrom(7700, 4)), 'dev');
  assert.ok(founded.ok, founded.ok ? '' : founded.error.message);
  const genesis = decodeGenesis(new Uint8Array(readFileSync(founded.value.genesisPath)));
  assert.ok(genesis.ok);
  assert.equal(genesis.value.validators.length, 4);
  assert.equal(genesis.value.members.length, 20);
  for (const validator of genesis.value.validators) {
    const nodeDir = founded.value.nodeDirs[validator.id]!;
    const config = readNodeConfig(nodeDir);
    assert.ok(config.ok);
    assert.equal(config.value.validatorId, validator.id);
    const keys = readNodeKeys(config.value.keysDir);
    assert.ok(keys.ok);
    assert.deepEqual(keys.value.voting.publicKey, validator.votingKey);
    assert.deepEqual(keys.value.link.publicKey, validator.linkKey);
    assert.deepEqual(keys.value.checkpoint.publicKey, validator.checkpointKey);
    assert.ok(
      genesis.value.keys.some(
        (key) => key.role === 'gateway' && equalBytes(key.publicKey, keys.value.gateway.publicKey),
      ),
    );
    assert.deepEqual(readFileSync(config.value.genesisPath), readFileSync(founded.value.genesisPath));
    if (process.platform !== 'win32')
      assert.equal(statSync(join(config.value.keysDir, 'voting.key')).mode & 0o777, 0o600);
  }
});

test('the network file names the genesis, the nodes and the ledger', () => {
  const network = readNetworkFile(join(dir, 'dev', 'network.json'));
  assert.ok(network.ok);
  const genesis = new Uint8Array(readFileSync(network.value.genesisPath));
  assert.equal(network.value.ledger, Buffer.from(sha256(genesis).subarray(0, 8)).toString('base64url'));
  assert.deepEqual(
    network.value.nodes.map(({ http }) => http),
    [7701, 7702, 7703, 7704].map((port) => `http://127.0.0.1:${port}`),
  );
  assert.ok(genesisToTrustAnchor(genesis).ok);
});

test('networks of 1 to 31 nodes can be founded, and no two are alike', () => {
  const hashes = [1, 2, 7, 31].map((nodes) => {
    const founded = found(devPlan(nodes, portsFrom(7700, nodes)), `size-${nodes}`);
    assert.ok(founded.ok, founded.ok ? '' : founded.error.message);
    return Buffer.from(founded.value.ledgerHash).toString('hex');
  });
  assert.equal(new Set(hashes).size, hashes.length);
});

test('a folder that holds something is left alone', () => {
  const again = found(devPlan(4, portsFrom(7700, 4)), 'dev');
  assert.equal(!again.ok && again.error.code, 'init.not-empty');
});

test('a file with public keys makes no secrets for them', () => {
  const operator = join(dir, 'operator');
  const keys = createNodeKeys(join(operator, 'keys'));
  assert.ok(keys.ok);
  writeFileSync(join(dir, 'alder.public.json'), JSON.stringify(nodePublicKeys(keys.value)));
  const person = createKey('p256');
  const truck = createKey('p256');
  const file = {
    name: 'cold chain',
    members: [{ id: 'alder', name: 'Alder Logistics', person: publicKeyToText(person) }, { id: 'birch' }],
    nodes: [
      { id: 'alder-1', member: 'alder', address: 'alder.example:7700', public: 'alder.public.json' },
      { id: 'birch', address: '10.0.0.2:7700', http: '0.0.0.0:7701' },
    ],
    devices: [{ id: 'alder/truck-7', public: publicKeyToText(truck) }, { id: 'birch/gate' }],
    assets: [{ id: 'eur', decimals: 2, issuer: 'alder' }],
    balances: [{ account: 'alder', asset: 'eur', amount: '1000000' }],
    parameters: { deltaMs: 250 },
  };
  writeFileSync(join(dir, 'network.json'), JSON.stringify(file));
  const plan = readNetworkPlan(join(dir, 'network.json'));
  assert.ok(plan.ok, plan.ok ? '' : plan.error.message);
  const founded = found(plan.value, 'brought');
  assert.ok(founded.ok, founded.ok ? '' : founded.error.message);
  assert.deepEqual(Object.keys(founded.value.nodeDirs), ['birch']);
  assert.deepEqual(Object.keys(founded.value.keyPaths).sort(), ['birch', 'birch/gate']);
  assert.equal(existsSync(join(dir, 'brought', 'nodes', 'alder-1')), false);
  const genesis = decodeGenesis(new Uint8Array(readFileSync(founded.value.genesisPath)));
  assert.ok(genesis.ok);
  assert.equal(genesis.value.parameters.deltaMs, 250);
  assert.deepEqual(genesis.value.validators[0]?.votingKey, keys.value.voting.publicKey);
});

test('a plan that contradicts itself is refused with the reason', () => {
  const node = plannedNodeOf('alder=127.0.0.1:7700')!;
  const plan: NetworkPlan = {
    name: 'x',
    members: [{ id: 'birch', name: 'Birch', person: null }],
    nodes: [node],
    devices: [],
    assets: [],
    balances: [],
    parameters: defaultParameters,
  };
  const founded = found(plan, 'contradiction');
  assert.equal(!founded.ok && founded.error.code, 'init.contradiction');
  assert.match(!founded.ok ? founded.error.message : '', /alder/);
});

test('mistakes in the file are named by their path', () => {
  const mistakes: [unknown, RegExp][] = [
    [{ name: 'x', nodes: [] }, /members/],
    [{ name: 'x', members: [{ id: 'A' }], nodes: [] }, /members\[0\]\.id/],
    [{ name: 'x', members: [], nodes: [{ id: 'a', address: 'nowhere' }] }, /nodes\[0\]\.address/],
    [{ name: 'x', members: [], nodes: [], devices: [{ id: 'truck' }] }, /devices\[0\]\.id/],
    [
      { name: 'x', members: [], nodes: [], balances: [{ account: 'a', asset: 'eur', amount: 5 }] },
      /balances\[0\]\.amount/,
    ],
    [{ name: 'x', members: [], nodes: [], parameters: { delta: 1 } }, /parameters\.delta/],
  ];
  for (const [content, message] of mistakes) {
    writeFileSync(join(dir, 'bad.json'), JSON.stringify(content));
    const plan = readNetworkPlan(join(dir, 'bad.json'));
    assert.match(!plan.ok ? plan.error.message : '', message);
  }
});
