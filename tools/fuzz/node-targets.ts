/** Decoders of a node: frames and messages of its links, bodies and parameters of requests, what its own disks hold. */
import { join } from 'node:path';
import * as core from '../../packages/core/src/index.ts';
import { parseBrokerUrl } from '../../packages/gateway/src/broker-socket.ts';
import { parseAddress } from '../../packages/node/src/config/node-config.ts';
import { bytesToRecord, recordToBytes } from '../../packages/node/src/driver/journal-record.ts';
import { NodeFailed } from '../../packages/node/src/failure.ts';
import { parsePlace } from '../../packages/node/src/http/events.ts';
import { parseInstant } from '../../packages/node/src/http/readings.ts';
import { splitSequence } from '../../packages/node/src/http/sequence.ts';
import { waitMsOf } from '../../packages/node/src/http/transactions.ts';
import { decodeFrameHeader, decodeSegmentHeader } from '../../packages/node/src/journal/frame.ts';
import { openJournal } from '../../packages/node/src/journal/journal.ts';
import { createMemoryDisk } from '../../packages/node/src/journal/memory-file-system.ts';
import { segmentName } from '../../packages/node/src/journal/recovery.ts';
import { decodeSignatures } from '../../packages/node/src/storage/checkpoint-signatures.ts';
import { decodeHeldHeight, encodeHeldHeight } from '../../packages/node/src/storage/held-height.ts';
import { StorageError } from '../../packages/node/src/storage/storage-error.ts';
import { decodeVerdicts } from '../../packages/node/src/storage/verdicts.ts';
import { openBatch } from '../../packages/node/src/storage/view-block.ts';
import { createRowWriter, readViewRow, viewRowBytes } from '../../packages/node/src/storage/view-rows.ts';
import { readOrigin } from '../../packages/node/src/threads/stored-origin.ts';
import { FrameReader, writeHeader } from '../../packages/node/src/transport/frame-reader.ts';
import { decodeLinkMessage, encodeLinkMessage } from '../../packages/node/src/transport/link-message.ts';
import { parseEndpoint } from '../../packages/node/src/transport/tls-dialer.ts';
import { joinBytes } from './cbor-tree.ts';
import * as good from './corpora.ts';
import { bytesOfTexts, type Target, textOf, type Verdict, verdictOf, verdictOfNullable } from './target.ts';

const accepted: Verdict = { ok: true, value: null };
const at = (path: string, ...names: string[]) => names.map((name) => `packages/${path}#${name}`);

const records = [
  ...good.votes.map(({ vote }): core.JournalRecord => ({ type: 'own-vote', vote })),
  ...good.statements.map((statement): core.JournalRecord => ({ type: 'own-checkpoint', statement })),
  ...good.batches.map((batch): core.JournalRecord => ({ type: 'batch', batch })),
  { type: 'block', block: good.block } as const,
  ...good.certificates.map((certificate): core.JournalRecord => ({ type: 'certificate', certificate })),
  { type: 'certified', epoch: good.epoch, view: core.toView(3), isOk: true } as const,
  ...good.proofs.map((proof): core.JournalRecord => ({ type: 'evidence', proof })),
];
const verdicts = core.encodeCbor([
  [0, 'tx.expired', 'too late', 4],
  [3, 'ok', null, 2],
]);
const signatures = core.encodeCbor(
  good.statements.map((statement, i) =>
    core.checkpointSignatureToCbor({
      statement,
      signer: core.toValidatorIndex(i),
      issuedSeconds: 1,
      signature: new Uint8Array(64),
    }),
  ),
);
const linkMessages = [
  encodeLinkMessage({
    type: 'hello',
    version: 1,
    ledgerHash: good.ledgerHash,
    id: 'alder-1',
    channel: 'bulk',
    instance: new Uint8Array(8),
    sequence: 3,
  }),
  encodeLinkMessage({ type: 'ping', number: 7 }),
  encodeLinkMessage({ type: 'pong', number: 2 ** 40 }),
  encodeLinkMessage({ type: 'bye', text: 'link.frame-slow' }),
];
function framed(bytes: Uint8Array, isLinkMessage: boolean): Uint8Array {
  const header = new Uint8Array(4);
  writeHeader(header, 0, bytes.length, isLinkMessage);
  return joinBytes([header, bytes]);
}

