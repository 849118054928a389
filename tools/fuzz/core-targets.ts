/** Decoders of core: what devices sign, what nodes say to each other, what proves something to a client. */
import { base64urlToBytes, bytesToBase64url } from '../../packages/core/src/bytes/base64url.ts';
import { cborDepthMax } from '../../packages/core/src/bytes/cbor.ts';
import { fromHex } from '../../packages/core/src/bytes/hex.ts';
import { readJson } from '../../packages/core/src/bytes/json-text.ts';
import { readShape } from '../../packages/core/src/bytes/shape.ts';
import * as core from '../../packages/core/src/index.ts';
import {
  anchorKind,
  assetKind,
  balanceKind,
  deviceKind,
  keyKind,
  memberKind,
  parametersKind,
  quotaKind,
  validatorKind,
  windowKind,
} from '../../packages/core/src/ledger/records.ts';
import { createWorld } from '../../packages/core/src/ledger/testing/world.ts';
import { decodeRecord } from '../../packages/core/src/ledger/working-state.ts';
import { readBatchHeader } from '../../packages/core/src/model/batch.ts';
import { decodeCertificate, encodeCertificate, readBitmap } from '../../packages/core/src/model/certificate.ts';
import { encodeVoteStatement, readVoteStatement } from '../../packages/core/src/model/vote.ts';
import { admitMessage } from '../../packages/core/src/protocol/guard/door.ts';
import { setOf } from '../../packages/core/src/protocol/testing/hand.ts';
import * as good from './corpora.ts';
import { bytesOfTexts, type Target, textOf, verdictOf, verdictOfNullable } from './target.ts';

const frameBytesMax = 8 << 20;
/** Inputs stay small where size is not what a decoder is about: more of them per second find more. */
const usualMax = 16 << 10;

/** A reader that is only used inside a shape: its refusals come out of `readShape`. */
const shaped = <T>(read: () => T) => verdictOf(readShape('fuzz.shape', null, read));

/** Believes every signature: what lies behind a check is fuzzed too. */
const credulous: core.Verifier = { id: 'credulous', verify: () => true, checkPublicKey: () => core.ok(undefined) };

const set = setOf(4);
const world = createWorld();

const ownLimits: readonly number[] = [
  core.anchorFileBytesMax,
  core.transactionBytesMax,
  core.batchBytesMax,
  core.receiptBytesMax,
  core.epochProofBytesMax,
];

function bytesTarget<T>(
  path: string,
  name: string,
  decode: (bytes: Uint8Array) => core.Result<T, core.CairnError>,
  corpus: () => readonly Uint8Array[],
  encode: ((value: T) => Uint8Array) | null,
  sizeMax = usualMax,
): Target {
  return {
    name,
    covers: [`packages/core/src/${path}#${name}`],
    sizeMax,
    hasOwnLimit: ownLimits.includes(sizeMax),
    corpus,
    run: (bytes) => verdictOf(decode(bytes)),
    ...(encode !== null && { encode, isCanonical: true }),
  };
}

