/** The public door of core. */

export { base64urlToBytes, bytesToBase64url } from './bytes/base64url.ts';
// bytes
export type { Cbor, CborError, CborKey, CborOptions, Encodable } from './bytes/cbor.ts';
export { CborReader, CborWriter, decodeCbor, encodeCbor, Tagged } from './bytes/cbor.ts';
export type { CopyBytes } from './bytes/cbor-writer.ts';
export { installCopyBytes } from './bytes/cbor-writer.ts';
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
export type { PayloadValue } from './bytes/payload.ts';
export { decodePayload } from './bytes/payload.ts';
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
// ledger
export type { Moment } from './ledger/admission.ts';
export type { Change } from './ledger/changes.ts';
export type { CatalogueEntry, ErrorCode } from './ledger/errors.ts';
export { errorCatalogue, errorOf } from './ledger/errors.ts';
export type { LedgerEvent } from './ledger/events.ts';
export type {
  Execution,
  LedgerBlock,
  MalformedTransaction,
  NewKey,
  TransactionResult,
} from './ledger/execute.ts';
export type { TileExtent } from './ledger/history-edge.ts';
export { fullTileRoot, isRightEdge, rightEdgeOf, tileCountAt } from './ledger/history-edge.ts';
export type { HistoryReader, TileStore } from './ledger/history-reader.ts';
export { createHistoryReader } from './ledger/history-reader.ts';
export type { HistoryAppend, HistoryTree, TileWrite } from './ledger/history-tree.ts';
export { createHistoryTree } from './ledger/history-tree.ts';
export type { CheckedTransaction, Ledger, LedgerOptions } from './ledger/ledger.ts';
export { createLedger } from './ledger/ledger.ts';
export type { Misbehaviour } from './ledger/misbehaviour.ts';
export type { Anchor } from './ledger/operations/anchor.ts';
export { anchor } from './ledger/operations/anchor.ts';
export type { Attest } from './ledger/operations/attest.ts';
export { attest } from './ledger/operations/attest.ts';
export type { Issue } from './ledger/operations/issue.ts';
export { issue } from './ledger/operations/issue.ts';
export type { EncodedOperation, OperationKind } from './ledger/operations/operation.ts';
export type { Propose } from './ledger/operations/propose.ts';
export { propose } from './ledger/operations/propose.ts';
export type { Ready } from './ledger/operations/ready.ts';
export { ready } from './ledger/operations/ready.ts';
export type { RegisterKey } from './ledger/operations/register-key.ts';
export { registerKey } from './ledger/operations/register-key.ts';
export type { Retire } from './ledger/operations/retire.ts';
export { retire } from './ledger/operations/retire.ts';
export type { RevokeKey } from './ledger/operations/revoke-key.ts';
export { revokeKey } from './ledger/operations/revoke-key.ts';
export type { RotateKey } from './ledger/operations/rotate-key.ts';
export { rotateKey } from './ledger/operations/rotate-key.ts';
export { isKnownRules, rulesLatest } from './ledger/operations/rules.ts';
export type { Transfer } from './ledger/operations/transfer.ts';
export { transfer } from './ledger/operations/transfer.ts';
export type { MemberVote } from './ledger/operations/vote.ts';
export { vote } from './ledger/operations/vote.ts';
export type {
  AccountView,
  AnchorView,
  AssetView,
  DeviceView,
  KeyView,
  MemberView,
  MisbehaviourView,
} from './ledger/query.ts';
export {
  readAccount,
  readAccounts,
  readAnchors,
  readAsset,
  readAssets,
  readBalance,
  readDevice,
  readDevices,
  readKey,
  readKeys,
  readMember,
  readMembers,
  readMisbehaviour,
  readParameters,
  readQuota,
  readReplayWindow,
  readValidators,
} from './ledger/query.ts';
export type { Provenance } from './ledger/readings.ts';
export { readingSourceOf } from './ledger/readings.ts';
export type { ReplayWindow } from './ledger/replay-window.ts';
export type { RestartVotes } from './ledger/restart.ts';
export { checkRestart, restartVotesOf } from './ledger/restart.ts';
export type {
  AdmissionView,
  AttestationView,
  PresenceView,
  ProposalView,
  RemovedView,
} from './ledger/set-query.ts';
export {
  readAdmissions,
  readAttestations,
  readPresence,
  readProposal,
  readProposals,
  readReady,
  readRemoved,
  readSuspensions,
  readSuspensionsOf,
  readTargetRules,
} from './ledger/set-query.ts';
export type {
  AttestVerdict,
  ProposalOutcome,
  ReadyRecord,
  RemovalCause,
  Suspension,
  SuspensionCause,
} from './ledger/set-records.ts';
export type { StateEntry } from './ledger/state-bucket.ts';
export { joinEntries as joinStateEntries } from './ledger/state-bucket.ts';
export {
  bucketHashOf,
  isEmptyStatePart,
  isStatePart,
  nodeHashOf,
  partHashOf,
  stateBucketDepth,
} from './ledger/state-parts.ts';
export type { StateProof } from './ledger/state-proof.ts';
export { nibbleAt, valueHashIn as stateValueHashIn, verifyStateProof } from './ledger/state-proof.ts';
export type { EntrySource, FrozenStateTree, StateTree, StateTreeOptions } from './ledger/state-tree.ts';
export { createStateTree } from './ledger/state-tree.ts';
export type { ListingStore, Store, Write } from './ledger/store.ts';
export { keyToPath, pathToKey } from './ledger/store.ts';
export type { LeaderHint } from './ledger/suspensions.ts';
export { readTarget } from './ledger/target-set.ts';
export type { Batch, BatchHeader, UnsignedBatch } from './model/batch.ts';
export { batchBytesMax, createBatch, decodeBatch, encodeBatch, signBatch } from './model/batch.ts';
export type { BatchReference, Block, BlockHeader } from './model/block.ts';
export { blockBatchesMax, blockFromParts, createBlock, decodeBlock, encodeBlock } from './model/block.ts';
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
  laterRoundOf,
  protectedHeaderOf,
  readCheckpointStatement,
  roundMax,
} from './model/checkpoint.ts';
export type { CheckpointSignature } from './model/checkpoint-signature.ts';
export {
  checkpointSignatureCheck,
  checkpointSignatureToCbor,
  readCheckpointSignature,
  receiptHeaderOf,
  signCheckpoint,
} from './model/checkpoint-signature.ts';
export type { EpochProof } from './model/epoch-proof.ts';
export {
  decodeEpochProof,
  encodeEpochProof,
  epochProofBytesMax,
  epochProofToCbor,
  readEpochProof,
} from './model/epoch-proof.ts';
export type { EpochTarget } from './model/epoch-target.ts';
export { createEpochTarget } from './model/epoch-target.ts';
export {
  decodeFaultProof,
  encodeFaultProof,
  type FaultProof,
  faultProofToCbor,
  readFaultProof,
} from './model/fault-proof.ts';
export type { Genesis, GenesisAsset, GenesisBalance, GenesisMember } from './model/genesis.ts';
export {
  checkGenesisKeys,
  decodeGenesis,
  encodeGenesis,
  genesisEntries,
  genesisToLedgerHash,
} from './model/genesis.ts';
export type { Channel, Message, Recall } from './model/message.ts';
export {
  chainBlocksMax,
  channelOf,
  decodeMessage,
  encodeMessage,
  handedOverBytesMax,
  nothingToRecall,
} from './model/message.ts';
export type { AccountName } from './model/names.ts';
export { accountOf, isName, parseAccount, parseDevice } from './model/names.ts';
export type { Parameters } from './model/parameters.ts';
export { defaultParameters } from './model/parameters.ts';
export type { DecodedBundle, InclusionProof, ReceiptBundle, ReceiptRow } from './model/receipt.ts';
export {
  bundleToReceipts,
  decodeBundle,
  decodeReceipt,
  encodeBundle,
  receiptBytesMax,
  receiptsToBundle,
} from './model/receipt.ts';
export type { KeyRole, RegisteredKey } from './model/registered-key.ts';
export type { Restart, RestartPoint, RestartSignature, SignedRestart } from './model/restart.ts';
export {
  createRestart,
  decodeSignedRestart,
  encodeSignedRestart,
  restartBytesMax,
  restartDigest,
  restartRound,
  restartSignedBytes,
  withRestartSignature,
} from './model/restart.ts';
export type { TransactionContent, UnsignedTransaction } from './model/sign-transaction.ts';
export { completeTransaction, prepareTransaction, signTransaction } from './model/sign-transaction.ts';
export type {
  FloorClaim,
  Snapshot,
  StatePart,
  StateRow,
  StoredOutcome,
  SyncMessage,
  Tile,
  TilePlace,
} from './model/sync-message.ts';
export {
  epochProofsMax,
  snapshotBlocksMax,
  snapshotSignaturesMax,
  stateBucketEntriesMax,
  statePageBytesMax,
  statePageEntriesMax,
  statePathsMax,
  tilePlacesMax,
} from './model/sync-message.ts';
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
  lifeSizeBytes,
  quorum,
  readValidator,
  readValidatorSet,
  sortValidators,
  validatorSetDigest,
  validatorSetMax,
  validatorToCbor,
} from './model/validator-set.ts';
export type { Proposal, SignedVote, Vote } from './model/vote.ts';
export { epochOfVote, isSameProposal, readVote, viewOfVote, voteSignedBytes, voteToCbor } from './model/vote.ts';
export type { CheckpointRows, VerifiedCheckpoint } from './proof/checkpoint.ts';
export { verifyCheckpoint } from './proof/checkpoint.ts';
export type { EpochChain } from './proof/epochs.ts';
export {
  anchorOfEpoch,
  anchorToChain,
  epochOf,
  followEpochs,
  newestAnchor,
  verifyEpochProof,
} from './proof/epochs.ts';
export type { VerifiedReceipt } from './proof/receipt.ts';
export { epochOfReceipt, verifyBundle, verifyReceipt, verifyReceiptOverEpochs } from './proof/receipt.ts';
export type { AnchorValidator, TrustAnchor } from './proof/trust-anchor.ts';
export { createTrustAnchor, firstEpoch, genesisToTrustAnchor, setToTrustAnchor } from './proof/trust-anchor.ts';
export type { EpochsFile } from './proof/trust-files.ts';
export {
  anchorFileBytesMax,
  decodeAnchorFile,
  decodeEpochsFile,
  encodeAnchorFile,
  encodeEpochsFile,
  epochsFileBytesMax,
} from './proof/trust-files.ts';
export type { TrustPeriodCheck } from './proof/trust-period.ts';
export {
  checkTrustPeriod,
  confirmationsNeeded,
  defaultTrustPeriodSeconds,
  isWithinTrustPeriod,
} from './proof/trust-period.ts';
// protocol
export type { ProtocolConstants } from './protocol/constants.ts';
export { defaultConstants } from './protocol/constants.ts';
export type { Effect, Fact, Input, Instant, JournalRecord, Outcome, ProvenFault } from './protocol/effects.ts';
export type { EpochGenesis, EpochSet, PreviousEpoch } from './protocol/epochs/epoch.ts';
export {
  createEpochSet,
  indexIn,
  isChange,
  leaderOf,
  nextEpochSet,
  resilienceOf,
} from './protocol/epochs/epoch.ts';
export { epochOfMessage } from './protocol/epochs/other-epochs.ts';
export { type Accused, accusedAfter, createEvidenceReader, freshProofs } from './protocol/guard/block-evidence.ts';
export { admitMessage } from './protocol/guard/door.ts';
export { areConflictingVotes, epochOfProof, provesFault } from './protocol/guard/evidence.ts';
export { requestBudget, requestCost } from './protocol/guard/request-budget.ts';
export type { ReplicaOrigin } from './protocol/origin.ts';
export type { ReplicaStatus } from './protocol/replica.ts';
export { Replica } from './protocol/replica.ts';
export type { CairnError, Failure, Ok, Result } from './result.ts';
export { AssertionFailed, assert, fail, ok, unreachable } from './result.ts';