/** A segment of a journal with three frames. */
async function journalSegment(): Promise<Uint8Array> {
  const disk = createMemoryDisk();
  const opened = await openJournal('/j', { fileSystem: disk.fileSystem });
  if (!opened.ok) throw opened.error;
  for (const record of records) {
    const { type, payload } = recordToBytes(record);
    opened.value.journal.append(type, payload);
    await opened.value.journal.sync();
  }
  await opened.value.journal.close();
  return disk.contentOf(join('/j', segmentName(1)))!;
}
const segment = await journalSegment();

const transport: readonly Target[] = [
  {
    name: 'decodeLinkMessage',
    covers: at('node/src/transport/link-message.ts', 'decodeLinkMessage'),
    sizeMax: 512,
    corpus: () => linkMessages,
    run: (bytes) => verdictOf(decodeLinkMessage(bytes)),
    encode: encodeLinkMessage,
  },
  {
    name: 'frames of the transport',
    covers: at('node/src/transport/frame-reader.ts', 'FrameReader'),
    sizeMax: 64 << 10,
    corpus: () => [
      joinBytes([
        ...linkMessages.map((message) => framed(message, true)),
        ...good.encodedMessages.map((message) => framed(message, false)),
      ]),
    ],
    run: (bytes) => {
      let delivered = 0;
      const count = (frame: Uint8Array) => {
        delivered += frame.length;
        return true;
      };
      const reader = new FrameReader({ frameBytesMax: () => 8 << 20, onFrame: count, onLinkMessage: count });
      const cut = bytes.length >> 1;
      const fault = reader.push(bytes.subarray(0, cut)) ?? reader.push(bytes.subarray(cut));
      if (delivered > bytes.length) throw new Error('more was delivered than came');
      return fault === null ? accepted : { ok: false, code: fault };
    },
  },
  {
    name: 'addresses of peers and brokers',
    covers: [
      ...at('node/src/transport/tls-dialer.ts', 'parseEndpoint'),
      ...at('node/src/config/node-config.ts', 'parseAddress'),
      ...at('gateway/src/broker-socket.ts', 'parseBrokerUrl'),
    ],
    sizeMax: 1024,
    corpus: () =>
      bytesOfTexts(
        '127.0.0.1:7700',
        '[::1]:7700',
        '[fe80::1%eth0]:1',
        'host.example:65535',
        'mqtts://[::1]:8883',
        'mqtt://h',
      ),
    run: (bytes) => {
      const text = textOf(bytes);
      return parseEndpoint(text).ok || parseAddress(text) !== null ? accepted : verdictOf(parseBrokerUrl(text));
    },
  },
];

const http: readonly Target[] = [
  {
    name: 'splitSequence',
    covers: at('node/src/http/sequence.ts', 'splitSequence'),
    sizeMax: 1 << 20,
    corpus: () => [joinBytes(good.transactions), ...good.transactions],
    run: (bytes) => {
      const split = splitSequence(bytes, 1000);
      if (split.ok && joinBytes(split.value).length !== bytes.length) throw new Error('a sequence lost bytes');
      return verdictOf(split);
    },
  },
  {
    name: 'parameters and headers of requests',
    covers: [
      ...at('node/src/http/events.ts', 'parsePlace'),
      ...at('node/src/http/readings.ts', 'parseInstant'),
      ...at('node/src/http/transactions.ts', 'waitMsOf'),
    ],
    sizeMax: 16 << 10,
    corpus: () =>
      bytesOfTexts(
        '12.3',
        '123456789012345.999999999',
        '2024-02-30T10:00:00.5+01:00',
        '-1700000000000',
        'respond-async, wait=10',
        'wait="5"; x',
      ),
    run: (bytes) => {
      const text = textOf(bytes);
      const waitMs = waitMsOf(text, 30_000);
      if (!(waitMs >= 0 && waitMs <= 30_000)) throw new Error(`a wait of ${waitMs}`);
      return verdictOfNullable(parsePlace(text) ?? parseInstant(text));
    },
  },
];

