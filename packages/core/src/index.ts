/** The public door of core. */

export { base64urlToBytes, bytesToBase64url } from './bytes/base64url.ts';
// bytes
export type { Cbor, CborError, CborKey, CborOptions, Encodable } from './bytes/cbor.ts';
export { CborReader, CborWriter, decodeCbor, encodeCbor, Tagged } from './bytes/cbor.ts';
export type { CoseSign1, CoseSign1Parts } from './bytes/cose.ts';
export { decodeCoseSign1, encodeCoseSign1, encodeSigStructure } from './bytes/cose.ts';
export type { Decimal } from './bytes/decimal.ts';
export {
  addDecimals,
  compareDecimals,
  decimalToText,
  integerToDecimal,
  isWithinLimits,
  subtractDecimals,
  textToDecimal,
  trimDecimal,
} from './bytes/decimal.ts';
// shapes
export { compareBytes, equalBytes, fromHex, toHex } from './bytes/hex.ts';
export type { PackOptions, Reading, ReadingNumber, ReadingValue } from './bytes/senml.ts';
export { decodePack, deviceOfBaseName, qualifyName } from './bytes/senml.ts';
export type { NumberInput, ReadingInput } from './bytes/senml-encode.ts';
export { encodePack } from './bytes/senml-encode.ts';
export { jsonToPack } from './bytes/senml-json.ts';
export type { PackSummary } from './bytes/senml-pack.ts';
export { bytesOf, decodeShape, listOf, readShape, requireShape, textOf, tupleOf, uintOf } from './bytes/shape.ts';
export { checkEd25519KeyBytes, offCurveKey, passesEd25519Rule } from './crypto/ed25519-rule.ts';
export type { Sha256 } from './crypto/hash.ts';
export { installSha256, sha256 } from './crypto/hash.ts';
export { coseAlgorithmsOf, encodeCoseKey, keyId, keyIdSizeBytes, keyThumbprint } from './crypto/keys.ts';
export {
  emptyRoot,
  leafHash,
  merklePathMax,
  merkleRoot,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootFromInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './crypto/merkle.ts';
export { nobleSigner } from './crypto/noble-signer.ts';
export { nobleVerifier } from './crypto/noble-verifier.ts';
export { isUncompressedPoint, passesP256Rule } from './crypto/p256-rule.ts';
export { signedBytes } from './crypto/sealed.ts';
export type { SignatureCheck, Verified } from './crypto/verified.ts';
export { acceptVerdicts, verifySignatures } from './crypto/verified.ts';
export type { KeyAlgorithm, Signer, Verifier } from './crypto/verifier.ts';
export { publicKeySizeBytes, signatureSizeBytes } from './crypto/verifier.ts';
export type { Batch, BatchHeader, UnsignedBatch } from './model/batch.ts';
export { batchBytesMax, createBatch, decodeBatch, encodeBatch, signBatch } from './model/batch.ts';
export type { BatchReference, Block, BlockHeader } from './model/block.ts';
export { blockFromParts, createBlock, decodeBlock, encodeBlock } from './model/block.ts';
// model: brands, batches, blocks, votes, certificates, messages
export type { Epoch, Hash, Height, ValidatorIndex, View } from './model/brands.ts';
export { toEpoch, toHash, toHeight, toValidatorIndex, toView } from './model/brands.ts';
export type { Certificate } from './model/certificate.ts';
export { createCertificate, decodeCertificate, encodeCertificate, votesOfCertificate } from './model/certificate.ts';
export type { CheckpointHeader, CheckpointStatement } from './model/checkpoint.ts';
export {
  checkpointDigest,
  checkpointSignedBytes,
  checkpointStatementToCbor,
  decodeCheckpointStatement,
  decodeProtectedHeader,
  encodeCheckpointStatement,
  issuerOf,
  protectedHeaderOf,
  readCheckpointStatement,
} from './model/checkpoint.ts';
export type { CheckpointSignature } from './model/checkpoint-signature.ts';
export {
  checkpointSignatureCheck,
  checkpointSignatureToCbor,
  readCheckpointSignature,
  receiptHeaderOf,
  signCheckpoint,
} from './model/checkpoint-signature.ts';
export type { Channel, Message } from './model/message.ts';
export { chainBlocksMax, channelOf, decodeMessage, encodeMessage } from './model/message.ts';
export type { DecodedBundle, InclusionProof, ReceiptBundle, ReceiptRow } from './model/receipt.ts';
export {
  bundleToReceipts,
  decodeBundle,
  decodeReceipt,
  encodeBundle,
  receiptBytesMax,
  receiptsToBundle,
} from './model/receipt.ts';
export type { TransactionContent, UnsignedTransaction } from './model/sign-transaction.ts';
export { completeTransaction, prepareTransaction, signTransaction } from './model/sign-transaction.ts';
export type {
  HashEnvelope,
  RawOperation,
  Transaction,
  TransactionBody,
  TransactionHeader,
} from './model/transaction.ts';
export {
  audienceOf,
  contentType,
  decodeTransaction,
  operationsMax,
  readingsOf,
  transactionBytesMax,
  transactionEntry,
} from './model/transaction.ts';
export type { Validator } from './model/validator-set.ts';
export {
  quorum,
  readValidator,
  readValidatorSet,
  sortValidators,
  validatorSetDigest,
  validatorToCbor,
} from './model/validator-set.ts';
export type { Proposal, SignedVote, Vote } from './model/vote.ts';
export { epochOfVote, isSameProposal, readVote, viewOfVote, voteSignedBytes, voteToCbor } from './model/vote.ts';
export type { CheckpointRows, VerifiedCheckpoint } from './proof/checkpoint.ts';
export { verifyCheckpoint } from './proof/checkpoint.ts';
export type { VerifiedReceipt } from './proof/receipt.ts';
export { verifyBundle, verifyReceipt } from './proof/receipt.ts';
export type { AnchorValidator, TrustAnchor } from './proof/trust-anchor.ts';
export { createTrustAnchor, firstEpoch, genesisToTrustAnchor } from './proof/trust-anchor.ts';
// protocol
export type { ProtocolConstants } from './protocol/constants.ts';
export { defaultConstants } from './protocol/constants.ts';
export type { Effect, Fact, Input, Instant, JournalRecord, Outcome } from './protocol/effects.ts';
export type { EpochSet } from './protocol/epochs/epoch.ts';
export { createEpochSet, leaderOf, resilienceOf } from './protocol/epochs/epoch.ts';
export { admitMessage } from './protocol/guard/door.ts';
export type { FaultProof } from './protocol/guard/evidence.ts';
export { areConflictingVotes, faultProofToCbor, readFaultProof } from './protocol/guard/evidence.ts';
export type { ReplicaOrigin, ReplicaStatus } from './protocol/replica.ts';
export { Replica } from './protocol/replica.ts';
export type { CairnError, Failure, Ok, Result } from './result.ts';
export { AssertionFailed, assert, fail, ok, unreachable } from './result.ts';