export const coreTargets: readonly Target[] = [
  bytesTarget(
    'bytes/cbor.ts',
    'decodeCbor',
    (bytes) => core.decodeCbor(bytes, { tags: [2, 4, 18] }),
    () => good.cborValues,
    core.encodeCbor,
  ),
  bytesTarget('bytes/cose.ts', 'decodeCoseSign1', core.decodeCoseSign1, () => good.coseMessages, core.encodeCoseSign1),
  bytesTarget('bytes/payload.ts', 'decodePayload', core.decodePayload, () => good.payloads, null, 65_535),
  bytesTarget(
    'bytes/senml.ts',
    'decodePack',
    (bytes) => core.decodePack(bytes, { device: 'acme/meter', nowMs: 1_700_000_000_000 }),
    () => good.cborPacks,
    null,
    65_535,
  ),
  bytesTarget(
    'bytes/senml-json.ts',
    'jsonToPack',
    core.jsonToPack,
    () => bytesOfTexts(...good.jsonPacks).concat(good.vectorsIn('senml', /\.json$/)),
    null,
    65_535,
  ),
  bytesTarget(
    'model/transaction.ts',
    'decodeTransaction',
    decodeWithReadings,
    () => good.transactions,
    ({ bytes }: core.Transaction) => bytes,
    core.transactionBytesMax,
  ),
  bytesTarget(
    'model/message.ts',
    'decodeMessage',
    core.decodeMessage,
    () => good.encodedMessages,
    core.encodeMessage,
    frameBytesMax,
  ),
  bytesTarget('model/block.ts', 'decodeBlock', core.decodeBlock, () => good.encodedBlocks, core.encodeBlock),
  bytesTarget(
    'model/batch.ts',
    'decodeBatch',
    core.decodeBatch,
    () => good.encodedBatches,
    core.encodeBatch,
    core.batchBytesMax,
  ),
  bytesTarget(
    'model/fault-proof.ts',
    'decodeFaultProof',
    core.decodeFaultProof,
    () => good.proofs.map(core.encodeFaultProof),
    core.encodeFaultProof,
  ),
  bytesTarget(
    'model/epoch-proof.ts',
    'decodeEpochProof',
    core.decodeEpochProof,
    () => good.epochProofs.map(core.encodeEpochProof),
    core.encodeEpochProof,
    core.epochProofBytesMax,
  ),
  bytesTarget(
    'model/restart.ts',
    'decodeSignedRestart',
    core.decodeSignedRestart,
    () => good.restarts.map(core.encodeSignedRestart),
    core.encodeSignedRestart,
    core.restartBytesMax,
  ),
  bytesTarget(
    'proof/trust-files.ts',
    'decodeEpochsFile',
    core.decodeEpochsFile,
    () => good.epochsFiles,
    core.encodeEpochsFile,
  ),
  bytesTarget(
    'proof/trust-files.ts',
    'decodeAnchorFile',
    core.decodeAnchorFile,
    () => good.anchors.map(core.encodeAnchorFile),
    core.encodeAnchorFile,
    core.anchorFileBytesMax,
  ),
  bytesTarget(
    'model/certificate.ts',
    'decodeCertificate',
    decodeCertificate,
    () => good.encodedCertificates,
    encodeCertificate,
  ),
  bytesTarget(
    'model/checkpoint.ts',
    'decodeCheckpointStatement',
    core.decodeCheckpointStatement,
    () => good.statements.map(core.encodeCheckpointStatement),
    core.encodeCheckpointStatement,
  ),
  bytesTarget(
    'model/checkpoint.ts',
    'decodeProtectedHeader',
    core.decodeProtectedHeader,
    () => good.decodedBundles.flatMap(({ rows }) => rows.map((row) => row.protectedHeader)),
    core.protectedHeaderOf,
  ),
  bytesTarget('model/genesis.ts', 'decodeGenesis', decodeAnchor, () => good.genesisDocuments, core.encodeGenesis),
  bytesTarget(
    'model/receipt.ts',
    'decodeBundle',
    core.decodeBundle,
    () => good.bundles,
    core.encodeBundle,
    core.receiptBytesMax,
  ),
  bytesTarget(
    'model/receipt.ts',
    'decodeReceipt',
    core.decodeReceipt,
    () => good.receipts,
    ({ proof, row }) => core.bundleToReceipts({ proof, rows: [row] })[0]!,
    core.receiptBytesMax,
  ),
  {
    name: 'readJson',
    covers: ['packages/core/src/bytes/json-text.ts#readJson'],
    sizeMax: 65_535,
    corpus: () =>
      bytesOfTexts(
        ...good.jsonPacks,
        '{"a":[null,true,-0.5e-7,"\\ud83d\\ude00"]}',
        `${'['.repeat(20)}1${']'.repeat(20)}`,
      ),
    run: (bytes) => {
      const read = readJson(textOf(bytes), cborDepthMax);
      return read.ok ? read : { ok: false, code: 'json.malformed' };
    },
  },
  {
    name: 'readBatchHeader',
    covers: ['packages/core/src/model/batch.ts#readBatchHeader'],
    sizeMax: usualMax,
    corpus: () => good.batches.map(({ headerBytes }) => headerBytes),
    run: (bytes) => shaped(() => readBatchHeader(bytes)),
  },
  {
    name: 'readBitmap',
    covers: ['packages/core/src/model/certificate.ts#readBitmap'],
    sizeMax: 1024,
    corpus: () => [Uint8Array.of(0x0f), new Uint8Array(32).fill(255), Uint8Array.of(0, 0, 1)],
    run: (bytes) => shaped(() => readBitmap(bytes)),
    weight: 0.2,
  },
  {
    name: 'readVoteStatement',
    covers: ['packages/core/src/model/vote.ts#readVoteStatement'],
    sizeMax: 1024,
    corpus: () => good.votes.map(({ vote }) => encodeVoteStatement(vote)),
    run: (bytes) => {
      const read = shaped(() => readVoteStatement('nullify', bytes));
      return read.ok ? read : shaped(() => readVoteStatement('finalize', bytes));
    },
    encode: encodeVoteStatement,
    isCanonical: true,
  },
  {
    name: 'texts of names, numbers and bytes',
    covers: ['parseAccount', 'parseDevice'].map((name) => `packages/core/src/model/names.ts#${name}`),
    sizeMax: 4096,
    corpus: () => bytesOfTexts('acme/meter', 'acme', '00ff', 'AAEC_w', '-12.50e3', '1e-400', '9'.repeat(1024)),
    run: (bytes) => {
      const text = textOf(bytes);
      const decimal = core.textToDecimal(text);
      const inBase64url = base64urlToBytes(text);
      if (inBase64url !== null && bytesToBase64url(inBase64url) !== text)
        throw new Error('two texts for the same bytes');
      if (decimal !== null && core.textToDecimal(core.decimalToText(decimal)) === null)
        throw new Error('a text of our own is refused');
      return verdictOfNullable(
        core.parseAccount(text) ?? core.parseDevice(text) ?? decimal ?? fromHex(text) ?? inBase64url,
      );
    },
  },
  {
    name: 'decodeRecord',
    covers: ['packages/core/src/ledger/working-state.ts#decodeRecord'],
    sizeMax: usualMax,
    corpus: () => good.stateEntries,
    run: (bytes) => {
      const kinds = [
        memberKind,
        deviceKind,
        keyKind,
        assetKind,
        anchorKind,
        quotaKind,
        windowKind,
        balanceKind,
        validatorKind,
        parametersKind,
      ];
      const decoded = core.decodeCbor(bytes);
      if (!decoded.ok) return verdictOf(decoded);
      const isAny = kinds.some(
        (kind) => core.readShape('state.damaged', decoded.value, kind.read as (value: core.Cbor) => unknown).ok,
      );
      return isAny ? { ok: true, value: null } : { ok: false, code: 'state.damaged' };
    },
  },
  {
    name: 'decodeRecord of one kind',
    covers: ['packages/core/src/ledger/working-state.ts#decodeRecord'],
    sizeMax: usualMax,
    corpus: () => good.stateEntries,
    run: (bytes) => ({ ok: true, value: decodeRecord(windowKind, bytes, 'window/00') }),
    // State of our own that does not decode is damage: the node stops.
    isDeclared: (error) => error instanceof core.AssertionFailed,
    weight: 0.2,
  },
  {
    name: 'admitMessage',
    covers: ['packages/core/src/protocol/guard/door.ts#admitMessage'],
    sizeMax: frameBytesMax,
    corpus: () => good.encodedMessages,
    run: (bytes) => {
      const decoded = core.decodeMessage(bytes);
      if (!decoded.ok) return verdictOf(decoded);
      return verdictOf(
        admitMessage(
          decoded.value,
          core.toValidatorIndex((bytes[bytes.length >> 1] ?? 0) % 4),
          set,
          good.ledgerHash,
          credulous,
        ),
      );
    },
  },
  {
    name: 'verifyReceipt',
    covers: ['packages/core/src/proof/receipt.ts#verifyReceipt'],
    sizeMax: core.receiptBytesMax,
    corpus: () => good.bundles,
    run: (bytes) => verdictOf(core.verifyReceipt(good.network.anchor, bytes, good.acceptedTransaction, credulous)),
  },
  {
    name: 'followEpochs',
    covers: ['packages/core/src/proof/epochs.ts#followEpochs'],
    sizeMax: usualMax,
    corpus: () => good.epochsFiles,
    run: (bytes) => {
      const file = core.decodeEpochsFile(bytes);
      if (!file.ok) return verdictOf(file);
      // The same proofs again, the other way round: compared with those that were followed.
      const proofs = [...file.value.proofs, ...[...file.value.proofs].reverse()];
      return verdictOf(core.followEpochs(core.anchorToChain(good.anchors[0]!), proofs, credulous));
    },
  },
  {
    name: 'verifyStateProof',
    covers: ['packages/core/src/ledger/state-proof.ts#verifyStateProof'],
    sizeMax: usualMax,
    corpus: () => [
      core.encodeCbor([new Uint8Array(65), ...new Array<Uint8Array>(4).fill(new Uint8Array(513).fill(1))]),
    ],
    run: (bytes) => {
      const decoded = core.decodeCbor(bytes);
      const parts =
        decoded.ok && Array.isArray(decoded.value) ? decoded.value.filter((part) => part instanceof Uint8Array) : [];
      return verdictOf(verifyLinkedProof(parts[0] ?? bytes, parts.slice(1)));
    },
    weight: 0.3,
  },
  {
    name: 'execution of a transaction',
    covers: ['packages/core/src/ledger/ledger.ts#execute'],
    sizeMax: core.transactionBytesMax,
    corpus: () => good.transactions,
    run: (bytes) => {
      const decoded = core.decodeTransaction(bytes);
      const { height, timeMs } = world.next();
      const transaction = decoded.ok ? decoded.value : { malformed: bytes, id: core.sha256(bytes) };
      const { results } = world.ledger.execute(world.store, {
        epoch: 1,
        rules: 1,
        misbehaviour: [],
        validators: [],
        authors: [],
        height,
        timeMs,
        transactions: [transaction],
      });
      const { code } = results[0]!;
      return code === 'ok' ? { ok: true, value: null } : { ok: false, code };
    },
    weight: 0.3,
  },
];

