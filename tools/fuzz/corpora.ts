/** Good inputs, made by the real encoders; public vectors beside the repository join them where they are present. */
import { decimal, pack } from '../../packages/core/src/bytes/testing/packs.ts';
import { listVectors, readVector } from '../../packages/core/src/bytes/testing/vectors.ts';
import * as core from '../../packages/core/src/index.ts';
import { createGenesis, createWorld, people } from '../../packages/core/src/ledger/testing/world.ts';
import { encodeCertificate } from '../../packages/core/src/model/certificate.ts';
import { encodeMessage, type Message } from '../../packages/core/src/model/message.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  finalization,
  finalize,
  genesisOutcome,
  genesisTip,
  ledgerHash,
  notarization,
  notarize,
  nullification,
  nullify,
  proposalOf,
  validatorsOf,
} from '../../packages/core/src/protocol/testing/hand.ts';
import { createFakeNetwork } from '../../packages/sdk/src/testing/fake-network.ts';

const { toEpoch, toHeight, toValidatorIndex, toView } = core;

export const epoch = toEpoch(1);
export const batches = [batchOf(1, 1), batchOf(2, 2, { sizeBytes: 300 }), batchOf(3, 7, { base: 7 })];
export const block = blockOn(genesisTip, { batches });
export const blockWithEvidence = core.createBlock(
  { ...block.header, nextSet: core.sha256(new Uint8Array(3)) },
  [],
  [new Uint8Array(40).fill(7), new Uint8Array(300)],
);
export const proposal = proposalOf(3, 1, block);
const other = proposalOf(3, 1, blockWithEvidence);
export const votes = [notarize(0, proposal), nullify(2, 9), finalize(3, proposal)];
export const certificates = [
  notarization(proposal, [0, 1, 2]),
  nullification(8, [0, 1, 3]),
  finalization(proposal, [1, 2, 3]),
  nullification(
    1,
    Array.from({ length: 40 }, (_, i) => i),
  ),
];
const { statement } = genesisOutcome();
export const statements = [statement, { ...statement, height: toHeight(900), round: 2, historySize: 2 ** 40 }];
export const proofs: readonly core.FaultProof[] = [
  { type: 'votes', accused: toValidatorIndex(0), first: notarize(0, proposal), second: notarize(0, other) },
  { type: 'batches', accused: toValidatorIndex(1), first: batchOf(1, 1), second: batchOf(1, 1, { text: 'other' }) },
  {
    type: 'checkpoints',
    accused: toValidatorIndex(2),
    first: checkpointOf(2, statements[0]!),
    second: checkpointOf(2, { ...statements[0]!, historySize: 3 }),
  },
];

const life = new Uint8Array(core.lifeSizeBytes).fill(9);
export const epochProofs: readonly core.EpochProof[] = [
  { signatures: [0, 1, 3].map((signer) => checkpointOf(signer, statement)), validators: validatorsOf(5) },
  {
    signatures: [checkpointOf(7, statements[1]!)],
    validators: validatorsOf(1).map((each) => ({ ...each, addresses: ['a:1', 'b:2'], host: 'h', operator: 'o', life })),
  },
];

const [setOne, setTwo] = [validatorsOf(4), validatorsOf(5)];
export const anchors = [
  core.setToTrustAnchor(ledgerHash, epoch, setOne, 1),
  core.setToTrustAnchor(ledgerHash, toEpoch(9), setTwo, 2 ** 32),
];
const restartPoint = { ledgerHash, epoch, rules: 1, height: toHeight(12), timeMs: 1_000 };
const restartDigests = { parent: core.sha256(life), result: core.sha256(life), checkpoint: core.sha256(life) };
const restartOf = (count: number) => core.createRestart({ ...restartPoint, ...restartDigests }, validatorsOf(count));
export const restarts: readonly core.SignedRestart[] = [
  restartOf(4),
  [1, 2, 3].reduce(
    (signed, i) =>
      core.withRestartSignature(signed, { kid: new Uint8Array(8).fill(i), signature: new Uint8Array(64).fill(i) }),
    restartOf(1),
  ),
];

/** The end of an epoch of `from` validators, at some height, and `to` that come next. */
function endOf(number: number, from: number, to: number, height: number): core.EpochProof {
  const validatorSet = core.validatorSetDigest(validatorsOf(to));
  const end = { ...statement, epoch: toEpoch(number), height: toHeight(height), validatorSet };
  return { signatures: Array.from({ length: from }, (_, i) => checkpointOf(i, end)), validators: validatorsOf(to) };
}
export const epochsFiles = [
  [endOf(1, 4, 5, 10), endOf(2, 5, 4, 20), endOf(3, 4, 4, 30)],
  [endOf(1, 4, 4, 8), endOf(2, 4, 1, 9)],
  [],
].map((proofs) => core.encodeEpochsFile({ ledgerHash, proofs }));

