/** Decoders at the edges: MQTT at a gateway, and the answers of a hostile node at the SDK. */
import * as core from '../../packages/core/src/index.ts';
import { createPacketCutter } from '../../packages/gateway/src/packet-cutter.ts';
import { decodeReadings } from '../../packages/gateway/src/readings.ts';
import { topicsOf } from '../../packages/gateway/src/topics.ts';
import { createClient } from '../../packages/sdk/src/client.ts';
import { createEpochFollower, parseEpochsPage } from '../../packages/sdk/src/epochs.ts';
import { parseReadings } from '../../packages/sdk/src/readings-page.ts';
import { joinBytes } from './cbor-tree.ts';
import * as good from './corpora.ts';
import { bytesOfTexts, type Target, textOf, type Verdict, verdictOf } from './target.ts';

const accepted: Verdict = { ok: true, value: null };
const at = (path: string, ...names: string[]) => names.map((name) => `packages/${path}#${name}`);

const jsonOf = (...values: readonly unknown[]) => bytesOfTexts(...values.map((value) => JSON.stringify(value)));
const reading = {
  device: 'acme/meter',
  name: 'acme/meter/t',
  unit: null,
  time: '2024-01-01T00:00:00Z',
  seconds: '1',
  value: 20.5,
  provenance: 'device-signed',
  transaction: 'aa',
  height: 4,
};
const gateway: readonly Target[] = [
  {
    name: 'decodeReadings',
    covers: at('gateway/src/readings.ts', 'decodeReadings'),
    sizeMax: 65_535,
    corpus: () => bytesOfTexts(...good.jsonPacks).concat(good.cborPacks),
    run: (bytes) => verdictOf(decodeReadings(bytes, null, 'acme/meter', 1_700_000_000_000)),
  },
  {
    name: 'topics',
    covers: at('gateway/src/topics.ts', 'topicsOf'),
    sizeMax: 65_535,
    corpus: () =>
      bytesOfTexts(
        'cairn/AAAAAAAAAAA/tx',
        'cairn/AAAAAAAAAAA/senml/acme/meter',
        'cairn/AAAAAAAAAAA/senml/acme/meter/x',
      ),
    run: (bytes) => {
      const topics = topicsOf('AAAAAAAAAAA');
      const text = textOf(bytes);
      if (topics.rejected(text).length > 300) throw new Error('a rejection has a topic without limit');
      const { type } = topics.parse(text);
      return type === 'unknown' ? { ok: false, code: 'gateway.wrong-topic' } : accepted;
    },
    weight: 0.5,
  },
  {
    name: 'packets of a broker',
    covers: at('gateway/src/packet-cutter.ts', 'createPacketCutter'),
    sizeMax: 256 << 10,
    corpus: () => [
      Uint8Array.of(0x20, 2, 0, 0, 0x30, 5, 0, 1, 0x61, 1, 2),
      Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61, 1, 2),
      joinBytes([Uint8Array.of(0x30, 0x80, 0x80, 0x08), new Uint8Array(140_000)]),
    ],
    run: (bytes) => {
      const cutter = createPacketCutter(80_000);
      const cut = bytes.length >> 1;
      const pieces = [cutter.pass(bytes.subarray(0, cut)), cutter.pass(bytes.subarray(cut))];
      let passed = 0;
      for (const piece of pieces.flatMap((each) => each ?? [])) passed += piece.length;
      if (passed > bytes.length + 8) throw new Error('more was passed on than came');
      return pieces.includes(null) ? { ok: false, code: 'mqtt.malformed' } : accepted;
    },
    weight: 0.3,
  },
];

/** Every method that reads an answer, against a node that answers every request with these bytes. */
async function askHostileNode(bytes: Uint8Array, status: number): Promise<Verdict> {
  const options = {
    nodes: ['http://hostile'],
    anchor: good.network.anchor,
    timeoutMs: 1,
    fetch: () =>
      Promise.resolve(new Response(bytes as BodyInit, { status, headers: { 'content-type': 'application/json' } })),
  };
  const client = createClient(options);
  const follower = createEpochFollower({ ...options, trustPeriodMs: 0 });
  const answers = await Promise.all([
    client.submit(good.acceptedTransaction),
    client.submitMany([good.acceptedTransaction, good.acceptedTransaction]),
    client.deliver(good.acceptedTransaction, { timeoutMs: 1 }),
    client.receipt(good.acceptedId),
    client.status(),
    client.validators(),
    client.members(),
    client.readings('acme/meter'),
    client.device('acme/meter'),
    follower.leadTo(3),
    follower.ensureFresh(),
  ]);
  const verdicts = answers.map(verdictOf);
  return verdicts.find(({ ok }) => ok) ?? verdicts[0]!;
}

const sdk: readonly Target[] = [
  {
    name: 'parseReadings',
    covers: at('sdk/src/readings-page.ts', 'parseReadings'),
    sizeMax: 64 << 10,
    corpus: () => jsonOf({ readings: [reading], next: null }, { readings: [], next: 'a-1', heldFrom: 7 }),
    run: (bytes) => verdictOf(parseReadings(textOf(bytes))),
  },
  {
    name: 'parseEpochsPage',
    covers: at('sdk/src/epochs.ts', 'parseEpochsPage'),
    sizeMax: 64 << 10,
    corpus: () =>
      jsonOf(
        { epochs: good.epochProofTexts.map((proof, i) => ({ epoch: i + 2, proof })), next: 9 },
        { epochs: [{ epoch: 1, proof: null }], next: null },
      ),
    run: (bytes) => {
      try {
        return verdictOf(parseEpochsPage(JSON.parse(textOf(bytes)), 'http://hostile'));
      } catch (error) {
        if (error instanceof SyntaxError) return { ok: false, code: 'json.malformed' };
        throw error;
      }
    },
  },
  {
    name: 'answers of a hostile node',
    covers: at('sdk/src/client.ts', 'createClient').concat(at('sdk/src/epochs.ts', 'createEpochFollower')),
    sizeMax: 64 << 10,
    corpus: () =>
      jsonOf(
        {
          id: good.acceptedId,
          status: 'accepted',
          certified: true,
          height: 5,
          bytes: core.bytesToBase64url(good.acceptedTransaction),
        },
        { id: good.acceptedId, status: 'rejected', certified: true, code: 'tx.expired', message: 'm' },
        { code: 'http.busy', title: 't', status: 429, detail: 'd', whatToDo: 'w' },
        [{ status: 'pending' }, { status: 'busy', code: 'http.busy', message: 'm' }],
        { readings: [reading], next: null },
        { validators: [{ id: 'a' }], members: [] },
        { epochs: [{ epoch: 2, proof: good.epochProofTexts[0] }], next: 3 },
        good.network.latestCheckpoint(),
        null,
        'text',
        7,
      ).concat(good.bundles),
    run: (bytes) => askHostileNode(bytes, bytes.length % 5 === 0 ? 400 : 200),
    weight: 0.005,
  },
];

export const clientTargets: readonly Target[] = [...gateway, ...sdk];