/** The readings are read as well: `readingsOf` asserts that those of a decoded transaction can be. */
function decodeWithReadings(bytes: Uint8Array): core.Result<core.Transaction, core.CairnError> {
  const decoded = core.decodeTransaction(bytes);
  if (decoded.ok) core.readingsOf(decoded.value, 'acme/meter');
  return decoded;
}

/** A genesis that decodes also makes a trust anchor, whose maker asserts that its validators differ. */
function decodeAnchor(bytes: Uint8Array): core.Result<core.Genesis, core.CairnError> {
  const decoded = core.decodeGenesis(bytes);
  if (decoded.ok) core.genesisToTrustAnchor(bytes);
  return decoded;
}

/** Links the parts of a state proof to each other, so that the checks behind the links are reached too. */
function verifyLinkedProof(bucket: Uint8Array, parts: readonly Uint8Array[]) {
  const keyHash = core.sha256(bucket);
  let hash = core.sha256(bucket);
  const nodes = parts.map((part, i) => {
    const depth = parts.length - 1 - i;
    const nibble = depth % 2 === 0 ? keyHash[(depth >> 1) % 32]! >> 4 : keyHash[(depth >> 1) % 32]! & 15;
    const node = part.slice();
    if (node.length >= 33 + nibble * 32) node.set(hash, 1 + nibble * 32);
    hash = core.sha256(node);
    return node;
  });
  return core.verifyStateProof(hash, keyHash, { bucket, nodes });
}
