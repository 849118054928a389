/** Decoders of files that people write or keep: configuration, keys, tokens, the mark and the progress beside them, feeds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { csvFields } from '../../packages/node/src/cli/feed/csv.ts';
import { openFeedJournal } from '../../packages/node/src/cli/feed/feed-journal.ts';
import { jsonLineReadings } from '../../packages/node/src/cli/feed/json-line-readings.ts';
import { senmlReadings } from '../../packages/node/src/cli/feed/senml-readings.ts';
import { readNetworkPlan } from '../../packages/node/src/cli/founding/network-plan.ts';
import {
  fieldsOf,
  textOf as fieldText,
  listOf,
  readJsonText,
  recordOf,
} from '../../packages/node/src/config/json-file.ts';
import { readNetworkFile } from '../../packages/node/src/config/network-file.ts';
import { nodeConfigName, readNodeConfig } from '../../packages/node/src/config/node-config.ts';
import { parseTokens } from '../../packages/node/src/http/tokens.ts';
import { readKeyFile } from '../../packages/node/src/keys/key-file.ts';
import { openSigningMark, readMark } from '../../packages/node/src/keys/signing-mark-file.ts';
import { decodeInvitation, encodeInvitation } from '../../packages/node/src/membership/invitation.ts';
import { parseInvitationBook } from '../../packages/node/src/membership/invitation-book.ts';
import { parsePreparation, preparationToJson } from '../../packages/node/src/restart/preparation.ts';
import { createKey, keyToText, publicKeyToText, textToKey, textToPublicKey } from '../../packages/sdk/src/key.ts';
import { textToReading } from '../../packages/sdk/src/reading.ts';
import * as good from './corpora.ts';
import { bytesOfTexts, type Target, textOf, type Verdict, verdictOf, verdictOfNullable } from './target.ts';

const accepted: Verdict = { ok: true, value: null };
const at = (path: string, ...names: string[]) => names.map((name) => `packages/${path}#${name}`);

let folder: string | null = null;
function scratchFolder(): string {
  if (folder === null) {
    const made = mkdtempSync(join(tmpdir(), 'cairn-fuzz-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(scratchFolder(), name);
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

const key = createKey();
const nodeConfig = {
  dataDir: 'data',
  validatorId: 'alder-1',
  listen: { host: '0.0.0.0', port: 7700 },
  http: { host: '::', port: 7701, tls: { certPath: 'a.pem', keyPath: 'b.pem' }, tokensPath: 'tokens.json' },
  mqtt: { brokerUrl: 'mqtts://broker:8883', username: 'u', passwordPath: 'p' },
  logLevel: 'info',
  workers: 2,
  peers: { 'birch-1': ['[::1]:7700', '127.0.0.1:7700'] },
  sync: 'full',
  bootstrap: [{ id: 'birch-1', linkKey: '07'.repeat(32), addresses: ['[::1]:7700'] }],
};
const networkFile = {
  name: 'n',
  ledger: 'AAAAAAAAAAA',
  genesisPath: 'g.cbor',
  nodes: [{ id: 'a', http: 'http://127.0.0.1:1' }],
  mqtt: 'mqtt://h',
};
const networkPlan = {
  name: 'plan',
  members: [{ id: 'alder', name: 'Alder', person: publicKeyToText(key) }],
  nodes: [{ id: 'alder-1', member: 'alder', address: 'h:1', http: '127.0.0.1:2', mqtt: 'mqtt://h', public: 'p.json' }],
  devices: [{ id: 'alder/meter', public: publicKeyToText(key) }],
  assets: [{ id: 'coin', decimals: 2, issuer: 'alder' }],
  balances: [{ account: 'alder/meter', asset: 'coin', amount: '5' }],
  parameters: { deltaMs: 100 },
};
const tokens = { tokens: [{ name: 'a', roles: ['read', 'submit'], sha256: '00'.repeat(32) }] };
const joinFields = {
  linkKey: '01'.repeat(32),
  votingKey: '02'.repeat(32),
  checkpointKey: '03'.repeat(32),
  gatewayKey: '04'.repeat(32),
  addresses: ['maple.example:7700'],
  host: 'rack 4',
  personKey: publicKeyToText(key),
};
const invited = {
  secretHash: '05'.repeat(32),
  member: 'maple',
  memberName: 'Maple',
  validator: 'maple-1',
  createdMs: 1,
  expiresMs: 2,
};
const invitation = {
  ledgerHash: new Uint8Array(32),
  network: 'n',
  member: 'maple',
  memberName: 'Maple',
  validator: 'maple-1',
  expiresSeconds: 1_900_000_000,
  secret: new Uint8Array(32),
  inviter: 'alder-1',
  urls: ['https://alder.example:7701'],
  peers: [{ id: 'alder-1', linkKey: new Uint8Array(32), addresses: ['[::1]:7700', 'a.b:1'] }],
};
const jsonOf = (...values: readonly unknown[]) => bytesOfTexts(...values.map((value) => JSON.stringify(value)));
const feedIdentity = { ledger: 'AAAAAAAAAAA', kid: '00', input: 'x' } as const;

export const fileTargets: readonly Target[] = [
  {
    name: 'readJsonText',
    covers: at('node/src/config/json-file.ts', 'readJsonText'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf({ a: { x: 'y' }, b: ['1'] }),
    run: (bytes) =>
      verdictOf(
        readJsonText('a file', textOf(bytes), (root) => {
          const { a, b } = fieldsOf(root, ['a', 'b']);
          return [a && recordOf(a, (field) => fieldText(field)), b && listOf(b, fieldText)];
        }),
      ),
  },
  {
    name: 'node.json',
    covers: at('node/src/config/node-config.ts', 'readNodeConfig'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf(nodeConfig),
    run: (bytes) => {
      fileOf(nodeConfigName, bytes);
      return verdictOf(readNodeConfig(scratchFolder()));
    },
    weight: 0.02,
  },
  {
    name: 'network.json',
    covers: at('node/src/config/network-file.ts', 'readNetworkFile'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf(networkFile),
    run: (bytes) => verdictOf(readNetworkFile(fileOf('network.json', bytes))),
    weight: 0.02,
  },
  {
    name: 'the plan of a network',
    covers: at('node/src/cli/founding/network-plan.ts', 'readNetworkPlan'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf(networkPlan),
    run: (bytes) => verdictOf(readNetworkPlan(fileOf('plan.json', bytes))),
    weight: 0.02,
  },
  {
    name: 'parseTokens',
    covers: at('node/src/http/tokens.ts', 'parseTokens'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf(tokens),
    run: (bytes) => verdictOf(parseTokens(textOf(bytes), 'tokens.json')),
  },
  {
    name: 'a key file',
    covers: [...at('node/src/keys/key-file.ts', 'readKeyFile'), ...at('sdk/src/key.ts', 'textToKey')],
    sizeMax: 8192,
    corpus: () => bytesOfTexts(keyToText(key), keyToText(createKey('p256'))),
    run: (bytes) => {
      const read = verdictOf(readKeyFile(fileOf('a.key', bytes)));
      return read.ok ? read : verdictOf(textToKey(textOf(bytes)));
    },
    weight: 0.005,
  },
  {
    name: 'textToPublicKey',
    covers: at('sdk/src/key.ts', 'textToPublicKey'),
    sizeMax: 1024,
    corpus: () => bytesOfTexts(publicKeyToText(key), publicKeyToText(createKey('p256'))),
    run: (bytes) => verdictOf(textToPublicKey(textOf(bytes))),
    weight: 0.3,
  },
  {
    name: 'decodeInvitation',
    covers: at('node/src/membership/invitation.ts', 'decodeInvitation'),
    sizeMax: 96 << 10,
    corpus: () =>
      bytesOfTexts(
        encodeInvitation(invitation),
        encodeInvitation({ ...invitation, memberName: null, peers: [], urls: ['http://a', 'http://[::1]:1'] }),
      ),
    run: (bytes) => verdictOf(decodeInvitation(textOf(bytes))),
    weight: 0.3,
  },
  {
    name: 'parseInvitationBook',
    covers: at('node/src/membership/invitation-book.ts', 'parseInvitationBook'),
    sizeMax: 64 << 10,
    corpus: () =>
      jsonOf({
        invitations: [
          { ...invited, joined: null },
          { ...invited, memberName: null, joined: { atMs: 3, request: joinFields } },
        ],
      }),
    run: (bytes) => verdictOf(parseInvitationBook('a book', textOf(bytes))),
    weight: 0.3,
  },
  {
    name: 'the signing mark',
    covers: at('node/src/keys/signing-mark-file.ts', 'openSigningMark'),
    sizeMax: 1024,
    corpus: () => jsonOf({ epoch: 1, view: 2, seq: 3, checkpointHeight: 4 }).concat(bytesOfTexts('', '\0\0\0')),
    run: (bytes) => {
      const opened = openSigningMark(fileOf('signed.mark', bytes));
      if (opened.ok) opened.value.close();
      return opened.ok ? accepted : verdictOf(opened);
    },
    weight: 0.02,
  },
  {
    name: 'readMark',
    covers: at('node/src/keys/signing-mark-file.ts', 'readMark'),
    sizeMax: 1024,
    corpus: () => jsonOf({ epoch: 1, view: 2, seq: 3, checkpointHeight: 4 }),
    run: (bytes) => verdictOfNullable(readMark(textOf(bytes))),
  },
  {
    name: 'parsePreparation',
    covers: at('node/src/restart/preparation.ts', 'parsePreparation'),
    sizeMax: 64 << 10,
    corpus: () =>
      good.restarts.flatMap(({ restart: { ledgerHash, block, validators, result } }) => {
        const { epoch, rules, height, parent, timeMs, checkpoint } = block.header;
        const point = { ledgerHash, epoch, rules, height, parent, timeMs, result, checkpoint };
        const rest = {
          voters: validators.map(({ id }) => id),
          life: validators[0]!.life,
          isLost: false,
          signedEpoch: 1,
          signedHeight: 3,
          finalizedHeight: 4,
          votedHeight: 5,
        };
        return jsonOf(preparationToJson({ nodeId: 'alder-1', point, validators, ...rest }));
      }),
    run: (bytes) => verdictOf(parsePreparation(textOf(bytes))),
  },
  {
    name: 'the progress of a feed',
    covers: at('node/src/cli/feed/feed-journal.ts', 'openFeedJournal'),
    sizeMax: 16 << 10,
    corpus: () =>
      bytesOfTexts(
        `${JSON.stringify({ type: 'feed', version: 1, ...feedIdentity, position: 0, digest: '', readings: 0, transactions: 0, rejected: 0 })}\n${JSON.stringify({ type: 'group', number: 0, position: 5, digest: 'd', readings: 1, transactions: ['AAEC'] })}\n${JSON.stringify({ type: 'settled', number: 0, rejected: 1 })}\n`,
      ),
    run: (bytes) => {
      const opened = openFeedJournal(fileOf('feed', bytes), feedIdentity);
      if (opened.ok) opened.value.close();
      return opened.ok ? accepted : verdictOf(opened);
    },
    weight: 0.005,
  },
  {
    name: 'lines of a feed',
    covers: [
      ...at('node/src/cli/feed/json-line-readings.ts', 'jsonLineReadings'),
      ...at('node/src/cli/feed/senml-readings.ts', 'senmlReadings'),
      ...at('sdk/src/reading.ts', 'textToReading'),
    ],
    sizeMax: 64 << 10,
    corpus: () =>
      bytesOfTexts(
        '{"timestamp":"2013-07-04 00:00:00","value":69.88}',
        '2013-07-04,"a ""b""",5\n',
        'temperature=21.5 Cel',
        ...good.jsonPacks,
      ).concat(good.cborPacks),
    run: (bytes) => {
      const text = textOf(bytes);
      csvFields(text);
      const options = { path: 'x', format: 'jsonl', device: 'acme/meter' } as unknown as Parameters<
        typeof jsonLineReadings
      >[1];
      const answers = [
        jsonLineReadings(text, options),
        senmlReadings(bytes, 'cbor'),
        senmlReadings(bytes, 'json'),
        textToReading(text.slice(0, 256)),
      ].map(verdictOf);
      return answers.find(({ ok }) => ok) ?? answers[0]!;
    },
    weight: 0.5,
  },
];