const messages: readonly Message[] = [
  { type: 'proposal', vote: notarize(0, proposal), block },
  { type: 'vote', vote: nullify(2, 9), entry: certificates[1]! },
  { type: 'vote', vote: finalize(2, proposal), entry: null },
  { type: 'certificate', certificate: certificates[0]! },
  { type: 'acknowledgement', epoch, rows: [{ author: toValidatorIndex(3), seq: 4, digest: block.digest }] },
  { type: 'checkpoint-signatures', signatures: [checkpointOf(1, statement), checkpointOf(2, statement)] },
  {
    type: 'status',
    epoch,
    view: toView(7),
    lastFinalized: toView(5),
    height: toHeight(4),
    asks: false,
    finalization: null,
    recall: { votes: [], batch: null },
  },
  {
    type: 'status',
    epoch,
    view: toView(7),
    lastFinalized: toView(5),
    height: toHeight(4),
    asks: true,
    finalization: certificates[2]!,
    recall: { votes: [nullify(2, 9), finalize(2, proposal)], batch: batches[0]! },
  },
  { type: 'transactions', transactions: [block.digest, new Uint8Array(0)] },
  { type: 'request-certificates', epoch, from: toView(3), to: toView(60) },
  { type: 'request-block', digest: block.digest },
  { type: 'request-batch', digest: batches[0]!.digest },
  { type: 'request-checkpoint', height: toHeight(9) },
  { type: 'request-boundary', epoch },
  { type: 'request-chain', from: toHeight(1) },
  { type: 'block', block: blockWithEvidence },
  { type: 'batch', batch: batches[1]! },
  { type: 'chain', blocks: [block, blockWithEvidence], finalization: certificates[2]! },
  ...proofs.map((proof): Message => ({ type: 'evidence', proof })),
  { type: 'request-snapshot', from: toHeight(1) },
  { type: 'request-state', height: toHeight(9), paths: ['', '0a', '00ff'] },
  { type: 'request-tiles', size: 70_000, places: [{ level: 1, index: 2 }] },
  { type: 'request-outcome', height: toHeight(9) },
  {
    type: 'snapshot',
    snapshot: {
      height: toHeight(1),
      statements: [...statements],
      signatures: [checkpointOf(1, statement)],
      blocks: [block, blockWithEvidence],
      finalizations: [certificates[2]!],
      floors: [{ author: toValidatorIndex(3), seq: 4, digest: block.digest, height: toHeight(1) }],
    },
  },
  {
    type: 'state',
    height: toHeight(9),
    parts: [
      { type: 'node', path: '0', children: new Array(16).fill(block.digest) },
      { type: 'bucket', path: '00ff', entries: [{ key: Uint8Array.of(1, 2), value: new Uint8Array(40) }] },
    ],
  },
  { type: 'tiles', size: 300, tiles: [{ level: 0, index: 1, hashes: new Uint8Array(64) }] },
  { type: 'request-epochs', from: epoch },
  { type: 'epochs', proofs: [{ signatures: [checkpointOf(1, statement)], validators: validatorsOf(4) }] },
  { type: 'outcome', height: toHeight(9), outcome: { statement, verdicts: Uint8Array.of(0x80) } },
];
export const encodedMessages = messages.map(encodeMessage);
export const encodedBlocks = [block, blockWithEvidence].map(core.encodeBlock);
export const encodedBatches = batches.map(core.encodeBatch);
export const encodedCertificates = certificates.map(encodeCertificate);

// --- Payloads and transactions ---------------------------------------------------------------------------------------

/** Packs that cost the most for their size: sums of numbers far apart in size, many records, long names. */
function costlyPacks(): Uint8Array[] {
  const far = Array.from({ length: 60 }, (_, i): [core.CborKey, core.Encodable][] => [
    [0, `n${i}`],
    [2, decimal('1e-400')],
    [6, 1_700_000_000 + i],
  ]);
  far[0]!.unshift([-5, decimal('9e400')]);
  const wide = (1n << 500n) - 1n;
  return [
    pack(...far),
    pack(
      ...Array.from({ length: 60 }, (): [core.CborKey, core.Encodable][] => [
        [0, 'n'],
        [2, 1],
        [6, 1_700_000_000],
      ]),
    ),
    pack([
      [0, 'n'],
      [2, new core.Tagged(4, [-300, new core.Tagged(2, bigBytes(wide))])],
      [6, 1_700_000_000],
    ]),
  ];
}

function bigBytes(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(128, '0'), 'hex'));
}

export const jsonPacks: readonly string[] = [
  '[{"bn":"acme/meter/","bt":1700000000.25,"bu":"Cel","n":"a","v":21.50},{"n":"b","u":"%RH","vb":true,"t":-5},{"n":"c","vs":"x\\u00e9\\n"},{"n":"d","vd":"AAEC"}]',
  '[{"n":"temperature","v":1e-3,"s":12345678901234567890,"ut":60,"t":1.7e9}]',
  '[{"bn":"acme/meter","bver":10,"x_":"extension","n":"/q","v":0}]',
];

