import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeAnchorFile, genesisToTrustAnchor, toHex } from '@cairn-ledger/core';
import { createFakeNetwork } from '@cairn-ledger/sdk/testing';
import { readFounding } from '../../config/founding.ts';
import { readNetworkFile } from '../../config/network-file.ts';
import { readNodeConfig } from '../../config/node-config.ts';
import { createFakeEdge } from '../../http/fake-edge.ts';
import { startHttpServer } from '../../http/server.ts';
import { readNodeKeys } from '../../keys/node-keys.ts';
import { decodeInvitation, fingerprintOf } from '../../membership/invitation.ts';
import { openInvitationBook } from '../../membership/invitation-book.ts';
import { createInviting } from '../../membership/inviting.ts';

const entry = fileURLToPath(new URL('../../../bin/cairn.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'cairn-joining-'));
const network = createFakeNetwork();
const book = openInvitationBook(join(dir, 'invitations.json'));
assert.ok(book.ok);
let genesis = network.genesis;
const inviting = createInviting({
  book: book.value,
  ledgerHash: network.ledgerHash,
  ledgerName: 'fake',
  get genesis() {
    return genesis;
  },
  inviter: 'node-1',
  peers: () => [{ id: 'node-1', linkKey: new Uint8Array(32).fill(1), addresses: ['127.0.0.1:7000'] }],
  memberName: (id) => (id === 'alder' ? 'Alder' : null),
  memberOfValidator: () => null,
  nowMs: Date.now,
});
const server = await startHttpServer(
  { host: '127.0.0.1', port: 0 },
  createFakeEdge({
    invite: async (input) => inviting.invite(input),
    invitations: async () => inviting.invitations(),
    cancelInvitation: async (id) => inviting.cancel(id),
    join: async (secret, request) => inviting.join(secret, request),
    proposal: async (id) => ({
      proposal: {
        id,
        member: 'alder',
        openedHeight: 1,
        lapsesHeight: 9,
        outcome: 'open',
        closedHeight: null,
        change: { kind: 'change-rules', rules: 2 },
        yes: ['alder'],
        no: [],
      },
      votesNeeded: 3,
    }),
  }),
);
assert.ok(server.ok);
const { url, stop } = server.value;
after(async () => {
  await stop();
  rmSync(dir, { recursive: true });
});

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function cairn(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [entry, ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

async function invite(name: string, ...more: string[]): Promise<{ text: string; fingerprint: string; id: string }> {
  const ended = await cairn('invite', name, '--node', url, '--json', ...more);
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

test('from an invitation to the folder of a node: keys, genesis, peers and the network file', async () => {
  const shown = await cairn(
    'invite',
    'maple/maple-1',
    '--name',
    'Maple Ltd.',
    '--node',
    url,
    '--out',
    'maple.invitation',
  );
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /new member maple \(Maple Ltd\.\)/);
  const fingerprint = /\d{5}( \d{5}){4}/.exec(shown.stdout)![0];
  const path = join(dir, 'maple.invitation');
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
  const invitation = decodeInvitation(readFileSync(path, 'utf8'));
  assert.ok(invitation.ok && fingerprintOf(invitation.value) === fingerprint);

  const args = ['maple.invitation', '--dir', 'maple', '--listen', '127.0.0.1:7900', '--full', '--host', 'Rack 4'];
  const joined = await cairn('join', ...args, '--fingerprint', fingerprint.replaceAll(' ', ''), '--json');
  assert.equal(joined.code, 0, joined.stderr);
  assert.equal(JSON.parse(joined.stdout).ledger, toHex(network.ledgerHash));

  const folder = join(dir, 'maple');
  const config = readNodeConfig(folder);
  assert.ok(config.ok, config.ok ? '' : config.error.message);
  assert.equal(config.value.validatorId, 'maple-1');
  assert.equal(config.value.sync, 'full');
  assert.deepEqual(config.value.http, { host: '127.0.0.1', port: 7901 });
  assert.deepEqual(
    config.value.bootstrap?.map(({ id, addresses }) => [id, addresses]),
    [['node-1', ['127.0.0.1:7000']]],
  );
  assert.deepEqual(new Uint8Array(readFileSync(config.value.genesisPath)), network.genesis);
  const file = readNetworkFile(join(folder, 'network.json'));
  assert.ok(file.ok);
  assert.deepEqual(
    file.value.nodes.map(({ id }) => id),
    ['maple-1', 'node-1'],
  );
  for (const name of readdirSync(join(folder, 'keys'))) {
    if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'keys', name)).mode & 0o777, 0o600, name);
  }
  const keys = readNodeKeys(join(folder, 'keys'));
  assert.ok(keys.ok);
  const waiting = inviting.invitations().find(({ validator }) => validator === 'maple-1');
  assert.equal(waiting?.state, 'waiting');
  assert.deepEqual(waiting.request?.votingKey, keys.value.voting.publicKey);
  assert.equal(waiting.request?.host, 'Rack 4');
  assert.ok(waiting.request?.personKey !== null, 'a new member hands in a person key');

  const list = await cairn('invite', '--list', '--node', url);
  assert.match(list.stdout, /maple\/maple-1 +waiting/);
});

test('a member that is on the ledger hands in no person key; an anchor is taken over, one of another ledger refused', async () => {
  const { text } = await invite('alder/alder-2');
  const own = genesisToTrustAnchor(network.genesis);
  assert.ok(own.ok);
  writeFileSync(join(dir, 'own.anchor'), encodeAnchorFile(own.value));
  writeFileSync(join(dir, 'other.anchor'), encodeAnchorFile({ ...own.value, ledgerHash: own.value.setDigest }));
  const args = ['join', text, '--dir', 'alder-2', '--listen', '127.0.0.1:7910', '--yes'];
  for (const anchor of ['other.anchor', 'none.anchor']) {
    const refused = await cairn(...args, '--anchor', anchor);
    assert.deepEqual([refused.code, /config\.bad-anchor/.test(refused.stderr)], [2, true], refused.stderr);
  }
  const joined = await cairn(...args, '--anchor', 'own.anchor');
  assert.equal(joined.code, 0, joined.stderr);
  const config = readNodeConfig(join(dir, 'alder-2'));
  assert.ok(config.ok);
  const founding = readFounding(config.value);
  assert.deepEqual(founding.ok && founding.value.anchor, own.value);
  assert.ok(!existsSync(join(dir, 'alder-2', 'keys', 'person.key')));
  assert.match(joined.stdout, /cairn node /);
  const again = await cairn('join', text, '--dir', 'alder-2', '--listen', '127.0.0.1:7910', '--yes');
  assert.deepEqual([again.code, /\[join\.not-empty\]/.test(again.stderr)], [4, true]);
});

test('nothing is done before somebody has compared the fingerprint', async () => {
  const { text } = await invite('oak/oak-1');
  const args = ['join', text, '--dir', 'oak', '--listen', '127.0.0.1:7920'];
  const silent = await cairn(...args);
  assert.equal(silent.code, 2);
  assert.match(silent.stderr, /usage\.no-fingerprint/);
  const wrong = await cairn(...args, '--fingerprint', '00000 00000 00000 00000 00000');
  assert.equal(wrong.code, 4);
  assert.match(wrong.stderr, /join\.other-fingerprint/);
  assert.ok(!existsSync(join(dir, 'oak')));
});

test('a genesis that is not the one of the invitation is refused, and the keys are used in the next try', async () => {
  const { text } = await invite('elm/elm-1');
  const args = ['join', text, '--dir', 'elm', '--listen', '127.0.0.1:7930', '--yes'];
  genesis = createFakeNetwork().genesis;
  const refused = await cairn(...args);
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(refused.stderr, /join\.other-ledger/);
  assert.ok(!existsSync(join(dir, 'elm', 'node.json')));
  const before = readFileSync(join(dir, 'elm', 'keys', 'link.key'), 'utf8');
  genesis = network.genesis;
  assert.equal((await cairn(...args)).code, 0);
  assert.equal(readFileSync(join(dir, 'elm', 'keys', 'link.key'), 'utf8'), before);
});

test('an invitation is used once, and one that was cancelled lets nobody in', async () => {
  const { text, id } = await invite('ash/ash-1');
  assert.equal((await cairn('join', text, '--dir', 'ash', '--listen', '127.0.0.1:7940', '--yes')).code, 0);
  const second = await cairn('join', text, '--dir', 'ash-too', '--listen', '127.0.0.1:7941', '--yes');
  assert.deepEqual([second.code, /invitation\.used/.test(second.stderr)], [2, true]);
  assert.equal((await cairn('invite', '--cancel', id, '--node', url)).code, 0);
  const third = await cairn('join', text, '--dir', 'ash-too', '--listen', '127.0.0.1:7941', '--yes');
  assert.match(third.stderr, /invitation\.unknown/);
});

test('what is called wrongly says how it is done', async () => {
  const { text } = await invite('fir/fir-1');
  writeFileSync(join(dir, 'broken.invitation'), text.slice(0, -3));
  const wrong: [string[], RegExp][] = [
    [['invite', 'maple', '--node', url], /<member>\/<validator>/],
    [['invite', 'maple/m', '--node', url, '--expires', 'soon'], /24h/],
    [['invite', 'maple/m', '--node', url, '--http', 'alder.example'], /https:/],
    [['invite', '--cancel', 'x', '--node', url], /8 hexadecimal digits/],
    [['join', 'none.invitation', '--dir', 'x', '--listen', '127.0.0.1:1'], /none\.invitation/],
    [['join', 'broken.invitation', '--dir', 'x', '--listen', '127.0.0.1:1'], /not a whole invitation/],
    [['join', text, '--dir', 'x', '--listen', '0.0.0.0:7950', '--yes'], /--address/],
    [['join', text, '--dir', 'x', '--listen', '7950', '--yes'], /host:port/],
    [['join', text, '--dir', 'x', '--listen', '127.0.0.1:65535', '--yes'], /--http/],
  ];
  for (const [args, message] of wrong) {
    const ended = await cairn(...args);
    assert.equal(ended.code, 2, `${args.join(' ').slice(0, 60)}: ${ended.stderr}`);
    assert.match(ended.stderr, message);
  }
});

test('nobody proposes rules, or votes for them, with a release that does not know them', async () => {
  writeFileSync(join(dir, 'genesis.cbor'), network.genesis);
  const made = await cairn('key', 'new', 'person.key');
  assert.equal(made.code, 0, made.stderr);
  const where = ['--node', url, '--genesis', 'genesis.cbor', '--key', 'person.key', '--timeout', '2'];
  for (const args of [
    ['propose', 'rules', '2', ...where],
    ['vote', 'ab'.repeat(32), '--yes', ...where],
  ]) {
    const refused = await cairn(...args);
    assert.deepEqual([refused.code, /usage\.unknown-rules/.test(refused.stderr)], [2, true], refused.stderr);
  }
  // Against them anybody may vote.
  const against = await cairn('vote', 'ab'.repeat(32), '--no', ...where);
  assert.doesNotMatch(against.stderr, /usage\.unknown-rules/);
});