const storage: readonly Target[] = [
  {
    name: 'bytesToRecord',
    covers: at('node/src/driver/journal-record.ts', 'bytesToRecord'),
    sizeMax: 16 << 20,
    corpus: () =>
      records.map((record) => {
        const { type, payload } = recordToBytes(record);
        return joinBytes([Uint8Array.of(type), payload]);
      }),
    run: (bytes) => verdictOf(bytesToRecord(bytes[0] ?? 0, bytes.subarray(1))),
    encode: (record: core.JournalRecord) => {
      const { type, payload } = recordToBytes(record);
      return joinBytes([Uint8Array.of(type), payload]);
    },
    isCanonical: true,
  },
  {
    name: 'a segment of the journal',
    covers: [
      ...at('node/src/journal/frame.ts', 'decodeSegmentHeader', 'decodeFrameHeader'),
      ...at('node/src/journal/recovery.ts', 'readSegmentHeader'),
    ],
    sizeMax: 64 << 10,
    corpus: () => [segment],
    run: async (bytes) => {
      decodeSegmentHeader(bytes);
      decodeFrameHeader(bytes);
      const disk = createMemoryDisk();
      const file = await disk.fileSystem.open(join('/j', segmentName(1)), 'create');
      await file.write(bytes, 0);
      await file.sync();
      const opened = await openJournal('/j', { fileSystem: disk.fileSystem });
      if (!opened.ok) return verdictOf(opened);
      for await (const { type, payload } of opened.value.journal.records()) bytesToRecord(type, payload);
      await opened.value.journal.close();
      return accepted;
    },
    weight: 0.02,
  },
  {
    name: 'rows of chain.db',
    covers: [
      ...at('node/src/storage/verdicts.ts', 'decodeVerdicts'),
      ...at('node/src/storage/checkpoint-signatures.ts', 'decodeSignatures'),
    ],
    sizeMax: 64 << 10,
    corpus: () => [verdicts, signatures],
    run: (bytes) => verdictOfNullable(decodeVerdicts(bytes, 5) ?? decodeSignatures(bytes)),
  },
  {
    name: 'decodeHeldHeight',
    covers: at('node/src/storage/held-height.ts', 'decodeHeldHeight'),
    sizeMax: 1 << 20,
    corpus: () => [
      encodeHeldHeight({
        header: good.block.headerBytes,
        body: good.block.bodyBytes,
        view: 3,
        finalization: good.encodedCertificates[0]!,
        historySize: 7,
        verdicts,
        statement: core.encodeCheckpointStatement(good.statements[0]!),
        signatures,
        batches: good.encodedBatches,
        edge: [{ level: 0, index: 0, hashes: new Uint8Array(7 * 32) }],
      }),
    ],
    run: (bytes) => verdictOf(decodeHeldHeight(bytes)),
    encode: encodeHeldHeight,
    isCanonical: true,
  },
  {
    name: 'where the chain stands',
    covers: [
      ...at('node/src/threads/stored-origin.ts', 'readOrigin'),
      ...at('node/src/storage/view-block.ts', 'openBatch'),
    ],
    sizeMax: 1 << 20,
    corpus: () => [
      ...good.encodedCertificates,
      ...good.encodedBatches,
      ...good.statements.map(core.encodeCheckpointStatement),
    ],
    run: (bytes) => {
      const stored = {
        epoch: {
          epoch: 1,
          genesisHeight: 0,
          genesis: { digest: good.ledgerHash, timeMs: 1 },
          validators: good.genesis.validators,
          digest: core.validatorSetDigest(good.genesis.validators),
          rules: 1,
        },
        previous: null,
        digest: good.ledgerHash,
        height: 1,
        timeMs: 1,
        floors: [],
        certifiedHeight: 0,
        accused: ['v'],
        suspended: ['v'],
      };
      const attempts = [
        () =>
          readOrigin(
            { ...stored, finalization: bytes, outcomes: [] } as unknown as Parameters<typeof readOrigin>[0],
            'v',
          ),
        () =>
          readOrigin(
            {
              ...stored,
              finalization: null,
              outcomes: [{ statement: bytes, timeMs: 1 }],
            } as unknown as Parameters<typeof readOrigin>[0],
            'v',
          ),
        () => openBatch(bytes, 1),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
          return accepted;
        } catch (error) {
          if (!(error instanceof NodeFailed || error instanceof StorageError)) throw error;
        }
      }
      return { ok: false, code: 'storage.damaged' };
    },
  },
  {
    name: 'rows of view.db',
    covers: at('node/src/storage/view-rows.ts', 'readViewRow'),
    sizeMax: 1024,
    corpus: () => {
      const writer = createRowWriter(2, 5);
      writer.write(0, {
        batch: 1,
        offset: 2,
        length: 3,
        code: 4,
        account: 5,
        leafIndex: 6,
        isCounterUsed: true,
        provenance: 'device-signed',
      });
      return [writer.bytes];
    },
    // The position is counted from the size of the blob, so every row lies within it.
    run: (bytes) => {
      for (let row = 0; (row + 1) * viewRowBytes <= bytes.length; row++) readViewRow(bytes, row * viewRowBytes, 7);
      return accepted;
    },
    weight: 0.2,
  },
];

export const nodeTargets: readonly Target[] = [...transport, ...http, ...storage];