export const cborPacks: readonly Uint8Array[] = [
  pack(
    [
      [-2, 'acme/meter/'],
      [-3, 1_700_000_000],
      [-4, 'Cel'],
      [0, 'a'],
      [2, decimal('21.50')],
    ],
    [
      [0, 'b'],
      [4, true],
    ],
    [
      [0, 'c'],
      [3, 'text'],
    ],
    [
      [0, 'd'],
      [8, new Uint8Array(5)],
    ],
  ),
  pack([
    [0, 'a'],
    [2, decimal('-0.001')],
    [5, decimal('7')],
    [6, -30],
    [7, 60],
  ]),
  ...costlyPacks(),
  ...jsonPacks.flatMap((text) => {
    const made = core.jsonToPack(new TextEncoder().encode(text));
    return made.ok ? [made.value] : [];
  }),
  ...vectorsIn('senml', /\.cbor$/),
];

/** Values of every kind of the payload profile. */
export const payloads: readonly Uint8Array[] = [
  ...cborPacks,
  Uint8Array.of(0xfb, 0x40, 0x37, 0x19, 0x99, 0x99, 0x99, 0x99, 0x9a),
  Uint8Array.of(0xf9, 0x00, 0x01),
  Uint8Array.of(0xfb, 0x00, 0, 0, 0, 0, 0, 0, 0x01),
  Uint8Array.of(0xfb, 0x7f, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  core.encodeCbor(new core.Tagged(3, new Uint8Array(64).fill(255))),
];

const world = createWorld();
const otherKey = core.nobleSigner('p256', new Uint8Array(32).fill(77));
export const transactions: readonly Uint8Array[] = [
  world.sign(people.acmeDevice, { senml: cborPacks[0] }),
  world.sign(people.acmeGateway, { senml: cborPacks[1], sub: 'acme/meter', iss: 'acme', issuedSeconds: 1_700_000_000 }),
  world.sign(people.borealDevice, { senml: cborPacks[2], expiresSeconds: 1_800_000_000 }),
  world.sign(people.acmePerson, {
    operations: [
      core.transfer.toCbor({ to: 'boreal/pump', asset: 'coin', amount: 5n, from: 'acme' }),
      core.registerKey.toCbor({ role: 'device', algorithm: 'p256', publicKey: otherKey.publicKey, device: 'new' }),
    ],
  }),
  world.sign(people.acmePerson, {
    senml: cborPacks[0],
    operations: [core.issue.toCbor({ asset: 'coin', amount: 1n << 63n, to: 'acme' })],
  }),
  world.sign(people.acmePerson, {
    hashEnvelope: { hash: new Uint8Array(32), preimageType: 'text/plain', location: 'https://example.org/x' },
  }),
].map(({ bytes }) => bytes);

export const cborValues: readonly Uint8Array[] = [
  ...encodedMessages,
  ...transactions,
  core.encodeCbor(
    new Map<core.CborKey, core.Encodable>([
      [1, -1],
      [1n << 63n, 'x'],
      [-7, null],
      ['key', [true, new Map([['a', 'ü']])]],
    ]),
  ),
  ...appendixA(),
];

function appendixA(): Uint8Array[] {
  const file = readVector('cbor/appendix_a.json');
  if (file === null) return [];
  return (JSON.parse(file.toString()) as { hex: string }[]).map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex')));
}

export const coseMessages: readonly Uint8Array[] = [
  ...transactions,
  ...['sign1-tests', 'eddsa-examples', 'ecdsa-examples'].flatMap((folder) =>
    vectorsIn(`cose/${folder}`, /\.json$/).flatMap((bytes) => {
      const { cbor } = (JSON.parse(new TextDecoder().decode(bytes)) as { output: { cbor?: string } }).output;
      return cbor === undefined ? [] : [Uint8Array.from(Buffer.from(cbor, 'hex'))];
    }),
  ),
];

export function vectorsIn(folder: string, name: RegExp): Uint8Array[] {
  return (listVectors(folder) ?? [])
    .filter((file) => name.test(file))
    .map((file) => new Uint8Array(readVector(`${folder}/${file}`)!));
}

// --- Ledger ----------------------------------------------------------------------------------------------------------

export const genesis = createGenesis();
export const network = createFakeNetwork();
const first = transactions[0]!;
const ids = transactions.map((transaction) => network.accept(transaction));
export const epochProofTexts = [network.endOf(1, 4, ['node-2']), ...epochProofs]
  .map(core.encodeEpochProof)
  .map(core.bytesToBase64url);
export const acceptedTransaction = first;
export const acceptedId = ids[0]!;
export const bundles: readonly Uint8Array[] = [
  network.receiptOf(ids[0]!),
  network.receiptOf(ids[1]!, 4),
  network.receiptOf(ids[2]!, 1),
];
export const decodedBundles = bundles.map((bytes) => {
  const bundle = core.decodeBundle(bytes);
  if (!bundle.ok) throw new Error(bundle.error.message);
  return bundle.value;
});
export const receipts = decodedBundles.flatMap(core.bundleToReceipts);
export const genesisDocuments = [core.encodeGenesis(genesis), network.genesis];
export const stateEntries = world.store.entries().flatMap(({ value }) => (value === null ? [] : [value]));
export const validators = validatorsOf(4);
export { ledgerHash };
